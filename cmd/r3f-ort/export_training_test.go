package main

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

func TestExportTraining(t *testing.T) {
	model := tinyModel(t)
	for name, c := range map[string]struct {
		args []string
		want trainingReport
	}{
		"task":                   {[]string{"--task", "RTE"}, trainingReport{Classes: 2, R3F: true}},
		"classes":                {[]string{"--labels", "5", "--dropout", "0.1"}, trainingReport{Classes: 5, R3F: true, Dropout: 0.1}},
		"standard":               {[]string{"--labels", "3", "--method", "standard"}, trainingReport{Classes: 3}},
		"regression":             {[]string{"--regression"}, trainingReport{Classes: 1}},
		"regression of a task":   {[]string{"--task", "sts-b"}, trainingReport{Classes: 1}},
		"regression with a term": {[]string{"--task", "sts-b", "--regression-term", "mse"}, trainingReport{Classes: 1, R3F: true}},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "artifacts")
			args := append([]string{"export", "--format", "ort-training", "--model", model, "--out", out, "--json"}, c.args...)
			got := decode[trainingReport](t, succeed(t, args...))
			c.want.Artifacts, c.want.Parameters = out, 41
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			manifest, err := artifacts.ReadManifest(out)
			if err != nil {
				t.Fatal(err)
			}
			if m := manifest.Model; m.Classes != got.Classes || m.Dropout != got.Dropout || (manifest.Inputs.Noise != "") != got.R3F {
				t.Errorf("%+v", manifest)
			}
			sameFiles(t, model, out, "tokenizer.json")
			onlyFinal(t, filepath.Dir(out))

			first := read(t, out, artifacts.Checkpoint)
			r3f(t, args...).want(t, exitUsage, "--overwrite")
			o := succeed(t, append(args[:len(args):len(args)], "--overwrite")...)
			if string(read(t, out, artifacts.Checkpoint)) != string(first) {
				t.Error("the second export has another checkpoint")
			}
			if got.Classes != 3 {
				o.want(t, exitDone, "classifier.weight", "seed 1")
			}
		})
	}
}

// The seed draws the new head, and --head-init cosine sets it.
func TestExportTrainingHead(t *testing.T) {
	model := tinyModel(t)
	checkpoint := func(args ...string) string {
		out := filepath.Join(t.TempDir(), "artifacts")
		succeed(t, append([]string{"export", "--format", "ort-training", "--model", model, "--labels", "2", "--out", out}, args...)...)
		return string(read(t, out, artifacts.Checkpoint))
	}
	first := checkpoint()
	if checkpoint("--seed", "2") == first || checkpoint("--head-init", "cosine") == first {
		t.Error("the head is the same whatever --seed and --head-init say")
	}
}

func TestExportTrainingRefuses(t *testing.T) {
	model := tinyModel(t)
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"no labels":           {nil, []string{"--task NAME", "--labels N", "--regression"}},
		"two answers":         {[]string{"--task", "rte", "--labels", "2"}, []string{"give one of"}},
		"one class":           {[]string{"--labels", "1"}, []string{"--labels is 1", "--regression"}},
		"unknown task":        {[]string{"--task", "mrcp"}, []string{"did you mean mrpc"}},
		"unknown method":      {[]string{"--labels", "2", "--method", "r5f"}, []string{"r5f", "standard"}},
		"R4F":                 {[]string{"--labels", "2", "--method", "r4f"}, []string{"r4f", "--engine stock"}},
		"R-Drop":              {[]string{"--labels", "2", "--method", "rdrop"}, []string{"rdrop", "--engine stock"}},
		"regression term":     {[]string{"--regression", "--regression-term", "kl"}, []string{"none, mse"}},
		"drop probability":    {[]string{"--labels", "2", "--dropout", "1"}, []string{"--dropout from 0 to below 1"}},
		"negative decay":      {[]string{"--labels", "2", "--weight-decay", "-1"}, []string{"--weight-decay", "at least 0"}},
		"head":                {[]string{"--labels", "2", "--head-init", "zero"}, []string{"random, cosine"}},
		"flag of a run":       {[]string{"--labels", "2", "--run", "runs/x"}, []string{"--run belongs to --format onnx"}},
		"unknown format":      {[]string{"--labels", "2", "--format", "tflite"}, []string{"onnx, ort-training"}},
		"flag of the others'": {[]string{"--run", "runs/x", "--format", "onnx"}, []string{"--model belongs to --format ort-training"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "artifacts")
			args := append([]string{"export", "--format", "ort-training", "--model", model, "--out", out}, c.args...)
			r3f(t, args...).want(t, exitUsage, c.says...)
			onlyFinal(t, filepath.Dir(out))
		})
	}
	cmd := command(t, "export", "--run", "runs/absent", "--out", filepath.Join(t.TempDir(), "model"))
	cmd.Env = append(cmd.Env, envName("model")+"="+model, envName("seed")+"=2")
	finish(t, cmd).want(t, exitUsage, "runs/absent") // not about flags of another format
	other := t.TempDir()
	write(t, filepath.Join(other, "thesis.txt"), []byte("mine"))
	o := r3f(t, "export", "--format", "ort-training", "--model", model, "--labels", "2", "--out", other, "--overwrite")
	if o.code == exitDone || string(read(t, other, "thesis.txt")) != "mine" {
		t.Errorf("exit %d: a stranger's directory was replaced\n%s", o.code, o.stderr)
	}
}

// Artifacts of our own train as the stock engine trains the model they are made of, and what they end in is exported
// like it, weights under their names included.
func TestExportedArtifactsTrain(t *testing.T) {
	library := needTraining(t)
	needLibrary(t)
	f := newFixture(t)
	settings := []string{"--method", "r3f", "--eps", "0.01", "--lr", "2e-3", "--weight-decay", "0.5", "--dropout", "0.1", "--json"}
	stock := decode[trainReport](t, succeed(t, f.args(settings...)...))

	own := f
	own.model, own.out = filepath.Join(t.TempDir(), "artifacts"), filepath.Join(t.TempDir(), "run")
	succeed(t, "export", "--format", "ort-training", "--model", f.model, "--labels", "3", "--dropout", "0.1", "--weight-decay", "0.5", "--out", own.model)
	got := decode[trainReport](t, succeed(t, own.training(library, settings...)...))
	if !maps.Equal(got.Best, stock.Best) || got.Steps != stock.Steps {
		t.Errorf("%+v, with the stock engine %+v", got, stock)
	}
	want := stepLines(t, f.out)
	for i, s := range stepLines(t, own.out) {
		if d := math.Abs(s.Loss - want[i].Loss); !(d <= 1e-4) || !(math.Abs(s.Loss-s.GraphLoss) <= 1e-5) {
			t.Errorf("step %d: loss %v, inside the graph %v, with the stock engine %v", s.Step, s.Loss, s.GraphLoss, want[i].Loss)
		}
	}
	eval := decode[evalReport](t, succeed(t, "eval", "--model", own.out, "--dev", f.dev, "--json"))
	if !maps.Equal(eval.Metrics, got.Best) {
		t.Errorf("the exported model scores %v, the best of training %v", eval.Metrics, got.Best)
	}
	a, err := safetensors.Parse(read(t, own.out, "model", export.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	b, err := safetensors.Parse(read(t, f.out, "model", export.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Names(), b.Names()) {
		t.Errorf("weights %v, of the stock engine's run %v", a.Names(), b.Names())
	}
}
