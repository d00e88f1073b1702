package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// ToyStepper is a Toy whose graph holds the loss, as ONNX Runtime's training API has it: gradients and moments stay
// inside, the moments in files of its own.
type ToyStepper struct {
	*Toy
	method string
	wrong  float64 // added to the loss
	seeds  []uint64
}

func (t *ToyStepper) Spec() Spec {
	s := t.Toy.Spec()
	s.OwnMoments = true
	return s
}

func (t *ToyStepper) AdamW() optim.AdamW {
	return optim.AdamW{Beta1: 0.8, Beta2: 0.95, Eps: 1e-5, WeightDecay: 0.1}
}

func (t *ToyStepper) TrainStep(ctx context.Context, b *Batch, g Goal) ([]float32, float64, error) {
	t.seeds = append(t.seeds, g.Seed)
	method, err := loss.MethodByName(t.method)
	if err != nil {
		return nil, 0, err
	}
	logits, err := t.Forward(ctx, b)
	if err != nil {
		return nil, 0, err
	}
	d := make([]float32, len(logits))
	whole := int(math.Round(float64(b.Size) / g.Share))
	r, err := loss.Objective{Method: method, Lambda: g.Lambda}.Evaluate(logits, t.spec.Classes, g.Labels, g.Targets, whole, d)
	if err != nil {
		return nil, 0, err
	}
	return logits, r.Loss + t.wrong, t.Toy.Backward(ctx, d)
}

func (t *ToyStepper) Backward(context.Context, []float32) error { return errors.ErrUnsupported }
func (t *ToyStepper) GradientNorm() (float64, error)            { return 0, errors.ErrUnsupported }

func (t *ToyStepper) Read(kind Kind, name string, dst []float32) error {
	if kind != Value {
		return errors.ErrUnsupported
	}
	return t.Toy.Read(kind, name, dst)
}

func (t *ToyStepper) Write(kind Kind, name string, src []float32) error {
	if kind != Value {
		return errors.ErrUnsupported
	}
	return t.Toy.Write(kind, name, src)
}

func (t *ToyStepper) SaveState(dir string) error {
	data, err := json.Marshal(t.tensors)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "moments"), data, 0o644))
}

func (t *ToyStepper) LoadState(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "moments"))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &t.tensors)
}

func stepperOptions() Options {
	return Options{Method: "r3f", Epsilon: 0.1, BatchSize: 8, Accumulate: 2, MicroTokens: 150, LearningRate: 0.01, Seed: 9,
		Epochs: 3, CheckpointEvery: 4, Keep: 2}
}

// An engine that takes whole steps trains as one whose gradients the driver computes, to the bit.
func TestStepperTrainsLikeAnEngine(t *testing.T) {
	for _, method := range []string{"r3f", "standard", "rdrop"} {
		o := stepperOptions()
		o.Method = method
		whole := &ToyStepper{Toy: NewToy(3, 0.2), method: method}
		got := train(t, whole, ToyExamples(100, 1), o)
		plain := NewToy(3, 0.2)
		o.AdamW = whole.AdamW()
		want := train(t, plain, ToyExamples(100, 1), o)
		for name, tensors := range plain.tensors {
			if fmt.Sprint(whole.tensors[name][Value]) != fmt.Sprint(tensors[Value]) {
				t.Errorf("%s: %s differs", method, name)
			}
		}
		if got.Last.Loss != want.Last.Loss || math.Abs(got.Last.GraphLoss-want.Last.Loss) > 1e-9 || got.Last.GradientNorm != 0 {
			t.Errorf("%s: the last step was %+v, want the loss of %+v", method, got.Last, want.Last)
		}
		distinct := map[uint64]bool{}
		for _, s := range whole.seeds {
			distinct[s] = true
		}
		if len(distinct) != len(whole.seeds) || len(distinct) < got.Steps {
			t.Errorf("%s: %d different seeds in %d micro-batches", method, len(distinct), len(whole.seeds))
		}
	}
}

// A run of a Stepper resumes from its own files to the same bits.
func TestStepperResumes(t *testing.T) {
	run := func(dir string, mode Mode, steps int) *ToyStepper {
		e := &ToyStepper{Toy: NewToy(3, 0.2), method: "r3f"}
		o := stepperOptions()
		o.Run, o.Resume = openRun(t, dir, mode, nil), mode == Resume
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o.OnStep = func(r StepRecord) error {
			if r.Step == steps {
				cancel()
			}
			return nil
		}
		_, err := Train(ctx, e, sequence(ToyExamples(100, 1)), o)
		if err := errors.Join(err, o.Run.Close()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	whole := run(t.TempDir(), Create, 0)
	dir := t.TempDir()
	run(dir, Create, 5)
	resumed := run(dir, Resume, 0)
	for name, tensors := range whole.tensors {
		if fmt.Sprint(resumed.tensors[name][Value]) != fmt.Sprint(tensors[Value]) {
			t.Errorf("%s differs after a resume", name)
		}
	}
	// A byte of the engine's own files is checked as any other.
	file := filepath.Join(dir, checkpointsDir, "step-21", engineFiles, "moments")
	data := []byte(read(t, file))
	data[len(data)/2] ^= 1
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	o := stepperOptions()
	o.Run, o.Resume = openRun(t, dir, Resume, nil), true
	r, err := Train(context.Background(), &ToyStepper{Toy: NewToy(3, 0.2), method: "r3f"}, sequence(ToyExamples(100, 1)), o)
	if err = errors.Join(err, o.Run.Close()); err != nil || len(r.Skipped) != 1 {
		t.Errorf("a damaged file of the engine: %v, skipped %v", err, r)
	}
}

// A graph that computes something else is found out at the first step.
func TestStepperWithAnotherLoss(t *testing.T) {
	o := stepperOptions()
	for _, e := range []*ToyStepper{{Toy: NewToy(3, 0), method: "r3f", wrong: 0.01}, {Toy: NewToy(3, 0), method: "rdrop"}, {Toy: NewToy(3, 0), method: "r3f", wrong: math.NaN()}} {
		_, err := Train(context.Background(), e, sequence(ToyExamples(20, 1)), o)
		var wrong *LossError
		if !errors.Is(err, ErrLoss) || !errors.As(err, &wrong) || wrong.Method != "r3f" || !strings.Contains(err.Error(), "step 1") {
			t.Errorf("%s %+g: %v", e.method, e.wrong, err)
		}
	}
	if _, err := Train(context.Background(), &ToyStepper{Toy: NewToy(3, 0), method: "r3f", wrong: 1e-6}, sequence(ToyExamples(20, 1)), o); err != nil {
		t.Errorf("rounding: %v", err)
	}
}

// What a Stepper cannot do is refused by name, before the first step.
func TestStepperRefusesOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"method":        func(o *Options) { o.Method = "r4f" },
		"clip":          func(o *Options) { o.Clip = 1 },
		"stop-gradient": func(o *Options) { o.StopGradient = true },
		"adamw":         func(o *Options) { o.AdamW = optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6} },
	} {
		o := stepperOptions()
		change(&o)
		e := &ToyStepper{Toy: NewToy(3, 0.2), method: "r3f"}
		_, err := Train(context.Background(), e, sequence(ToyExamples(20, 1)), o)
		var bad *OptionError
		if !errors.As(err, &bad) || bad.Option != name || len(e.updates) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With equal batches an update is cut by the batch size alone, and every batch weighs the same.
func TestEqualBatches(t *testing.T) {
	o, err := stepperOptions().withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	examples := make([]*Example, 19)
	for i := range examples {
		examples[i] = &Example{InputIDs: make([]int64, 30)}
	}
	var sizes []int
	for _, b := range o.cut(examples, Spec{EqualBatches: true}, Doubled) {
		sizes = append(sizes, len(b))
	}
	if fmt.Sprint(sizes) != "[8 8 3]" {
		t.Errorf("cut into %v", sizes)
	}
}
