package trainapi

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// options are those of a run on the official artifacts: batches of every length, accumulated in pairs.
func options() driver.Options {
	lambda := 0.7
	return driver.Options{Method: "r3f", Epsilon: 0.1, Lambda: &lambda, BatchSize: 4, Accumulate: 2, LearningRate: 1e-3, Epochs: 2, Seed: 3, CheckpointEvery: 3}
}

// run trains on 40 examples, ten steps, and returns the records of the steps; stop ends it after a step.
func run(t testing.TB, e *Engine, o driver.Options, stop int) []driver.StepRecord {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var records []driver.StepRecord
	o.OnStep = func(r driver.StepRecord) error {
		records = append(records, r)
		if r.Step == stop {
			cancel()
		}
		return nil
	}
	if _, err := driver.Train(ctx, e, sequence(examples(40, 1)), o); err != nil {
		t.Fatal(err)
	}
	return records
}

// The driver's objective, float64 of the logits, is the loss inside the graph, batch for batch, whatever their shape and
// with dropout; and training learns.
func TestLossInsideIsTheObjective(t *testing.T) {
	for _, method := range []string{"r3f", "standard"} {
		e := open(t, official)
		o := options()
		o.Method, o.Epochs, o.LearningRate = method, 8, 5e-3
		records := run(t, e, o, 0)
		if len(records) != 40 {
			t.Fatalf("%d steps", len(records))
		}
		for _, r := range records {
			if d := math.Abs(r.Loss - r.GraphLoss); !(d <= 1e-5) {
				t.Errorf("%s, step %d: the loss is %v, inside the graph %v: %.1e apart", method, r.Step, r.Loss, r.GraphLoss, d)
			}
			if (r.R3F > 1e-3) != (method == "r3f") {
				t.Errorf("%s, step %d: the R3F term is %v", method, r.Step, r.R3F)
			}
		}
		epoch := func(r []driver.StepRecord) (sum float64) {
			for _, r := range r[:5] {
				sum += r.Loss / 5
			}
			return sum
		}
		if first, last := epoch(records), epoch(records[35:]); !(last < 0.7*first) {
			t.Errorf("%s: the loss went from %v to %v", method, first, last)
		}
	}
}

// Evaluation draws no dropout and no noise, in batches of any shape.
func TestEvaluation(t *testing.T) {
	e := open(t, official)
	dev := examples(30, 2)
	all, err := driver.Predict(t.Context(), e, dev)
	if err != nil {
		t.Fatal(err)
	}
	for i := range dev {
		alone, err := driver.Predict(t.Context(), e, dev[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range alone {
			if d := math.Abs(float64(v - all[3*i+k])); d > 1e-5 {
				t.Errorf("logit %d of example %d is %v alone and %v in a batch", k, i, v, all[3*i+k])
			}
		}
	}
}

// child is the run directory of a process that TestKilledRunsResume starts.
const child = "R3F_ORT_TEST_KILLED_RUN"

// A run killed between two steps resumes to the losses of one that was not: order, noise and dropout inside the graph
// are functions of the step, and the checkpoint holds the moments.
func TestKilledRunsResume(t *testing.T) {
	o := options()
	if dir := os.Getenv(child); dir != "" {
		var err error
		if o.Run, err = driver.OpenRun(dir, driver.Create, nil); err != nil {
			t.Fatal(err)
		}
		o.OnStep = func(r driver.StepRecord) error {
			if r.Step == 7 {
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return nil
		}
		_, err = driver.Train(t.Context(), open(t, official), sequence(examples(40, 1)), o)
		t.Fatalf("the run survived: %v", err)
	}
	want := run(t, open(t, official), o, 0)
	dir := t.TempDir()
	killed := exec.Command(os.Args[0], "-test.run=^TestKilledRunsResume$")
	killed.Env = append(os.Environ(), child+"="+dir)
	if out, err := killed.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	var err error
	if o.Run, err = driver.OpenRun(dir, driver.Resume, nil); err != nil {
		t.Fatal(err)
	}
	o.Resume = true
	e := open(t, official)
	got := run(t, e, o, 0)
	// Checkpoints are due at 3, 5 (an epoch's end) and 6; the last may not have been whole when the process was killed.
	if len(got) == 0 || got[0].Step < 4 || got[0].Step > 7 || got[len(got)-1].Step != 10 {
		t.Fatalf("resumed with %d steps", len(got))
	}
	if err := o.Run.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if w := want[r.Step-1]; r.Loss != w.Loss || r.GraphLoss != w.GraphLoss || r.LearningRate != w.LearningRate {
			t.Errorf("step %d: loss %v, uninterrupted %v", r.Step, r.Loss, w.Loss)
		}
	}
	// Restored as for an export, an engine predicts what the run's last did.
	restored := open(t, official)
	if step, err := driver.Restore(restored, dir, driver.Options{}); err != nil || step != 10 {
		t.Fatalf("restored step %d, %v", step, err)
	}
	dev := examples(10, 2)
	a, err := driver.Predict(t.Context(), e, dev)
	b, err2 := driver.Predict(t.Context(), restored, dev)
	if err != nil || err2 != nil || !slices.Equal(a, b) {
		t.Errorf("the restored model predicts otherwise (%v, %v)", err, err2)
	}
}

// What the artifacts or the training API cannot do is refused by name.
func TestRefusals(t *testing.T) {
	e := open(t, official)
	for name, change := range map[string]func(*driver.Options){
		"clip":          func(o *driver.Options) { o.Clip = 1 },
		"method":        func(o *driver.Options) { o.Method = "r4f" },
		"dropout-masks": func(o *driver.Options) { o.DropoutMasks = driver.Shared },
		"adamw":         func(o *driver.Options) { o.AdamW = optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.01} },
	} {
		o := options()
		change(&o)
		_, err := driver.Train(t.Context(), e, sequence(examples(8, 1)), o)
		var bad *driver.OptionError
		if !errors.As(err, &bad) || bad.Option != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, want := e.AdamW(), (optim.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-6}); got != want {
		t.Errorf("the optimiser's constants are %+v, want %+v", got, want)
	}
	o := options()
	o.Method = "rdrop" // its task loss on the second pass is not in the graph
	if _, err := driver.Train(t.Context(), e, sequence(examples(8, 1)), o); !errors.Is(err, driver.ErrLoss) {
		t.Errorf("a method that the graph does not compute: %v", err)
	}
	name := e.Spec().Parameters[0].Name
	for what, err := range map[string]error{
		"Backward":      e.Backward(t.Context(), nil),
		"Read gradient": e.Read(driver.Gradient, name, make([]float32, e.Spec().Parameters[0].Size())),
		"Scale":         e.Update(driver.Update{Scale: 0.5}),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := e.Read(driver.Value, "absent", nil); err == nil {
		t.Error("an absent parameter was read")
	}
	if err := e.LoadState(t.TempDir()); err == nil {
		t.Error("a missing state was loaded")
	}
	if _, err := driver.Predict(t.Context(), e, examples(2, 1)); err != nil {
		t.Errorf("after a failed LoadState: %v", err)
	}
}

// copied copies artifacts, to be changed.
func copied(t testing.TB, from string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{artifacts.TrainingModel, artifacts.EvalModel, artifacts.OptimizerModel, artifacts.Checkpoint, artifacts.ManifestFile} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) && name == artifacts.ManifestFile {
			data, err = os.ReadFile(filepath.Join(official, name))
		}
		if err != nil {
			t.Skipf("no artifacts: %v", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Damaged and contradictory artifacts are errors about artifacts, never a crash.
func TestBadArtifacts(t *testing.T) {
	open(t, official)
	for _, name := range []string{artifacts.TrainingModel, artifacts.EvalModel, artifacts.OptimizerModel, artifacts.Checkpoint, artifacts.ManifestFile} {
		for _, content := range []string{"", "nonsense"} {
			dir := copied(t, official)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := New(dir, Options{Threads: 1}); !errors.Is(err, artifacts.ErrArtifacts) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s of %q: %v", name, content, err)
			}
		}
	}
	dir := copied(t, official)
	m, err := artifacts.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Inputs.Labels = "token_type_ids"
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := New(dir, Options{Threads: 1}); !errors.Is(err, artifacts.ErrArtifacts) || !strings.Contains(err.Error(), "both token_type_ids and labels") {
		t.Errorf("a role given twice: %v", err)
	}
}
