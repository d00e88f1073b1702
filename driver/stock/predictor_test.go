package stock_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/confine"
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

// A model file may name a file of its own directory for a tensor's data, and none outside it, in whatever way.
func TestExternalDataStaysInside(t *testing.T) {
	needLibrary(t)
	for _, c := range []struct {
		location string
		link     string // what location is a symbolic link to, or ""
		inside   bool
	}{{"weights.bin", "", true}, {"../secret.bin", "", false}, {"", "", false}, {"weights.bin", "../secret.bin", false}} {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.onnx")
		secret := filepath.Join(filepath.Dir(dir), "secret.bin")
		err := os.WriteFile(secret, make([]byte, 16), 0o644)
		if c.location == "" {
			c.location = secret
		}
		if here := filepath.Join(dir, c.location); c.link != "" {
			err = errors.Join(err, os.Symlink(c.link, here))
		} else if c.inside {
			err = errors.Join(err, os.WriteFile(here, make([]byte, 16), 0o644))
		}
		if err := errors.Join(err, os.WriteFile(path, externalModel(c.location), 0o644)); err != nil {
			t.Fatal(err)
		}
		p, err := stock.NewPredictor(path, stock.Options{Threads: 1})
		if (err == nil) != c.inside {
			t.Errorf("data in %q, a link to %q: %v", c.location, c.link, err)
		}
		if err == nil {
			p.Close()
		}
	}
	path := exported(t, tiny(t), "logits")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.onnx")
	if err := errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path)); err != nil {
		t.Fatal(err)
	}
	if _, err := stock.NewPredictor(path, stock.Options{Threads: 1}); !errors.Is(err, confine.ErrRefused) {
		t.Errorf("a link to a model elsewhere: %v", err)
	}
}

// externalModel is logits = float(input_ids) + w, [1, 4], with w in a file.
func externalModel(location string) []byte {
	message := func(field protowire.Number, content ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), slices.Concat(content...))
	}
	text := func(field protowire.Number, s string) []byte { return message(field, []byte(s)) }
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	entry := func(key, value string) []byte { return message(13, text(1, key), text(2, value)) }
	const float, int64s = 1, 7
	value := func(field protowire.Number, name string, element uint64) []byte {
		shape := message(2, message(1, number(1, 1)), message(1, number(1, 4)))
		return message(field, text(1, name), message(2, message(1, number(1, element), shape)))
	}
	graph := message(7,
		message(1, text(1, "input_ids"), text(2, "f"), text(4, "Cast"), message(5, text(1, "to"), number(3, float), number(20, 2))),
		message(1, text(1, "f"), text(1, "w"), text(2, "logits"), text(4, "Add")),
		text(2, "external"),
		message(5, number(1, 4), number(2, float), text(8, "w"), entry("location", location), entry("offset", "0"), entry("length", "16"), number(14, 1)),
		value(11, "input_ids", int64s), value(12, "logits", float))
	return slices.Concat(number(1, 9), graph, message(8, text(1, ""), number(2, 20)))
}
