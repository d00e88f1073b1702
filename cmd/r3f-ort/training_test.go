package main

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// needTraining skips a test where there is no training library, and returns its path.
func needTraining(t *testing.T) string {
	t.Helper()
	path, err := ortlib.FindTraining("")
	if err != nil {
		t.Skipf("needs ONNX Runtime with the training API: %v", err)
	}
	return path
}

// officialFixture is a fixture whose model are the official artifacts of testdata, with a configuration and a tokenizer.
func officialFixture(t *testing.T) fixture {
	t.Helper()
	f := newFixture(t) // its model has the tokenizer and the configuration
	const golden = "../../testdata/golden/training-api"
	for _, name := range []string{artifacts.TrainingModel, artifacts.EvalModel, artifacts.OptimizerModel, artifacts.Checkpoint, artifacts.ManifestFile} {
		write(t, filepath.Join(f.model, name), read(t, golden, name))
	}
	m, err := artifacts.ReadManifest(f.model)
	if err != nil {
		t.Fatal(err)
	}
	m.Config, m.Tokenizer = "config.json", "."
	if err := m.Write(f.model); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(f.model, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	return f
}

// training makes args those of the training engine.
func (f fixture) training(library string, more ...string) []string {
	return f.args(append([]string{"--engine", "training-api", "--ort-library", library, "--lr", "2e-3"}, more...)...)
}

// stepLines are the step lines of a run's metrics.jsonl.
func stepLines(t *testing.T, run string) []driver.StepRecord {
	t.Helper()
	var out []driver.StepRecord
	for line := range strings.Lines(string(read(t, run, "metrics.jsonl"))) {
		var r struct {
			driver.StepRecord
			Split string `json:"split"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Split == "" {
			out = append(out, r.StepRecord)
		}
	}
	return out
}

// Official artifacts train, resume and serve like any model: what they export scores as it did in training, in a stock
// ONNX Runtime that feeds neither noise nor labels.
func TestTrainingAPI(t *testing.T) {
	library := needTraining(t)
	needLibrary(t)
	f := officialFixture(t)
	r := decode[trainReport](t, succeed(t, f.training(library, "--method", "r3f", "--eps", "0.01", "--epochs", "10", "--json")...))
	if r.Steps != 60 || r.Best["accuracy"] <= 0.4 {
		t.Errorf("%+v", r)
	}
	for _, s := range stepLines(t, f.out) {
		if d := math.Abs(s.Loss - s.GraphLoss); !(d <= 1e-5) || s.R3F <= 0 || s.GradientNorm != 0 {
			t.Errorf("step %d: loss %v, inside the graph %v, %+v", s.Step, s.Loss, s.GraphLoss, s)
		}
	}
	eval := decode[evalReport](t, succeed(t, "eval", "--model", f.out, "--dev", f.dev, "--json"))
	if !maps.Equal(eval.Metrics, r.Best) {
		t.Errorf("the exported model scores %v, the best of training %v", eval.Metrics, r.Best)
	}
	newest := filepath.Join(t.TempDir(), "model")
	succeed(t, "export", "--run", f.out, "--out", newest, "--checkpoint", "newest", "--ort-library", library)
	last := decode[evalReport](t, succeed(t, "eval", "--model", newest, "--dev", f.dev, "--json"))
	if !maps.Equal(last.Metrics, r.Metrics) {
		t.Errorf("the newest checkpoint scores %v, the end of training %v", last.Metrics, r.Metrics)
	}
	again := f
	again.out = filepath.Join(t.TempDir(), "again")
	succeed(t, again.training(library, "--method", "r3f", "--eps", "0.01", "--epochs", "10")...)
	first := stepLines(t, f.out)
	for i, s := range stepLines(t, again.out) {
		if s.Loss != first[i].Loss {
			t.Fatalf("the same run again: step %d has loss %v, before %v", s.Step, s.Loss, first[i].Loss)
		}
	}
}

// What is missing or does not fit ends with the right status and says what to do.
func TestTrainingAPIRefusals(t *testing.T) {
	library := needTraining(t)
	stock := needLibrary(t)
	f := officialFixture(t)
	args := func(more ...string) []string { return f.training(library, more...) }
	for name, c := range map[string]struct {
		args      []string
		code      int
		fragments []string
	}{
		"stock library":   {f.training(stock), exitEnvironment, []string{"without the training API", "setup-training", stock}},
		"no library":      {f.training("missing.so"), exitEnvironment, []string{"missing.so", "setup-training"}},
		"no CUDA":         {args("--provider", "cuda"), exitEnvironment, []string{"CUDAExecutionProvider", "CPUExecutionProvider", "CUDA build"}},
		"stock on CUDA":   {f.args("--provider", "cuda"), exitEnvironment, []string{"training-api"}},
		"no artifacts":    {append(args(), "--model", tinyModel(t)), exitUsage, []string{artifacts.ManifestFile}},
		"clipping":        {args("--clip", "1"), exitUsage, []string{"clip", "stock engine"}},
		"r4f":             {args("--method", "r4f"), exitUsage, []string{"method", "stock engine"}},
		"another loss":    {args("--method", "rdrop"), exitUsage, []string{"does not compute the objective", "rdrop"}},
		"another decay":   {args("--weight-decay", "0.1"), exitUsage, []string{"weight-decay", "0.1"}},
		"another dropout": {args("--dropout", "0.5"), exitUsage, []string{"dropout", "0.1"}},
		"unknown engine":  {f.args("--engine", "training"), exitUsage, []string{"training-api", "stock"}},
	} {
		o := r3f(t, append(c.args, "--overwrite")...)
		if o.want(t, c.code, c.fragments...); t.Failed() {
			t.Fatalf("%s: %s", name, o.stderr)
		}
	}
	m, err := artifacts.ReadManifest(f.model)
	if err != nil {
		t.Fatal(err)
	}
	m.Inputs.Noise = "nois"
	if err := m.Write(f.model); err != nil {
		t.Fatal(err)
	}
	r3f(t, args()...).want(t, exitUsage, `"nois"`, "candidates: noise float32")
}

func TestTrainingAPIBenchAndInfo(t *testing.T) {
	library := needTraining(t)
	needLibrary(t)
	f := officialFixture(t)
	r := decode[benchReport](t, succeed(t, "bench", "--engine", "training-api", "--ort-library", library, "--model", f.model, "--batch-size", "4", "--length", "9", "--steps", "2", "--json"))
	if r.Library != "1.19.2" || r.Dropout != 0.1 || r.MedianStepSeconds <= 0 || r.Profile.OutsideORT > 1 {
		t.Errorf("%+v", r)
	}
	cmd := command(t, "runtime", "info", "--json")
	cmd.Env = slices.DeleteFunc(cmd.Env, func(s string) bool { return strings.HasPrefix(s, ortlib.EnvVar+"=") })
	info := decode[libraryReport](t, finish(t, cmd))
	if !info.Training.Available || info.Training.Path != library || info.Training.Version != "1.19.2" || !slices.Contains(info.Training.Providers, "CPUExecutionProvider") {
		t.Errorf("%+v", info.Training)
	}
	info = decode[libraryReport](t, succeed(t, "runtime", "info", "--json", "--ort-library", info.Path))
	if info.Training.Available || !strings.Contains(info.Training.Problem, "setup-training") {
		t.Errorf("of the stock library: %+v", info.Training)
	}
}
