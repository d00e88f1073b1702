package stock_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
)

// fineTune trains the tiny BERT for 16 steps of two micro-batches or more. It returns weights and moments by name.
func fineTune(t *testing.T, o driver.Options) (map[string][]float32, *driver.Result, error) {
	t.Helper()
	e := newEngine(t, tiny(t), stock.Options{Threads: 2, Dropout: 0.1})
	o.BatchSize, o.MicroTokens, o.LearningRate, o.Epochs = 16, 256, 3e-3, 2
	r, err := driver.Train(t.Context(), e, all(sentences(120, 1)), o)
	out := tensors(t, e, driver.Value)
	for name, m := range tensors(t, e, driver.FirstMoment) {
		out["m."+name] = m
	}
	for name, v := range tensors(t, e, driver.SecondMoment) {
		out["v."+name] = v
	}
	return out, r, err
}

// The same seed gives the same bytes, dropout, noise and two threads notwithstanding; another seed does not.
func TestSameSeedSameBytes(t *testing.T) {
	for _, o := range []driver.Options{{Method: "r3f", Noise: driver.Normal}, {Method: "r4f", DropoutMasks: driver.Shared, Clip: 0.5}} {
		o.Seed = 7
		first, r, err1 := fineTune(t, o)
		second, s, err2 := fineTune(t, o)
		o.Seed = 8
		other, _, err3 := fineTune(t, o)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for name := range first {
			if !slices.Equal(first[name], second[name]) {
				t.Errorf("%s: %s differs between two runs of one seed", o.Method, name)
			}
		}
		if a, b := r.Last, s.Last; a.Loss != b.Loss || a.R3F != b.R3F || a.GradientNorm != b.GradientNorm || a.R3F <= 0 || a.Step != 16 {
			t.Errorf("%s: the last records are %+v and %+v", o.Method, a, b)
		}
		if maps.EqualFunc(first, other, slices.Equal) {
			t.Errorf("%s: another seed gives the same bytes", o.Method)
		}
		if p := r.Profile; p.Forward <= 0 || p.Backward <= 0 || p.Engine <= 0 {
			t.Errorf("%s: profile %+v", o.Method, p)
		}
	}
}

// A run stopped within an epoch resumes from its last checkpoint to the same bytes.
func TestResume(t *testing.T) {
	o := driver.Options{Seed: 3, CheckpointEvery: 3}
	want, _, err := fineTune(t, o)
	if err != nil {
		t.Fatal(err)
	}
	dir, errStop := t.TempDir(), errors.New("stop")
	open := func(mode driver.Mode) *driver.Run {
		r, err := driver.OpenRun(dir, mode, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	o.Run = open(driver.Create)
	o.OnStep = func(r driver.StepRecord) error {
		if r.Step == 14 {
			return errStop
		}
		return nil
	}
	if _, _, err := fineTune(t, o); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	o.Run.Close()
	o.Run, o.Resume = open(driver.Resume), true
	from := 0
	o.OnStart = func(p driver.Plan) error { from = p.FirstStep; return nil }
	o.OnStep = nil
	got, _, err := fineTune(t, o)
	if err != nil || from != 12 {
		t.Fatalf("resumed from step %d, want 12: %v", from, err)
	}
	for name := range want {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s differs from that of the uninterrupted run", name)
		}
	}
}

// Evaluation and training of one engine agree: a learnt model scores its own training examples well.
func TestLearns(t *testing.T) {
	e := newEngine(t, tiny(t), stock.Options{Dropout: 0.1})
	examples := sentences(240, 1)
	var first driver.StepRecord
	r, err := driver.Train(t.Context(), e, all(examples), driver.Options{DropoutMasks: driver.Shared, LearningRate: 3e-3, Epochs: 8, OnStep: func(r driver.StepRecord) error {
		if r.Step == 1 {
			first = r
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	logits, err := driver.Predict(t.Context(), e, examples)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, x := range examples {
		if row := logits[3*i : 3*i+3]; row[x.Label] == slices.Max(row) {
			right++
		}
	}
	if r.Last.TaskLoss > 0.5*first.TaskLoss || right < 190 {
		t.Errorf("the loss went from %.3f to %.3f; %d of 240 examples are right", first.TaskLoss, r.Last.TaskLoss, right)
	}
}
