package driver

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// poisoned is an engine in which, in some steps, something is not finite: the logits of one micro-batch, or the
// gradient of one parameter.
type poisoned struct {
	*Toy
	logits, gradient []int // steps
	step             int
}

func (p *poisoned) ZeroGradients() error {
	p.step++
	return p.Toy.ZeroGradients()
}

func (p *poisoned) Forward(ctx context.Context, b *Batch) ([]float32, error) {
	logits, err := p.Toy.Forward(ctx, b)
	if slices.Contains(p.logits, p.step) && b.Variant != Evaluate {
		logits[0] = float32(math.NaN())
	}
	return logits, err
}

func (p *poisoned) Backward(ctx context.Context, dlogits []float32) error {
	err := p.Toy.Backward(ctx, dlogits)
	if slices.Contains(p.gradient, p.step) {
		p.tensors["pooler.bias"][Gradient][3] = float32(math.Inf(1))
	}
	return err
}

// An update that is skipped leaves every parameter and moment as it is, is counted, and does not count for the moments'
// bias correction; what follows is as if it had not been there, but for the schedule.
func TestSkipNonFinite(t *testing.T) {
	for _, method := range []string{"r3f", "r4f"} {
		dir := t.TempDir()
		e := &poisoned{Toy: NewToy(3, 0.1), logits: []int{1, 5}, gradient: []int{3, 4}}
		var before []float32
		var skipped []int
		notes := 0
		o := Options{
			Method: method, NonFinite: SkipUpdate, BatchSize: 8, MicroTokens: 100, MaxSteps: 8, CheckpointEvery: 5, Keep: 9, Run: openRun(t, dir, Create, nil),
			OnStart: func(Plan) error { before = e.snapshot(); return nil },
			OnNote:  func(string) { notes++ },
			OnStep: func(r StepRecord) error {
				now := e.snapshot()
				if same := slices.Equal(now, before); same != (r.Skipped != "") {
					t.Errorf("%s, step %d: skipped %q, nothing changed: %v", method, r.Step, r.Skipped, same)
				}
				if before = now; r.Skipped != "" {
					skipped = append(skipped, r.Step)
				}
				return nil
			},
		}
		r, err := Train(t.Context(), e, sequence(ToyExamples(100, 1)), o)
		if err != nil || !slices.Equal(skipped, []int{1, 3, 4, 5}) || r.NonFinite != 4 || notes != 4 {
			t.Errorf("%s: skipped %v, %d notes, result %+v, error %v", method, skipped, notes, r, err)
		}
		for i, u := range e.updates {
			if u.Step != i+1 {
				t.Errorf("%s: update %d is number %d", method, i+1, u.Step)
			}
		}
		if s, _, err := load(dir, NewToy(3, 0.1)); err != nil || s.Totals.Skipped != 4 || s.Step != 8 {
			t.Errorf("%s: state %+v, %v", method, s, err)
		}
		lines := strings.Split(read(t, filepath.Join(dir, metricsFile)), "\n")
		var third StepRecord
		if err := json.Unmarshal([]byte(lines[2]), &third); err != nil || !strings.Contains(third.Skipped, "pooler.bias") || third.Step != 3 || third.GradientNorm != 0 {
			t.Errorf("%s: line %q, %v", method, lines[2], err)
		}
		// Resumed after step 5, it goes on counting from there.
		if err := errors.Join(o.Run.Close(), os.RemoveAll(filepath.Join(dir, checkpointsDir, "step-8"))); err != nil {
			t.Fatal(err)
		}
		again := &poisoned{Toy: NewToy(3, 0.1)}
		o.Run, o.Resume, o.OnStart, o.OnStep = openRun(t, dir, Resume, nil), true, nil, nil
		r, err = Train(t.Context(), again, sequence(ToyExamples(100, 1)), o)
		if err != nil || r.NonFinite != 4 || again.updates[0].Step != 2 || !slices.Equal(again.snapshot(), before) {
			t.Errorf("%s: resumed: %+v, updates %+v, %v", method, r, again.updates, err)
		}
	}
}

// Divergence stops with the step, the examples and the tensor.
func TestDivergedTensor(t *testing.T) {
	for want, e := range map[string]*poisoned{"logits": {Toy: NewToy(3, 0), logits: []int{2}}, "pooler.bias": {Toy: NewToy(3, 0), gradient: []int{2}}} {
		before := []float32(nil)
		r, err := Train(t.Context(), e, sequence(ToyExamples(100, 1)), Options{BatchSize: 8, OnStep: func(StepRecord) error { before = e.snapshot(); return nil }})
		bad, ok := errors.AsType[*DivergedError](err)
		if !ok || bad.Tensor != want || bad.Step != 2 || len(bad.Examples) != map[string]int{"logits": 1, "pooler.bias": 8}[want] || r.Steps != 1 || !mentions(err, "step 2", "toy:") {
			t.Errorf("%s: result %+v, error %v", want, r, err)
		}
		if !slices.Equal(before, e.snapshot()) {
			t.Errorf("%s: the update was made", want)
		}
	}
}
