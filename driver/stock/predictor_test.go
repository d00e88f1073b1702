package stock_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// exported writes the model as one ONNX file, weights inside.
func exported(t *testing.T, m *graphs.Model, output string) string {
	t.Helper()
	g, err := m.Prepare(graphs.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.Outputs[0].Name = output
	data, err := g.ONNX(m.Weights, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// An exported model gives the engine's evaluation logits, at any shape.
func TestPredictor(t *testing.T) {
	const seed = 71
	r := rand.New(rand.NewPCG(seed, 0))
	m := tiny(t)
	e := newEngine(t, m, stock.Options{Dropout: 0.5})
	p, err := stock.NewPredictor(exported(t, m, "logits"), stock.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if p.Classes() != 3 {
		t.Errorf("%d classes", p.Classes())
	}
	for _, shape := range [][2]int{{1, 1}, {3, 40}, {16, 7}} {
		b := randomBatch(t, e, driver.Evaluate, shape[0], shape[1], r)
		want, err := e.Forward(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Logits(b.InputIDs, b.AttentionMask, b.TypeIDs, b.Size, b.Tokens)
		if err != nil {
			t.Fatal(err)
		}
		if d := worst(got, want, want); len(got) != len(want) || d > 1e-5 {
			t.Errorf("seed %d, shape %v: %d logits differ by %.2g of the largest", seed, shape, len(got), d)
		}
	}
	ids := []int64{1, 2, 3, 4}
	for name, call := range map[string]func() ([]float32, error){
		"few ids":     func() ([]float32, error) { return p.Logits(ids[:3], ids, ids, 2, 2) },
		"no mask":     func() ([]float32, error) { return p.Logits(ids, nil, ids, 2, 2) },
		"no examples": func() ([]float32, error) { return p.Logits(nil, nil, nil, 0, 4) },
		"a wrong id":  func() ([]float32, error) { return p.Logits([]int64{97}, ids[:1], ids[:1], 1, 1) },
		"too long":    func() ([]float32, error) { x := make([]int64, 41); return p.Logits(x, x, x, 1, 41) },
	} {
		if logits, err := call(); err == nil || !strings.HasPrefix(err.Error(), "predicting: ") {
			t.Errorf("%s: %v, error %v", name, logits, err)
		}
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.Logits(ids, ids, make([]int64, 4), 2, 2); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: error %v", err)
	}
	run(t, e, randomBatch(t, e, driver.Clean, 2, 3, r), make([]float32, 6)) // the library is still the engine's
}

func TestPredictorErrors(t *testing.T) {
	m := tiny(t)
	good, err := os.ReadFile(exported(t, m, "logits"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Compile(graphs.Options{}, false)
	if err != nil {
		t.Fatal(err)
	}
	many, err := p.Forward.ONNX(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := m.Prepare(graphs.Options{Noise: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := noisy.ONNX(m.Weights, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"nothing":              {},
		"garbage":              []byte(strings.Repeat("not a model\n", 100)),
		"a truncated model":    good[:len(good)/2],
		"no data in its place": slices.Concat(good[:100], make([]byte, len(good)-100)),
		"many outputs":         many,
		"an input of its own":  strange,
	} {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := stock.NewPredictor(path, stock.Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := stock.NewPredictor(filepath.Join(t.TempDir(), "none.onnx"), stock.Options{}); err == nil || !strings.Contains(err.Error(), "none.onnx") {
		t.Errorf("no file: error %v", err)
	}
	opens(t) // none of them left the library in use by mistake, or unloaded it twice
}
