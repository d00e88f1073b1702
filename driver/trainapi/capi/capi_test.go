package capi

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// step trains one step on the golden batch and returns its loss.
func step(t testing.TB, s *Session, batch []Tensor) float32 {
	t.Helper()
	out, err := s.TrainStep(batch)
	if err == nil {
		err = firstError(s.OptimizerStep(), s.LazyResetGrad())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Data.([]float32)[0]
}

// A checkpoint with the optimiser's state goes on to the same bits; one without forgets the moments.
func TestCheckpointsGoOn(t *testing.T) {
	readGolden(t)
	l, c, s := openSession(t, false)
	batch := goldenBatch(t, s.TrainInputs)
	for range 3 {
		step(t, s, batch)
	}
	dir := t.TempDir()
	whole, bare := filepath.Join(dir, "whole"), filepath.Join(dir, "bare")
	if err := firstError(c.SetProperty("step", int64(3)), c.SetProperty("score", float32(0.25)), c.SetProperty("task", "rte"),
		c.Save(whole, true), c.Save(bare, false)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetProperty("step", 3); err == nil {
		t.Error("an int is no property, and was taken for one")
	}
	want := []float32{step(t, s, batch), step(t, s, batch)}
	for _, path := range []string{whole, bare} {
		again, err := l.LoadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]any{"step": int64(3), "score": float32(0.25), "task": "rte"} {
			if got, err := again.Property(name); err != nil || got != value {
				t.Errorf("property %s of %s is %v (%v), want %v", name, path, got, err, value)
			}
		}
		if _, err := again.Property("absent"); err == nil {
			t.Error("an absent property was found")
		}
		file := func(name string) string { return filepath.Join(artifacts, name) }
		resumed, err := l.NewSession(again, Files{file("training_model.onnx"), file("eval_model.onnx"), file("optimizer_model.onnx")}, SessionOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		got := []float32{step(t, resumed, batch), step(t, resumed, batch)}
		if same := slices.Equal(got, want); same != (path == whole) {
			t.Errorf("%s goes on with losses %v; uninterrupted they are %v", filepath.Base(path), got, want)
		}
		resumed.Close()
		again.Close()
	}
}

// Parameters read one by one and as a buffer are the same numbers, and what is written is what is read.
func TestParameters(t *testing.T) {
	g := readGolden(t)
	_, c, s := openSession(t, false)
	n, err := s.ParametersSize(true)
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]float32, n)
	if err := s.ReadParameters(buffer, true); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, name := range g.Parameters {
		p, err := c.Parameter(name)
		if err != nil {
			t.Fatal(err)
		}
		shape, err := c.ParameterShape(name)
		if err != nil || !slices.Equal(shape, p.Shape) {
			t.Errorf("%s has shape %v (%v), its values %v", name, shape, err, p.Shape)
		}
		at += len(p.Data.([]float32))
	}
	if at != n {
		t.Errorf("the parameters have %d elements, the buffer %d", at, n)
	}
	name := g.Parameters[len(g.Parameters)-1]
	p, _ := c.Parameter(name)
	data := p.Data.([]float32)
	for i := range data {
		data[i] = float32(i)
	}
	if err := c.UpdateParameter(name, p); err != nil {
		t.Fatal(err)
	}
	if again, err := c.Parameter(name); err != nil || !slices.Equal(again.Data.([]float32), data) {
		t.Errorf("%s does not read as it was written (%v)", name, err)
	}
	if err := s.WriteParameters(buffer, true); err != nil {
		t.Fatal(err)
	}
	after := make([]float32, n)
	if err := s.ReadParameters(after, true); err != nil || !slices.Equal(after, buffer) {
		t.Errorf("the parameters do not read as they were written (%v)", err)
	}
	if err := s.ReadParameters(after[1:], true); err == nil {
		t.Error("a buffer that is too short was taken")
	}
	if err := c.UpdateParameter("absent", p); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("writing an absent parameter: %v", err)
	}
}

// The linear schedule rises over the warm-up and falls to 0.
func TestLinearSchedule(t *testing.T) {
	readGolden(t)
	_, _, s := openSession(t, false)
	const warmup, total, peak = 2, 6, 1e-3
	if err := s.RegisterLinearSchedule(warmup, total, peak); err != nil {
		t.Fatal(err)
	}
	batch := goldenBatch(t, s.TrainInputs)
	for i := 1; i <= total; i++ {
		step(t, s, batch)
		if err := s.SchedulerStep(); err != nil {
			t.Fatal(err)
		}
		rate, err := s.LearningRate()
		if err != nil {
			t.Fatal(err)
		}
		want := peak * min(float64(i)/warmup, float64(total-i)/(total-warmup))
		near(t, "learning rate", float64(rate), want, 1e-9)
	}
}

// An export holds the parameters and only the outputs asked for.
func TestExport(t *testing.T) {
	readGolden(t)
	_, _, s := openSession(t, false)
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := s.ExportModel(path, "logits"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 90000 { // the parameters alone are 94 kB
		t.Errorf("the exported model: %v, %v", info, err)
	}
	if err := s.ExportModel(path, "absent"); err == nil {
		t.Error("an absent output was exported")
	}
}

// A step refuses inputs that do not fit, naming them.
func TestInputs(t *testing.T) {
	readGolden(t)
	l, _, s := openSession(t, false)
	providers, err := l.Providers()
	if err != nil || !slices.Contains(providers, "CPUExecutionProvider") {
		t.Errorf("providers %q, %v", providers, err)
	}
	batch := goldenBatch(t, s.TrainInputs)
	if _, err := s.TrainStep(batch[1:]); err == nil || !strings.Contains(err.Error(), "input_ids") {
		t.Errorf("a missing input: %v; want the names of all", err)
	}
	broken := slices.Clone(batch)
	broken[0].Shape = []int64{5, 12}
	if _, err := s.TrainStep(broken); err == nil || !strings.Contains(err.Error(), "input_ids") {
		t.Errorf("a tensor of the wrong size: %v", err)
	}
	broken[0] = Tensor{Shape: []int64{1}, Data: []string{"x"}}
	if _, err := s.TrainStep(broken); err == nil {
		t.Error("a tensor of strings was taken")
	}
}

// What the library refuses comes back as an Error that says what was being done.
func TestErrors(t *testing.T) {
	readGolden(t)
	l := openLibrary(t)
	defer l.Close()
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := l.LoadCheckpoint(missing)
	var status *Error
	if !errors.As(err, &status) || status.Message == "" || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing checkpoint: %v", err)
	}
	if _, err := l.LoadCheckpointBytes([]byte("no checkpoint")); !errors.As(err, &status) {
		t.Errorf("a checkpoint of nonsense: %v", err)
	}
	c, err := l.LoadCheckpoint(filepath.Join(artifacts, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := l.NewSession(c, Files{Training: missing}, SessionOptions{}); !errors.As(err, &status) {
		t.Errorf("a missing training model: %v", err)
	}
	if _, err := l.NewSession(c, Files{Training: filepath.Join(artifacts, "training_model.onnx")}, SessionOptions{CUDA: true}); !errors.Is(err, ErrProvider) || !strings.Contains(err.Error(), l.Path) {
		t.Errorf("CUDA without a CUDA build: %v", err)
	}
}

// A stock library, a file that is no library and a missing file are told apart.
func TestLibrariesWithoutTheAPI(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "missing.so")); !errors.Is(err, ErrLibrary) || errors.Is(err, ErrNoTraining) {
		t.Errorf("a missing library: %v", err)
	}
	if _, err := Open("capi_test.go"); !errors.Is(err, ErrLibrary) {
		t.Errorf("a file that is no library: %v", err)
	}
	stock, err := ortlib.Find("")
	if err != nil {
		t.Skipf("no stock library: %v", err)
	}
	if _, err := Open(stock); !errors.Is(err, ErrLibrary) || !errors.Is(err, ErrNoTraining) || !strings.Contains(err.Error(), "setup-training") {
		t.Errorf("a stock library: %v; want what to run", err)
	}
}

// Sessions give back what they take: the resident memory of many is that of a few. All calls come from one thread, for
// glibc keeps a heap for each, and what it keeps would count as growth.
func TestSessionsDoNotLeak(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	readGolden(t)
	sessions := 30
	if os.Getenv("R3F_ORT_LONG") != "" {
		sessions = 1000
	}
	resident := func() float64 {
		debug.FreeOSMemory()
		data, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Skipf("no resident memory to read: %v", err)
		}
		var pages float64
		if _, err := fmt.Sscan(strings.Fields(string(data))[1], &pages); err != nil {
			t.Fatal(err)
		}
		return pages * float64(os.Getpagesize()) / 1e6
	}
	l := openLibrary(t)
	defer l.Close()
	file := func(name string) string { return filepath.Join(artifacts, name) }
	var batch []Tensor
	warm := 0.0
	for i := range sessions {
		c, err := l.LoadCheckpoint(file("checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.NewSession(c, Files{file("training_model.onnx"), file("eval_model.onnx"), file("optimizer_model.onnx")}, SessionOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if batch == nil {
			batch = goldenBatch(t, s.TrainInputs)
		}
		step(t, s, batch)
		if _, err := s.EvalStep(batch); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Parameter("m.classifier.bias"); err != nil {
			t.Fatal(err)
		}
		s.Close()
		c.Close()
		if i == sessions/3 {
			warm = resident()
		}
	}
	grown := resident() - warm
	t.Logf("%d sessions: %.1f MB after a third, %+.2f MB after all", sessions, warm, grown)
	if limit := math.Max(4, 0.015*float64(sessions)); grown > limit {
		t.Errorf("%d sessions grew by %.1f MB after the first third", sessions, grown)
	}
}
