package main

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/tasks"
)

// A model of every family trains, is exported, and its model.safetensors, loaded again, gives the logits of its
// model.onnx.
func TestFamilies(t *testing.T) {
	library := needLibrary(t)
	goldens, err := filepath.Glob("../../testdata/golden/tiny-*/dropout.safetensors")
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no golden models: %v", err)
	}
	for _, golden := range goldens {
		golden = filepath.Dir(golden)
		t.Run(filepath.Base(golden), func(t *testing.T) {
			f := newFixture(t)
			f.model = goldenModel(t, golden)
			trainAndReload(t, f, library)
		})
	}
}

// trainAndReload trains a model, and compares what its export's model.onnx and model.safetensors compute.
func trainAndReload(t *testing.T, f fixture, library string) {
	t.Helper()
	succeed(t, f.args("--method", "r4f", "--lr", "1e-3", "--dropout", "0.1", "--max-length", "16", "--max-steps", "3")...)
	task, err := tasks.FromFiles(f.dev, "", tasks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPredictor(f.out, stock.Options{Library: library, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.session.Close()
	m, tok, err := loadSource(t, filepath.Join(f.out, "model")).load(3, 1, "random")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Config.Fields()["architectures"]; len(m.Initialised) > 0 || !slices.Equal(got.([]any), []any{m.Config.Architecture()}) {
		t.Errorf("architectures %v, initialised %v", got, m.Initialised)
	}
	d, err := loadDataset(context.Background(), task, "", tasks.Train, tok, 16)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := stock.New(m, stock.Options{Library: library, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	want, err := driver.Predict(context.Background(), engine, d.examples)
	if err != nil {
		t.Fatal(err)
	}
	got, err := driver.Predict(context.Background(), p, d.examples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= 1e-5) {
			t.Fatalf("logit %d is %v of model.onnx, %v of model.safetensors", i, got[i], want[i])
		}
	}
}
