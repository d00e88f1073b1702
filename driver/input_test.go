package driver

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// mentions reports whether an error's text holds all words.
func mentions(err error, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return false
		}
	}
	return true
}

func TestOptionErrors(t *testing.T) {
	nan, negative := math.NaN(), -1.0
	for _, c := range []struct {
		option string
		o      Options
	}{
		{"method", Options{Method: "r5f"}},
		{"noise", Options{Noise: "pink"}},
		{"dropout-masks", Options{DropoutMasks: "both"}},
		{"r4f-scope", Options{R4FScope: "all"}},
		{"regression-term", Options{RegressionTerm: "huber"}},
		{"schedule", Options{Schedule: "step"}},
		{"epochs", Options{Epochs: -1}},
		{"max-steps", Options{MaxSteps: -1}},
		{"batch-size", Options{BatchSize: -4}},
		{"accumulate", Options{Accumulate: -1}},
		{"micro-tokens", Options{MicroTokens: -1}},
		{"eps", Options{Epsilon: -1e-5}},
		{"eps", Options{Epsilon: nan}},
		{"lambda", Options{Lambda: &negative}},
		{"lambda", Options{Lambda: &nan}},
		{"lr", Options{LearningRate: -1}},
		{"lr", Options{LearningRate: math.Inf(1)}},
		{"warmup", Options{Warmup: &negative}},
		{"warmup", Options{Warmup: &nan}},
		{"warmup", Options{Warmup: ptr(1.5)}},
		{"clip", Options{Clip: -1}},
		{"clip", Options{Clip: nan}},
		{"eval-every", Options{EvalEvery: -1}},
		{"checkpoint-every", Options{CheckpointEvery: -1}},
		{"keep", Options{Keep: -1}},
		{"adamw", Options{AdamW: optim.AdamW{Beta1: 1}}},
		{"primary", Options{Dev: ToyExamples(3, 1), Score: accuracy}},
	} {
		e := NewToy(3, 0)
		_, err := Train(t.Context(), e, sequence(ToyExamples(30, 1)), c.o)
		var bad *OptionError
		if !errors.As(err, &bad) || bad.Option != c.option || errors.Unwrap(bad) == nil || !mentions(err, "option "+c.option) {
			t.Errorf("%s: error %v", c.option, err)
		}
		if len(e.updates) > 0 {
			t.Errorf("%s: trained", c.option)
		}
		if err := c.o.Validate(); !errors.As(err, &bad) {
			t.Errorf("%s: Validate says %v", c.option, err)
		}
	}
	if err := (Options{}).Validate(); err != nil {
		t.Errorf("the zero Options: %v", err)
	}
	defaults, err := Options{}.withDefaults()
	if err != nil || defaults.Method != "r3f" || *defaults.Lambda != 1 || defaults.Epsilon != 1e-5 || *defaults.Warmup != 0.06 {
		t.Errorf("defaults %+v, %v", defaults, err)
	}
}

func TestInvalidExamples(t *testing.T) {
	good := Example{ID: "toy:1", InputIDs: []int64{1, 2}, TypeIDs: []int64{0, 1}}
	with := func(change func(*Example)) Example {
		x := good
		x.ID = "dev.tsv:17"
		change(&x)
		return x
	}
	for _, c := range []struct {
		name    string
		classes int
		x       Example
		words   []string
	}{
		{"no tokens", 3, with(func(x *Example) { x.InputIDs, x.TypeIDs = nil, nil }), []string{"no tokens"}},
		{"too long", 3, with(func(x *Example) { x.InputIDs, x.TypeIDs = make([]int64, 41), nil }), []string{"41", "40"}},
		{"types", 3, with(func(x *Example) { x.TypeIDs = []int64{0} }), []string{"1 type ids", "2 tokens"}},
		{"label above", 3, with(func(x *Example) { x.Label = 3 }), []string{"label 3", "3 classes"}},
		{"label below", 3, with(func(x *Example) { x.Label = -1 }), []string{"label -1"}},
		{"id above", 3, with(func(x *Example) { x.InputIDs = []int64{1, 50} }), []string{"50"}},
		{"id below", 3, with(func(x *Example) { x.InputIDs = []int64{1, -1} }), []string{"-1"}},
		{"target", 1, with(func(x *Example) { x.Target = math.NaN() }), []string{"NaN"}},
	} {
		_, err := Train(t.Context(), NewToy(c.classes, 0), sequence([]Example{good, c.x}), Options{})
		if err == nil || !mentions(err, append(c.words, "dev.tsv:17")...) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	if _, err := Train(t.Context(), NewToy(3, 0), sequence(nil), Options{}); err == nil || !mentions(err, "no training examples") {
		t.Errorf("an empty sequence: error %v", err)
	}
	// Nothing is known about the labels of examples to predict.
	unlabelled := []Example{{ID: "x", InputIDs: []int64{1}, Label: 99, Target: math.NaN()}}
	if logits, err := Predict(t.Context(), NewToy(3, 0), unlabelled); err != nil || len(logits) != 3 {
		t.Errorf("predicting without labels: %v, %v", logits, err)
	}
	unlabelled[0].InputIDs[0] = 50
	if _, err := Predict(t.Context(), NewToy(3, 0), unlabelled); err == nil {
		t.Error("predicting an id outside the vocabulary: no error")
	}
}

func TestSequenceErrorPassesThrough(t *testing.T) {
	broken := func(yield func(Example, error) bool) {
		_ = yield(Example{InputIDs: []int64{1}}, nil) && yield(Example{}, errStop)
	}
	if _, err := Train(t.Context(), NewToy(3, 0), iter.Seq2[Example, error](broken), Options{}); !errors.Is(err, errStop) {
		t.Errorf("error %v", err)
	}
}

// Predict returns logits in the order of the examples, whatever batches it makes, equal to one at a time.
func TestPredict(t *testing.T) {
	e := NewToy(3, 0.5)
	examples := ToyExamples(700, 3)
	got, err := Predict(t.Context(), e, examples)
	if err != nil {
		t.Fatal(err)
	}
	if e.forward < 2 || e.forward > 20 {
		t.Errorf("%d batches for 700 examples", e.forward)
	}
	for i := range examples {
		one, err := Predict(t.Context(), e, examples[i:i+1])
		if err != nil || !slices.Equal(one, got[3*i:3*i+3]) {
			t.Fatalf("example %d: %v alone, %v among others, %v", i, one, got[3*i:3*i+3], err)
		}
	}
	if none, err := Predict(t.Context(), e, nil); err != nil || len(none) != 0 {
		t.Errorf("no examples: %v, %v", none, err)
	}
	e.fault = func(*Toy, *Batch, []float32) error { return errStop }
	if _, err := Predict(t.Context(), e, examples); !errors.Is(err, errStop) {
		t.Errorf("error %v", err)
	}
}

// A number that is not finite stops the run before it reaches the weights, and says where it was.
func TestDivergence(t *testing.T) {
	infinite := func(name string) func(*Toy, *Batch, []float32) error {
		return func(e *Toy, _ *Batch, _ []float32) error {
			e.tensors[name][Gradient][0] = float32(math.Inf(1))
			return nil
		}
	}
	for _, c := range []struct {
		name, quantity string
		method         string
		fault          func(*Toy, *Batch, []float32) error
		examples       int
	}{
		{"logit", "logit", "r3f", func(_ *Toy, b *Batch, z []float32) error { z[len(z)-1] = float32(math.NaN()); return nil }, 1},
		{"logit of R4F", "logit", "r4f", func(_ *Toy, b *Batch, z []float32) error { z[0] = float32(math.Inf(1)); return nil }, 1},
		{"gradient", "gradient", "standard", infinite("classifier.bias"), 16},
		{"gradient of R4F", "gradient", "r4f", infinite("classifier.weight"), 16},
	} {
		run, err := OpenRun(t.TempDir(), Create, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := NewToy(3, 0.1)
		var before []float32
		o := Options{Method: c.method, BatchSize: 16, Run: run, CheckpointEvery: 2, FileOrder: true, OnStep: func(r StepRecord) error {
			if r.Step == 3 {
				e.fault, before = c.fault, e.snapshot()
			}
			return nil
		}}
		r, err := Train(t.Context(), e, sequence(ToyExamples(80, 1)), o)
		var diverged *DivergedError
		if !errors.As(err, &diverged) || !errors.Is(err, ErrDiverged) {
			t.Errorf("%s: error %v", c.name, err)
			continue
		}
		if diverged.Step != 4 || !strings.Contains(diverged.Quantity, c.quantity) || len(diverged.Examples) != c.examples || diverged.Checkpoint != run.checkpoint(2) {
			t.Errorf("%s: %+v", c.name, diverged)
		}
		if !mentions(err, "step 4", "toy:", run.checkpoint(2)) || r.Steps != 3 || !slices.Equal(e.snapshot(), before) {
			t.Errorf("%s: error %v; result %+v, weights untouched: %v", c.name, err, r, slices.Equal(e.snapshot(), before))
		}
		if c.method == "r3f" { // the last of the noised rows belongs to the last, shortest example of the batch
			batch := ToyExamples(80, 1)[48:64]
			shortest := slices.MinFunc(batch, func(a, b Example) int { return len(a.InputIDs) - len(b.InputIDs) })
			got := batch[slices.IndexFunc(batch, func(x Example) bool { return x.ID == diverged.Examples[0] })]
			if len(got.InputIDs) != len(shortest.InputIDs) {
				t.Errorf("%s: example %s is blamed, it should be one as short as %s", c.name, got.ID, shortest.ID)
			}
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}
	e := NewToy(3, 0)
	e.fault = func(_ *Toy, _ *Batch, z []float32) error { z[0] = float32(math.NaN()); return nil }
	if _, err := Train(t.Context(), e, sequence(ToyExamples(9, 1)), Options{}); !errors.Is(err, ErrDiverged) || !mentions(err, "no checkpoint") {
		t.Errorf("without a run directory: %v", err)
	}
	e = NewToy(1, 0) // both logits are finite, the square of their difference times λ is not
	e.fault = func(_ *Toy, b *Batch, z []float32) error {
		z[0], z[b.Size] = math.MaxFloat32, -math.MaxFloat32
		return nil
	}
	o := Options{RegressionTerm: loss.TermMSE, Lambda: ptr(9e11), Method: "rdrop"}
	if _, err := Train(t.Context(), e, sequence(ToyExamples(9, 1)), o); !errors.Is(err, ErrDiverged) {
		t.Errorf("an overflowing gradient: %v", err)
	}
}

// Gradients is a step's gradients: those of Train before its update.
func TestGradients(t *testing.T) {
	examples := ToyExamples(12, 1)
	for _, method := range []string{"standard", "rdrop", "r4f"} {
		e, o := NewToy(3, 0), Options{Method: method, BatchSize: 12, FileOrder: true, MaxSteps: 1, Epsilon: 1e-12, Warmup: ptr(0.0)}
		var record StepRecord
		o.OnStep = func(r StepRecord) error { record = r; return nil }
		train(t, e, examples, o)
		f := NewToy(3, 0)
		b := &Batch{Variant: Clean}
		if method != "standard" {
			b.Variant = Doubled
		}
		sorted := microBatches(pointers(examples), 1<<20)[0]
		b.fill(sorted, 0)
		b.Noise = make([]float32, b.Size*b.Tokens*8)
		var labels []int
		for _, x := range sorted {
			labels = append(labels, x.Label)
		}
		before := f.snapshot()
		result, logits, err := Gradients(context.Background(), f, b, labels, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range e.spec.Parameters {
			near(t, method+": gradient of "+p.Name, f.tensors[p.Name][Gradient], e.tensors[p.Name][Gradient])
		}
		if math.Abs(result.Loss-record.Loss) > 1e-6 || len(logits) != toyRows(b.Variant, 12)*3 || !slices.Equal(f.snapshot(), before) {
			t.Errorf("%s: loss %v and %v, %d logits; weights untouched: %v", method, result.Loss, record.Loss, len(logits), slices.Equal(f.snapshot(), before))
		}
		f.fault = func(*Toy, *Batch, []float32) error { return errStop }
		if _, _, err := Gradients(t.Context(), f, b, labels, nil, o); !errors.Is(err, errStop) || !slices.Equal(f.snapshot(), before) {
			t.Errorf("%s: error %v; weights untouched: %v", method, err, slices.Equal(f.snapshot(), before))
		}
		f.fault = nil
		if _, _, err := Gradients(t.Context(), f, b, labels[1:], nil, o); err == nil {
			t.Errorf("%s: too few labels: no error", method)
		}
		if _, _, err := Gradients(t.Context(), f, b, labels, nil, Options{Method: "none"}); err == nil {
			t.Errorf("%s: an unknown method: no error", method)
		}
	}
}

// pointers returns the addresses of examples.
func pointers(examples []Example) []*Example {
	out := make([]*Example, len(examples))
	for i := range examples {
		out[i] = &examples[i]
	}
	return out
}
