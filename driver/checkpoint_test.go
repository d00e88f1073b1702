package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var checkpointFiles = []string{weightsFile, momentsFile, stateFile, manifestName}

// interrupted is a run directory with checkpoints of the steps 4, 7 and 8 of everything.
func interrupted(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	o := everything(Uniform)
	o.Keep = 3
	o.Run = openRun(t, dir, Create, nil)
	o.OnStep = stopAt(9)
	if _, err := Train(t.Context(), NewToy(3, 0.2), sequence(ToyExamples(100, 1)), o); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	return dir
}

// damages are what disks and people do to a checkpoint's file. Each fails the test if it changed nothing.
var damages = map[string]func(r *rand.Rand, data []byte) []byte{
	"a flipped bit":   func(r *rand.Rand, data []byte) []byte { data[r.IntN(len(data))] ^= 1 << r.IntN(8); return data },
	"truncation":      func(r *rand.Rand, data []byte) []byte { return data[:r.IntN(len(data))] },
	"more at the end": func(r *rand.Rand, data []byte) []byte { return append(data, 0) },
	"removal":         func(*rand.Rand, []byte) []byte { return nil },
	"zeros":           func(_ *rand.Rand, data []byte) []byte { clear(data); return data },
}

// A damaged newest checkpoint is skipped and said so; the run continues from the one before, to the same bytes.
func TestDamagedCheckpoint(t *testing.T) {
	const seed = 31
	r := rand.New(rand.NewPCG(seed, 0))
	origin := interrupted(t)
	copyOf := func() (dir, newest string) {
		dir = filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(dir, os.DirFS(origin)); err != nil {
			t.Fatal(err)
		}
		return dir, filepath.Join(dir, checkpointsDir, "step-8")
	}
	load := func(dir string) (state, []error, error) { return (&Run{Dir: dir}).load(NewToy(3, 0.2)) }
	for _, file := range checkpointFiles {
		for name, damage := range damages {
			dir, newest := copyOf()
			path := filepath.Join(newest, file)
			data := damage(r, []byte(read(t, path)))
			if file == manifestName && name == "more at the end" {
				data[len(data)-1] = '}' // a NUL is one of the changes that leave the JSON's meaning alone
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if data != nil {
				write(t, path, string(data))
			}
			s, skipped, err := load(dir)
			if file == manifestName && name == "a flipped bit" && err == nil && s.Step == 8 {
				continue // in white space or in the case of a key: what the manifest says is unchanged
			}
			if err != nil || s.Step != 7 || len(skipped) != 1 || !errors.Is(skipped[0], ErrCheckpoint) || !mentions(skipped[0], newest) {
				t.Errorf("seed %d: %s of %s: step %d, skipped %v, error %v", seed, name, file, s.Step, skipped, err)
			}
		}
	}
	for name, damage := range map[string]func(newest, before string) error{
		"a manifest of another": func(newest, before string) error {
			return os.Rename(filepath.Join(before, manifestName), filepath.Join(newest, manifestName))
		},
		"another under its name": func(newest, before string) error {
			return errors.Join(os.RemoveAll(newest), os.CopyFS(newest, os.DirFS(before)))
		},
		"another format": func(newest, _ string) error {
			path := filepath.Join(newest, manifestName)
			return os.WriteFile(path, []byte(strings.Replace(read(t, path), `"format": 1`, `"format": 2`, 1)), 0o644)
		},
		"a file under its name": func(newest, _ string) error {
			return errors.Join(os.RemoveAll(newest), os.WriteFile(newest, nil, 0o644))
		},
	} {
		dir, newest := copyOf()
		if err := damage(newest, filepath.Join(dir, checkpointsDir, "step-4")); err != nil {
			t.Fatal(err)
		}
		if s, skipped, err := load(dir); err != nil || s.Step != 7 || len(skipped) != 1 {
			t.Errorf("%s: step %d, skipped %v, error %v", name, s.Step, skipped, err)
		}
	}
	// To the end, from the second of three.
	whole := t.TempDir()
	_, result := resumed(t, whole, Create, everything(Uniform))
	want := outcomeOf(t, result, whole)
	dir, newest := copyOf()
	write(t, filepath.Join(newest, momentsFile), "")
	_, result = resumed(t, dir, Resume, everything(Uniform))
	if len(result.Skipped) != 1 || !strings.Contains(result.Skipped[0], newest) || !strings.Contains(result.Skipped[0], momentsFile) {
		t.Errorf("skipped %q", result.Skipped)
	}
	outcomeOf(t, result, dir).compare(t, "after a damaged checkpoint", want)
	// None is left.
	dir, _ = copyOf()
	for _, step := range []string{"step-4", "step-7", "step-8"} {
		write(t, filepath.Join(dir, checkpointsDir, step, weightsFile), "")
	}
	o := everything(Uniform)
	o.Run, o.Resume = openRun(t, dir, Resume, nil), true
	if _, err := Train(t.Context(), NewToy(3, 0.2), sequence(ToyExamples(100, 1)), o); !errors.Is(err, ErrCheckpoint) || !mentions(err, "step-4", "step-7", "step-8", weightsFile) {
		t.Errorf("no checkpoint is sound: error %v", err)
	}
	// One of another model does not fit.
	if _, _, err := (&Run{Dir: origin}).load(NewToy(4, 0)); !errors.Is(err, ErrCheckpoint) || !mentions(err, "classifier") {
		t.Errorf("another model: error %v", err)
	}
}

// What follows a skipped checkpoint replaces it: it is not taken for the newest when old ones are removed.
func TestSkippedCheckpointsAreRemoved(t *testing.T) {
	dir := interrupted(t)
	for _, step := range []string{"step-7", "step-8"} {
		write(t, filepath.Join(dir, checkpointsDir, step, weightsFile), "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := everything(Uniform)
	o.Keep = 1
	o.Run, o.Resume = openRun(t, dir, Resume, nil), true
	e := NewToy(3, 0.2)
	o.OnStep = func(r StepRecord) error { // step 5
		cancel()
		return nil
	}
	if r, err := Train(ctx, e, sequence(ToyExamples(100, 1)), o); err != nil || r.Steps != 5 || len(r.Skipped) != 2 {
		t.Fatalf("result %+v, error %v", r, err)
	}
	if got := names(t, filepath.Join(dir, checkpointsDir)); !slices.Equal(got, []string{"step-5"}) {
		t.Errorf("checkpoints %v are left, want step-5", got)
	}
	if s, skipped, err := o.Run.load(NewToy(3, 0.2)); err != nil || s.Step != 5 || skipped != nil {
		t.Errorf("step %d, skipped %v, error %v", s.Step, skipped, err)
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
		if s, _, err := r.load(loaded); err != nil || s.Step != 2 || !slices.Equal(loaded.snapshot(), trained.snapshot()) {
			t.Errorf("loading gives step %d, %v; the same tensors: %v", s.Step, err, slices.Equal(loaded.snapshot(), trained.snapshot()))
		}
	}
	dir := r.checkpoint(2)
	var m manifest
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, manifestName))), &m); err != nil || m.Format != checkpointFormat || len(m.Files) != 3 {
		t.Errorf("manifest %+v, error %v", m, err)
	}
	for name, f := range m.Files {
		if got, err := fingerprint(filepath.Join(dir, name)); got != f || err != nil || len(f.SHA256) != 64 || f.Size == 0 {
			t.Errorf("%s is %+v, the manifest says %+v", name, got, f)
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
				if r.Step == 4 {
					return c.obstruct(e, checkpoints)
				}
				return nil
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
		if s, _, err := (&Run{Dir: dir}).load(NewToy(3, 0)); err != nil || s.Step != 2 {
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

// Whatever a checkpoint's JSON files hold, reading it gives its state or an error, and a state only where the
// manifest vouches for it.
func FuzzLoadCheckpoint(f *testing.F) {
	dir := f.TempDir()
	run, err := OpenRun(dir, Create, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { run.Close() })
	e := NewToy(3, 0)
	if err := run.save(e, state{Step: 7, Seed: 1, Best: map[string]float64{"accuracy": 0.5}, BestStep: 3}, 1); err != nil {
		f.Fatal(err)
	}
	checkpoint := run.checkpoint(7)
	soundManifest, err1 := os.ReadFile(filepath.Join(checkpoint, manifestName))
	soundState, err2 := os.ReadFile(filepath.Join(checkpoint, stateFile))
	if err := errors.Join(err1, err2); err != nil {
		f.Fatal(err)
	}
	f.Add(soundManifest, soundState, false)
	f.Add(soundManifest, soundState, true)
	f.Add([]byte(`{"format":1,"files":null}`), []byte(`{}`), false)
	f.Add([]byte(`null`), []byte(`{"step":-7,"best":null}`), true)
	f.Add([]byte(`[]`), []byte(`{"step":7,"seed":1e99}`), true)
	f.Add([]byte(nil), []byte(nil), true)
	f.Fuzz(func(t *testing.T, manifestJSON, stateJSON []byte, vouch bool) {
		write(t, filepath.Join(checkpoint, stateFile), string(stateJSON))
		if vouch { // a manifest that agrees with the state
			var m manifest
			if err := json.Unmarshal(soundManifest, &m); err != nil {
				t.Fatal(err)
			}
			if m.Files[stateFile], err = fingerprint(filepath.Join(checkpoint, stateFile)); err != nil {
				t.Fatal(err)
			}
			manifestJSON, _ = json.Marshal(m)
		}
		write(t, filepath.Join(checkpoint, manifestName), string(manifestJSON))
		s, skipped, err := run.load(e)
		var m manifest
		vouched := json.Unmarshal(manifestJSON, &m) == nil
		got, _ := fingerprint(filepath.Join(checkpoint, stateFile))
		vouched = vouched && m.Files[stateFile] == got
		switch {
		case err == nil && (s.Step != 7 || !vouched || len(skipped) > 0):
			t.Errorf("state %+v of manifest %q and state %q", s, manifestJSON, stateJSON)
		case err != nil && !errors.Is(err, ErrCheckpoint):
			t.Errorf("error %v", err)
		}
	})
}
