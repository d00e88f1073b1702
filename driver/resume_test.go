package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everything is options that leave no random draw and no counter out: 21 steps, checkpoints at 4, 7, 8, 12, 14, …
func everything(noise Noise) Options {
	return Options{
		Method: "r4f", Noise: noise, Epsilon: 0.01, BatchSize: 8, Accumulate: 2, MicroTokens: 150, LearningRate: 0.01, Clip: 1, Seed: 9,
		Epochs: 3, EvalEvery: 3, CheckpointEvery: 4, Keep: 2, Dev: ToyExamples(30, 2), Score: accuracy, Primary: "accuracy",
	}
}

const everythingSteps = 21

// outcome is what a run leaves, less the clock.
type outcome struct {
	files   map[string]string // of the last checkpoint
	metrics string
	best    map[string]float64
	at      int
}

// resumed continues, or begins, a run in dir with a new engine.
func resumed(t *testing.T, dir string, mode Mode, o Options) (*Toy, *Result) {
	t.Helper()
	e := NewToy(3, 0.2)
	o.Run, o.Resume = openRun(t, dir, mode, nil), mode == Resume
	defer o.Run.Close()
	return e, train(t, e, ToyExamples(100, 1), o)
}

// outcomeOf reads what a run left.
func outcomeOf(t *testing.T, r *Result, dir string) outcome {
	t.Helper()
	o := outcome{files: map[string]string{}, best: r.Best, at: r.BestStep}
	last := filepath.Join(dir, checkpointsDir, fmt.Sprint(stepPrefix, everythingSteps))
	for _, name := range []string{weightsFile, momentsFile} {
		o.files[name] = read(t, filepath.Join(last, name))
	}
	s, err := parseState([]byte(read(t, filepath.Join(last, stateFile))))
	if err != nil {
		t.Fatal(err)
	}
	s.Journal = mark{} // metrics.jsonl holds times
	o.files[stateFile] = fmt.Sprintf("%+v", s)
	for line := range strings.Lines(read(t, filepath.Join(dir, metricsFile))) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("metrics line %q: %v", line, err)
		}
		delete(fields, "seconds")
		delete(fields, "examples_per_second")
		o.metrics += fmt.Sprintln(fields)
	}
	return o
}

// compare fails where an outcome is not that of the uninterrupted run, to the byte.
func (o outcome) compare(t *testing.T, what string, want outcome) {
	t.Helper()
	for name, content := range want.files {
		if o.files[name] != content {
			t.Errorf("%s: %s differs", what, name)
		}
	}
	if len(o.files) != 3 || o.metrics != want.metrics {
		t.Errorf("%s: %d files; metrics\n%swant\n%s", what, len(o.files), o.metrics, want.metrics)
	}
	if fmt.Sprint(o.best) != fmt.Sprint(want.best) || o.at != want.at || o.at == 0 {
		t.Errorf("%s: best is %v at %d, want %v at %d", what, o.best, o.at, want.best, want.at)
	}
}

// A run interrupted after any step, however often, ends with the bytes of one that was not.
func TestResumeAfterInterruption(t *testing.T) {
	for _, noise := range []Noise{Uniform, Normal} {
		dir := t.TempDir()
		_, r := resumed(t, dir, Create, everything(noise))
		want := outcomeOf(t, r, dir)
		for _, stops := range [][]int{{1}, {7}, {8}, {20}, {everythingSteps}, {2, 3, 4, 12, 15}} {
			dir := t.TempDir()
			mode, done := Create, 0
			for _, stop := range stops {
				ctx, cancel := context.WithCancel(t.Context())
				o := everything(noise)
				o.OnStep = func(r StepRecord) error {
					if r.Step == stop {
						cancel()
					}
					return nil
				}
				o.Run, o.Resume = openRun(t, dir, mode, nil), mode == Resume
				e := NewToy(3, 0.2)
				r, err := Train(ctx, e, sequence(ToyExamples(100, 1)), o)
				o.Run.Close()
				if err != nil || !r.Interrupted || r.Steps != stop || len(e.updates) != stop-done {
					t.Fatalf("%s, stops %v: result %+v, %d updates, error %v", noise, stops, r, len(e.updates), err)
				}
				mode, done = Resume, stop
			}
			_, r := resumed(t, dir, Resume, everything(noise))
			outcomeOf(t, r, dir).compare(t, fmt.Sprintf("%s noise, stopped at %v", noise, stops), want)
		}
	}
}

// reads counts how often an engine's tensors are read.
type reads struct {
	*Toy
	n int
}

func (r *reads) Read(kind Kind, name string, dst []float32) error {
	r.n++
	return r.Toy.Read(kind, name, dst)
}

// An interruption right after a checkpoint does not write it again.
func TestNoSecondCheckpointOfAStep(t *testing.T) {
	for _, stop := range []int{4, 5} {
		ctx, cancel := context.WithCancel(t.Context())
		e := &reads{Toy: NewToy(3, 0)}
		r, err := Train(ctx, e, sequence(ToyExamples(64, 1)), Options{
			BatchSize: 16, Run: openRun(t, t.TempDir(), Create, nil), Keep: 9,
			OnStep: func(r StepRecord) error {
				if r.Step == stop {
					cancel()
				}
				return nil
			},
		})
		if want := 15 * (1 + stop - 4); err != nil || r.Steps != stop || e.n != want {
			t.Errorf("stopped at %d: %d tensors read, want %d; %v", stop, e.n, want, err)
		}
	}
}

// scores is a Score that yields given values.
func scores(values ...float64) func([]float32, int, []Example) (map[string]float64, error) {
	i := 0
	return func([]float32, int, []Example) (map[string]float64, error) {
		i++
		return map[string]float64{"accuracy": values[i-1]}, nil
	}
}

// A resumed run knows the best model of before: no worse one replaces it, a better one does.
func TestResumeKnowsTheBest(t *testing.T) {
	for _, c := range []struct {
		later    []float64
		best     float64
		bestStep int
		called   []int
	}{{[]float64{0.8, 0.9}, 0.9, 3, nil}, {[]float64{0.8, 0.95}, 0.95, 9, []int{9}}, {[]float64{0.91, 0.95}, 0.95, 9, []int{6, 9}}} {
		dir := t.TempDir()
		o := Options{BatchSize: 16, EvalEvery: 3, CheckpointEvery: 1, MaxSteps: 9, Dev: ToyExamples(9, 2), Primary: "accuracy"}
		first := o
		first.OnStep = stopAt(5)
		first.Score = scores(0.9)
		first.Run = openRun(t, dir, Create, nil)
		if _, err := Train(t.Context(), NewToy(3, 0), sequence(ToyExamples(480, 1)), first); !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		first.Run.Close()
		var called []int
		o.Score = scores(c.later...)
		o.Run, o.Resume = openRun(t, dir, Resume, nil), true
		o.OnBest = func(r EvalRecord) error { called = append(called, r.Step); return nil }
		r := train(t, NewToy(3, 0), ToyExamples(480, 1), o)
		if !slices.Equal(called, c.called) || r.BestStep != c.bestStep || r.Best["accuracy"] != c.best || r.Metrics["accuracy"] != c.later[1] {
			t.Errorf("then %v: OnBest at %v, result %+v", c.later, called, r)
		}
		// The run is complete: resuming it trains nothing and reports the same.
		o.OnStep = func(r StepRecord) error { return fmt.Errorf("trained step %d", r.Step) }
		again := train(t, NewToy(3, 0), ToyExamples(480, 1), o)
		if again.Steps != 9 || again.BestStep != c.bestStep || again.Best["accuracy"] != c.best || again.Metrics["accuracy"] != c.later[1] {
			t.Errorf("resuming a complete run: %+v", again)
		}
	}
}

// An evaluation that an interruption cut short is made up for, once, and counts.
func TestInterruptedEvaluationIsMadeUpFor(t *testing.T) {
	dir := t.TempDir()
	o := Options{BatchSize: 16, Epochs: 2, Dev: ToyExamples(9, 2), Score: accuracy, Primary: "accuracy"}
	first := o
	ctx, cancel := context.WithCancel(t.Context())
	first.Run = openRun(t, dir, Create, nil)
	e := NewToy(3, 0)
	e.fault = func(_ *Toy, b *Batch, _ []float32) error {
		if b.Variant == Evaluate {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	r, err := Train(ctx, e, sequence(ToyExamples(64, 1)), first)
	if err != nil || r.Steps != 4 || !r.Interrupted || r.Metrics != nil {
		t.Fatalf("result %+v, error %v", r, err)
	}
	first.Run.Close()
	// It is not lost where the resumed run is interrupted in it again, or in exporting the best model.
	exporting, giveUp := context.WithCancel(t.Context())
	o.Resume = true
	export := o
	export.Run = openRun(t, dir, Resume, nil)
	export.OnBest = func(EvalRecord) error { giveUp(); return exporting.Err() }
	if r, err = Train(exporting, NewToy(3, 0), sequence(ToyExamples(64, 1)), export); err != nil || r.Steps != 4 || !r.Interrupted || r.BestStep != 0 {
		t.Fatalf("result %+v, error %v", r, err)
	}
	export.Run.Close()
	again := o
	again.Run = openRun(t, dir, Resume, nil)
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if r, err = Train(cancelled, NewToy(3, 0), sequence(ToyExamples(64, 1)), again); err != nil || r.Steps != 4 || !r.Interrupted {
		t.Fatalf("result %+v, error %v", r, err)
	}
	again.Run.Close()
	for made := range 2 { // the evaluation that was made up for is in the checkpoint that follows it
		var at []int
		o.Run = openRun(t, dir, Resume, nil)
		o.OnEval = func(r EvalRecord) error { at = append(at, r.Step); return nil }
		o.OnStep = stopAt(5)
		if r, err = Train(t.Context(), NewToy(3, 0), sequence(ToyExamples(64, 1)), o); !errors.Is(err, errStop) || len(at) != 1-made || r.BestStep != 4 {
			t.Fatalf("evaluated at %v, result %+v, error %v", at, r, err)
		}
		o.Run.Close()
	}
	again.Run = openRun(t, dir, Resume, nil)
	train(t, NewToy(3, 0), ToyExamples(64, 1), again)
	if got := strings.Count(read(t, filepath.Join(dir, metricsFile)), `"split":"dev"`); got != 2 {
		t.Errorf("%d evaluations in %s, want 2:\n%s", got, metricsFile, read(t, filepath.Join(dir, metricsFile)))
	}
}

func TestResumeWithAnotherSeed(t *testing.T) {
	dir := t.TempDir()
	o := Options{MaxSteps: 2, Seed: 1}
	o.Run = openRun(t, dir, Create, nil)
	train(t, NewToy(3, 0), ToyExamples(40, 1), o)
	o.Seed, o.Resume = 2, true
	if _, err := Train(t.Context(), NewToy(3, 0), sequence(ToyExamples(40, 1)), o); !errors.Is(err, ErrRun) || !mentions(err, "permutation_seed was 1 and is now 2", "--resume-force") {
		t.Errorf("error %v", err)
	}
}

// Restore reads the newest checkpoint, with R4F's head as a graph must have it.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	o := Options{Method: "r4f", MaxSteps: 3}
	o.Run = openRun(t, dir, Create, nil)
	trained := NewToy(3, 0)
	train(t, trained, ToyExamples(40, 1), o)
	e := NewToy(3, 0)
	step, err := Restore(e, dir, o)
	if err != nil || step != 3 {
		t.Fatalf("step %d, error %v", step, err)
	}
	if s := sigma(t, e, "pooler.weight"); s < 1-1e-6 || s > 1+1e-6 {
		t.Errorf("σ₁ is %v", s)
	}
	if !slices.Equal(e.tensors["embeddings.weight"][Value], trained.tensors["embeddings.weight"][Value]) {
		t.Error("the embeddings are not those of the run")
	}
	empty := t.TempDir()
	openRun(t, empty, Create, nil)
	if _, err := Restore(e, empty, o); !errors.Is(err, ErrRun) {
		t.Errorf("no checkpoint: error %v", err)
	}
	if _, err := Restore(e, filepath.Join(empty, "none"), o); err == nil {
		t.Error("no directory: no error")
	}
	if _, err := Restore(e, dir, Options{Method: "none"}); err == nil {
		t.Error("an unknown method: no error")
	}
	e.spec.Head = []string{"other"}
	if _, err := Restore(e, dir, o); err == nil {
		t.Error("a model without a head: no error")
	}
}
