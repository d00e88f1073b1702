package driver

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/loss"
)

// sigma is the largest singular value of a head matrix as the engine holds it.
func sigma(t *testing.T, e *Toy, name string) float64 {
	t.Helper()
	w := e.tensors[name][Value]
	s := loss.NewSpectral(len(w)/8, 8)
	if err := s.Normalise(w, make([]float32, len(w))); err != nil {
		t.Fatal(err)
	}
	return s.Sigma()
}

// The graphs see normalised matrices, in training and in evaluation; between steps the engine holds the weights.
func TestR4FNormalisesAroundTheEngine(t *testing.T) {
	for scope, normalised := range map[Scope]map[string]bool{
		WholeHead:  {"pooler.weight": true, "classifier.weight": true},
		OutputOnly: {"classifier.weight": true},
	} {
		e, seen := NewToy(3, 0.1), map[Variant]int{}
		check := func(when string, want map[string]bool) {
			t.Helper()
			for _, name := range e.spec.Head {
				if s := sigma(t, e, name); math.Abs(s-1) < 1e-6 != want[name] {
					t.Errorf("%s, %s: σ₁ of %s is %v", scope, when, name, s)
				}
			}
		}
		e.fault = func(_ *Toy, b *Batch, _ []float32) error {
			seen[b.Variant]++
			check("forward", normalised)
			return nil
		}
		var weights []float32
		r := train(t, e, ToyExamples(48, 1), Options{
			Method: "r4f", R4FScope: scope, BatchSize: 16, Epochs: 2, MicroTokens: 200, LearningRate: 0.01,
			Dev: ToyExamples(20, 2), Score: accuracy, Primary: "accuracy",
			OnStep: func(StepRecord) error { check("after a step", nil); weights = e.snapshot(); return nil },
			OnBest: func(EvalRecord) error { check("best model", normalised); return nil },
		})
		if r.Steps != 6 || seen[Evaluate] != 2 || seen[Doubled] < 6 {
			t.Errorf("%s: result %+v, forward %v", scope, r, seen)
		}
		if check("at the end", nil); !slices.Equal(weights, e.snapshot()) {
			t.Errorf("%s: evaluation changed the weights", scope)
		}
		e.fault = nil
		train(t, e, ToyExamples(48, 1), Options{Method: "r4f", R4FScope: scope, MaxSteps: 1, OnBest: func(EvalRecord) error {
			check("final model", normalised)
			return nil
		}})
		check("after the final model", nil)
	}
}

// Gradients with respect to the weights, through the division by σ₁, equal differences of the loss.
func TestR4FGradient(t *testing.T) {
	const seed, h = 21, 1e-2
	r := rand.New(rand.NewPCG(seed, 0))
	examples := ToyExamples(10, seed)
	for _, scope := range []Scope{WholeHead, OutputOnly} {
		e := NewToy(3, 0)
		b := &Batch{Variant: Doubled}
		b.fill(pointers(examples), 0)
		b.Noise = make([]float32, b.Size*b.Tokens*8)
		for i := range b.Noise {
			b.Noise[i] = float32(0.3 * r.NormFloat64())
		}
		var labels []int
		for _, x := range examples {
			labels = append(labels, x.Label)
		}
		value := func() float64 {
			result, _, err := Gradients(t.Context(), e, b, labels, nil, Options{Method: "r4f", R4FScope: scope})
			if err != nil {
				t.Fatal(err)
			}
			return result.Loss
		}
		for _, name := range []string{"classifier.weight", "classifier.bias", "pooler.weight", "pooler.bias"} {
			value()
			d := e.tensors[name]
			gradient := slices.Clone(d[Gradient])
			for i := range gradient {
				was := d[Value][i]
				d[Value][i] = was + h
				up := value()
				d[Value][i] = was - h
				numeric := (up - value()) / (2 * h)
				d[Value][i] = was
				if math.Abs(float64(gradient[i])-numeric) > 2e-4 {
					t.Errorf("seed %d, %s: ∂L/∂%s[%d] is %v, by differences %v", seed, scope, name, i, gradient[i], numeric)
				}
			}
		}
	}
}

func TestR4FWithoutHead(t *testing.T) {
	e := NewToy(3, 0)
	e.spec.Head = []string{"dense.weight", "out_proj.weight"}
	for _, scope := range []Scope{WholeHead, OutputOnly} {
		_, err := Train(t.Context(), e, sequence(ToyExamples(9, 1)), Options{Method: "r4f", R4FScope: scope})
		if err == nil || !mentions(err, "R4F", "out_proj.weight") {
			t.Errorf("%s: error %v", scope, err)
		}
	}
	e = NewToy(3, 0)
	clear(e.tensors["classifier.weight"][Value])
	if _, err := Train(t.Context(), e, sequence(ToyExamples(9, 1)), Options{Method: "r4f"}); err == nil || !mentions(err, "classifier.weight") {
		t.Errorf("a head of zeros: error %v", err)
	}
}
