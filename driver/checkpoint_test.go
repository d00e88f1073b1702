package driver

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// load reads the newest checkpoint of a run directory that verifies, whatever run wrote it.
func load(dir string, e Engine) (state, []error, error) {
	return (&Run{Dir: dir}).load(e, func(state) error { return nil })
}

// stopped is a run directory of everything, stopped after step 9, with the steps of its checkpoints and what the engine
// held at each.
func stopped(t *testing.T) (dir string, steps []int, snapshots map[int][]float32) {
	t.Helper()
	dir, snapshots = t.TempDir(), map[int][]float32{}
	o := everything(Uniform)
	o.Keep = 9
	o.Run = openRun(t, dir, Create, nil)
	defer o.Run.Close()
	e := NewToy(3, 0.2)
	o.OnStep = func(r StepRecord) error {
		snapshots[r.Step] = e.snapshot()
		return stopAt(9)(r)
	}
	if _, err := Train(t.Context(), e, sequence(ToyExamples(100, 1)), o); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	steps, err := o.Run.steps()
	if err != nil || len(steps) < 3 || steps[len(steps)-1] != 8 {
		t.Fatalf("checkpoints %v, %v", steps, err)
	}
	return dir, steps, snapshots
}

// What follows a skipped checkpoint replaces it: it is not taken for the newest when old ones are removed.
func TestSkippedCheckpointsAreRemoved(t *testing.T) {
	dir, steps, _ := stopped(t)
	for _, step := range steps[1:] {
		write(t, filepath.Join(dir, checkpointsDir, fmt.Sprint(stepPrefix, step), weightsFile), "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := everything(Uniform)
	o.Keep, o.EvalEvery = 1, 0
	var notes []string
	o.OnNote = func(n string) { notes = append(notes, n) }
	o.Run, o.Resume = openRun(t, dir, Resume, nil), true
	e := NewToy(3, 0.2)
	o.OnStep = func(r StepRecord) error {
		cancel()
		return nil
	}
	next := steps[0] + 1
	if r, err := Train(ctx, e, sequence(ToyExamples(100, 1)), o); err != nil || r.Steps != next || len(r.Skipped) != len(steps)-1 || !slices.Equal(notes, r.Skipped) {
		t.Fatalf("result %+v, error %v", r, err)
	}
	got, err := o.Run.steps()
	if err != nil || got[len(got)-1] != next || len(got) > 2 {
		t.Errorf("checkpoints %v are left, want one of step %d and perhaps the best; %v", got, next, err)
	}
	if s, skipped, err := load(dir, NewToy(3, 0.2)); err != nil || s.Step != next || skipped != nil {
		t.Errorf("step %d, skipped %v, error %v", s.Step, skipped, err)
	}
}

// The checkpoint of the best evaluation stays, whatever follows it.
func TestBestIsKept(t *testing.T) {
	r := openRun(t, t.TempDir(), Create, nil)
	result := train(t, NewToy(3, 0), ToyExamples(160, 1), Options{
		Run: r, BatchSize: 16, MaxSteps: 9, CheckpointEvery: 2, EvalEvery: 1, Dev: ToyExamples(9, 2), Primary: "accuracy",
		Score: scores(0.1, 0.3, 0.9, 0.2, 0.3, 0.1, 0.9, 0.2, 0.1),
	})
	if steps, err := r.steps(); result.BestStep != 3 || !slices.Equal(steps, []int{3, 9}) || err != nil {
		t.Errorf("the best is of step %d; checkpoints %v, %v", result.BestStep, steps, err)
	}
	if s, _, err := load(r.Dir, NewToy(3, 0)); err != nil || s.Step != 9 || s.BestStep != 3 || s.SinceBest != 6 || s.Totals.Examples != 9*16 {
		t.Errorf("state %+v, %v", s, err)
	}
}

// Checkpoints can be due by the clock.
func TestCheckpointInterval(t *testing.T) {
	for interval, want := range map[time.Duration]int{time.Nanosecond: 6, time.Hour: 1} {
		r := openRun(t, t.TempDir(), Create, nil)
		result := train(t, NewToy(3, 0), ToyExamples(160, 1), Options{Run: r, BatchSize: 16, MaxSteps: 6, CheckpointInterval: interval, Keep: 9})
		if steps, err := r.steps(); len(steps) != want || result.Checkpoints.Written != want || err != nil {
			t.Errorf("every %v: checkpoints %v, %+v, %v", interval, steps, result.Checkpoints, err)
		}
	}
}

func TestKeep(t *testing.T) {
	for keep, want := range map[int]string{0: "[step-6]", 1: "[step-6]", 2: "[step-4 step-6]", 9: "[step-2 step-4 step-6]"} {
		r := openRun(t, t.TempDir(), Create, nil)
		write(t, filepath.Join(r.Dir, checkpointsDir, "step-five"), "not a checkpoint: left alone")
		train(t, NewToy(3, 0), ToyExamples(40, 1), Options{Run: r, MaxSteps: 6, CheckpointEvery: 2, BatchSize: 4, Keep: keep})
		got := slices.DeleteFunc(names(t, filepath.Join(r.Dir, checkpointsDir)), func(n string) bool { return n == "step-five" })
		if fmt.Sprint(got) != want {
			t.Errorf("keeping %d: %v, want %s", keep, got, want)
		}
	}
}

// viewer is an engine that shows its tensors where they lie, and lets none be copied.
type viewer struct{ *Toy }

func (v viewer) View(kind Kind, name string) ([]float32, error) { return v.tensors[name][kind], nil }

func (v viewer) Read(Kind, string, []float32) error { return errStuck }

// A checkpoint is what its manifest says, and its tensors are those of the engine, viewed or copied.
func TestCheckpointFiles(t *testing.T) {
	r := openRun(t, t.TempDir(), Create, nil)
	trained := NewToy(3, 0)
	for _, e := range []Engine{trained, viewer{NewToy(3, 0)}} {
		if _, err := Train(t.Context(), e, sequence(ToyExamples(40, 1)), Options{Run: r, MaxSteps: 2}); err != nil {
			t.Fatal(err)
		}
		loaded := NewToy(3, 0)
		if s, _, err := load(r.Dir, loaded); err != nil || s.Step != 2 || !slices.Equal(loaded.snapshot(), trained.snapshot()) {
			t.Errorf("loading gives step %d, %v; the same tensors: %v", s.Step, err, slices.Equal(loaded.snapshot(), trained.snapshot()))
		}
	}
	dir := r.checkpoint(2)
	var m manifest
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, manifestName))), &m); err != nil || m.Format != checkpointFormat || len(m.Files) != 3 {
		t.Errorf("manifest %+v, error %v", m, err)
	}
	for name, f := range m.Files {
		data := []byte(read(t, filepath.Join(dir, name)))
		if f.Size != int64(len(data)) || f.SHA256 != fmt.Sprintf("%x", sha256.Sum256(data)) {
			t.Errorf("%s has %d bytes, the manifest says %+v", name, len(data), f)
		}
	}
	if got := names(t, dir); len(got) != 4 {
		t.Errorf("the checkpoint holds %v", got)
	}
}

// A checkpoint that cannot be written stops the run with what went wrong, and leaves the one before as it was.
func TestCheckpointCannotBeWritten(t *testing.T) {
	for name, c := range map[string]struct {
		obstruct func(e *broken, checkpoints string) error
		cause    error
	}{
		"an engine that cannot be read": {func(e *broken, _ string) error { e.fail = true; return nil }, errStuck},
		"a file for checkpoints": {func(_ *broken, checkpoints string) error {
			return errors.Join(os.Rename(checkpoints, checkpoints+".old"), os.WriteFile(checkpoints, nil, 0o644))
		}, nil},
		"no directory": {func(_ *broken, checkpoints string) error { return os.Rename(checkpoints, checkpoints+".old") }, os.ErrNotExist},
		"a read-only directory": {func(_ *broken, checkpoints string) error {
			t.Cleanup(func() { os.Chmod(checkpoints, 0o755) })
			return os.Chmod(checkpoints, 0o555)
		}, os.ErrPermission},
	} {
		if name == "a read-only directory" && os.Geteuid() == 0 {
			t.Log("root may write everywhere: a read-only directory is not tested")
			continue
		}
		dir := t.TempDir()
		checkpoints := filepath.Join(dir, checkpointsDir)
		e := &broken{Toy: NewToy(3, 0)}
		r, err := Train(t.Context(), e, sequence(ToyExamples(40, 1)), Options{
			Run: openRun(t, dir, Create, nil), CheckpointEvery: 2, MaxSteps: 8, BatchSize: 4,
			OnStep: func(r StepRecord) error {
				if r.Step != 4 {
					return nil
				}
				for { // until the checkpoint of step 2 is written, in the background
					if _, err := os.Stat(filepath.Join(checkpoints, "step-2")); err == nil {
						return c.obstruct(e, checkpoints)
					}
				}
			},
		})
		if !errors.Is(err, ErrCheckpoint) || c.cause != nil && !errors.Is(err, c.cause) || !mentions(err, "writing checkpoint", "step-4") || r == nil || r.Steps != 4 {
			t.Errorf("%s: result %+v, error %v", name, r, err)
		}
		if _, err := os.Stat(checkpoints + ".old"); err == nil {
			if err := errors.Join(os.RemoveAll(checkpoints), os.Rename(checkpoints+".old", checkpoints)); err != nil {
				t.Fatal(err)
			}
		}
		if got := names(t, checkpoints); !slices.Equal(got, []string{"step-2"}) {
			t.Errorf("%s: left %v", name, got)
		}
		if s, _, err := load(dir, NewToy(3, 0)); err != nil || s.Step != 2 {
			t.Errorf("%s: then step %d, error %v", name, s.Step, err)
		}
	}
}

// broken is an engine whose tensors cannot always be read.
type broken struct {
	*Toy
	fail bool
}

func (b *broken) Read(kind Kind, name string, dst []float32) error {
	if b.fail && kind == SecondMoment {
		return errStuck
	}
	return b.Toy.Read(kind, name, dst)
}

// Checkpoints that cannot be listed are not taken for none: the run must not begin anew over them.
func TestUnlistableCheckpoints(t *testing.T) {
	dir := t.TempDir()
	o := Options{Run: openRun(t, dir, Create, nil), Resume: true}
	write(t, filepath.Join(dir, metricsFile), `{"step":1}`+"\n")
	if err := errors.Join(os.Remove(filepath.Join(dir, checkpointsDir)), os.WriteFile(filepath.Join(dir, checkpointsDir), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(t.Context(), NewToy(3, 0), sequence(ToyExamples(9, 1)), o); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("error %v", err)
	}
	if got := read(t, filepath.Join(dir, metricsFile)); got != `{"step":1}`+"\n" {
		t.Errorf("the metrics are now %q", got)
	}
}
