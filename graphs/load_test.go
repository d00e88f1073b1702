package graphs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

const loadLabels = 3

// checkpoint is a Hugging Face directory in the making.
type checkpoint struct {
	config  []byte
	tensors map[string]safetensors.Tensor
}

// tinyCheckpoint holds every tensor of the tiny model under its full name.
func tinyCheckpoint(t *testing.T) *checkpoint {
	t.Helper()
	c := &checkpoint{config: tinyJSON(t, nil), tensors: map[string]safetensors.Tensor{}}
	r := newRandom(1)
	for _, v := range tinyModel(t, "gelu").Graph.Parameters {
		x := fill(v.Shape, 0, 0, r.NormFloat64)
		c.set(v.Name, x.Shape...)
	}
	return c
}

// set puts a tensor of that name and shape, with elements of its own.
func (c *checkpoint) set(name string, shape ...int) {
	x := make([]float32, graphs.StaticShape(shape...).Product().Coef)
	for i := range x {
		x[i] = float32(len(name)) + float32(i)/1024
	}
	c.tensors[name] = safetensors.FromFloat32s(name, shape, x)
}

// rename gives every tensor the name that f makes of its own; "" drops it.
func (c *checkpoint) rename(f func(string) string) {
	out := map[string]safetensors.Tensor{}
	for name, x := range c.tensors {
		if x.Name = f(name); x.Name != "" {
			out[x.Name] = x
		}
	}
	c.tensors = out
}

// write makes the directory.
func (c *checkpoint) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), c.config, 0o644); err != nil {
		t.Fatal(err)
	}
	list := []safetensors.Tensor{}
	for _, x := range c.tensors {
		list = append(list, x)
	}
	if err := safetensors.WriteFile(filepath.Join(dir, "model.safetensors"), list, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The same weights arrive whatever a checkpoint calls them and whatever it holds besides.
func TestLoadNames(t *testing.T) {
	want := tinyCheckpoint(t).tensors
	bare := func(name string) string { return strings.TrimPrefix(name, "bert.") }
	for _, c := range []struct {
		name   string
		change func(*checkpoint)
	}{
		{"full names", func(*checkpoint) {}},
		{"bare encoder names", func(c *checkpoint) { c.rename(bare) }},
		{"LayerNorm names of the first checkpoints", func(c *checkpoint) {
			c.rename(func(name string) string {
				name = strings.Replace(name, "LayerNorm.weight", "LayerNorm.gamma", 1)
				return strings.Replace(name, "LayerNorm.bias", "LayerNorm.beta", 1)
			})
		}},
		{"other heads", func(c *checkpoint) {
			c.set("cls.predictions.bias", 11)
			c.set("cls.seq_relationship.weight", 2, 8)
			c.set("bert.embeddings.position_ids", 1, 9)
		}},
		{"position ids of a bare encoder", func(c *checkpoint) {
			c.rename(bare)
			c.set("embeddings.position_ids", 1, 9)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := tinyCheckpoint(t)
			c.change(files)
			m, err := graphs.Load(files.write(t), loadLabels, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Initialised) != 0 || len(m.Weights) != len(m.Graph.Parameters) {
				t.Errorf("%d weights, initialised %v", len(m.Weights), m.Initialised)
			}
			for i, w := range m.Weights {
				p := m.Graph.Parameters[i]
				x, err := want[w.Name].Float32s(nil)
				if err != nil {
					t.Fatal(err)
				}
				if w.Name != p.Name || !slices.Equal(w.Shape, want[w.Name].Shape) || !slices.Equal(w.Data, x) {
					t.Errorf("weight %d, %s %v, is not %s", i, w.Name, w.Shape, p.Name)
				}
			}
		})
	}
}

// What a pretrained checkpoint lacks is drawn from the seed, and said.
func TestLoadInitialises(t *testing.T) {
	pooler := []string{"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
	classifier := []string{"classifier.weight", "classifier.bias"}
	without := func(names ...string) func(*checkpoint) {
		return func(c *checkpoint) {
			for _, name := range names {
				delete(c.tensors, name)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*checkpoint)
		want   []string
	}{
		{"classifier", without(classifier...), classifier},
		{"pooler and classifier", without(slices.Concat(pooler, classifier)...), slices.Concat(pooler, classifier)},
		{"one bias", without("classifier.bias"), []string{"classifier.bias"}},
		{"classifier of other classes", func(c *checkpoint) {
			c.set("classifier.weight", 2, 8)
			c.set("classifier.bias", 2)
		}, classifier},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := tinyCheckpoint(t)
			c.change(files)
			m, err := graphs.Load(files.write(t), loadLabels, 1)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(m.Initialised, c.want) {
				t.Errorf("initialised %v, not %v", m.Initialised, c.want)
			}
		})
	}
}

// Only the bias of a new regression head is set to the mean of the targets.
func TestCentreHead(t *testing.T) {
	const mean = 301.5
	for _, c := range []struct {
		name   string
		labels int
		change func(*checkpoint)
		want   string
	}{
		{"new regression", 1, func(*checkpoint) {}, "classifier.bias"},
		{"regression of the checkpoint", 1, func(c *checkpoint) {
			c.set("classifier.weight", 1, 8)
			c.set("classifier.bias", 1)
		}, ""},
		{"new classes", 2, func(*checkpoint) {}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := tinyCheckpoint(t)
			c.change(files)
			dir := files.write(t)
			before, err := graphs.Load(dir, c.labels, 1)
			if err != nil {
				t.Fatal(err)
			}
			m, err := graphs.Load(dir, c.labels, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.CentreHead(mean); got != c.want {
				t.Errorf("set %q, not %q", got, c.want)
			}
			for i, w := range m.Weights {
				switch {
				case w.Name == c.want:
					if !slices.Equal(w.Data, []float32{mean}) {
						t.Errorf("%s is %v", w.Name, w.Data)
					}
				case !slices.Equal(w.Data, before.Weights[i].Data):
					t.Errorf("%s has changed", w.Name)
				}
			}
		})
	}
}

// The fresh head is N(0, initializer_range²) with zero biases, a function of the seed and the tensor alone.
func TestInitialisation(t *testing.T) {
	const width, spread = 64, 0.3
	files := &checkpoint{tensors: map[string]safetensors.Tensor{}}
	config := tinyConfig("gelu")
	config.HiddenSize = width
	files.config = tinyJSON(t, map[string]any{"hidden_size": width, "initializer_range": spread})
	for _, v := range newModel(t, config).Graph.Parameters {
		if !strings.Contains(v.Name, "pooler") && !strings.Contains(v.Name, "classifier") {
			files.set(v.Name, fill(v.Shape, 0, 0, func() float64 { return 0 }).Shape...)
		}
	}
	dir := files.write(t)
	load := func(labels int, seed uint64) map[string][]float32 {
		m, err := graphs.Load(dir, labels, seed)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]float32{}
		for _, w := range m.Weights {
			out[w.Name] = w.Data
		}
		return out
	}
	first := load(loadLabels, 7)
	for _, name := range []string{"bert.pooler.dense.bias", "classifier.bias"} {
		if slices.ContainsFunc(first[name], func(x float32) bool { return x != 0 }) {
			t.Errorf("%s is %v", name, first[name])
		}
	}
	for _, name := range []string{"bert.pooler.dense.weight", "classifier.weight"} {
		n, mean, square := float64(len(first[name])), 0.0, 0.0
		for _, x := range first[name] {
			mean += float64(x) / n
			square += float64(x) * float64(x) / n
		}
		// Of n draws the mean has standard error σ/√n, the standard deviation about σ/√2n; five of them.
		if deviation := math.Sqrt(square); math.Abs(mean) > 5*spread/math.Sqrt(n) || math.Abs(deviation-spread) > 5*spread/math.Sqrt(2*n) {
			t.Errorf("seed 7: %s has mean %v and standard deviation %v of %v draws; wanted 0 and %v", name, mean, deviation, n, spread)
		}
		if !slices.Equal(first[name], load(loadLabels, 7)[name]) {
			t.Errorf("%s differs at the same seed", name)
		}
		if slices.Equal(first[name], load(loadLabels, 8)[name]) {
			t.Errorf("%s is the same at another seed", name)
		}
	}
	if pooler := "bert.pooler.dense.weight"; !slices.Equal(first[pooler], load(loadLabels+1, 7)[pooler]) {
		t.Error("the pooler depends on the number of labels")
	}
	if slices.Equal(first["bert.pooler.dense.weight"][:8], first["classifier.weight"][:8]) {
		t.Error("pooler and classifier begin with the same draws")
	}
}

func TestLoadErrors(t *testing.T) {
	const key = "bert.encoder.layer.1.attention.self.key.weight"
	for _, c := range []struct {
		name   string
		labels int
		change func(*checkpoint)
		want   []string
	}{
		{"missing encoder tensor", loadLabels, func(c *checkpoint) { delete(c.tensors, key) }, []string{key, "[8 8]", "missing"}},
		{"missing LayerNorm", loadLabels, func(c *checkpoint) { delete(c.tensors, "bert.embeddings.LayerNorm.bias") }, []string{"bert.embeddings.LayerNorm.bias", "[8]", "missing"}},
		{"encoder tensor of another shape", loadLabels, func(c *checkpoint) { c.set(key, 8, 4) }, []string{key, "[8 4]", "[8 8]"}},
		{"transposed tensor", loadLabels, func(c *checkpoint) { c.set("bert.encoder.layer.0.intermediate.dense.weight", 8, 12) }, []string{"intermediate.dense.weight", "[8 12]", "[12 8]"}},
		{"pooler of another shape", loadLabels, func(c *checkpoint) { c.set("bert.pooler.dense.weight", 4, 4) }, []string{"bert.pooler.dense.weight", "[4 4]", "[8 8]"}},
		{"vocabulary of another size", loadLabels, func(c *checkpoint) { c.set(words, 12, 8) }, []string{words, "[12 8]", "[11 8]"}},
		{"unexpected tensor", loadLabels, func(c *checkpoint) { c.set("lm_head.weight", 11, 8) }, []string{`"lm_head.weight"`, "[11 8]", "unexpected", "bert"}},
		{"unexpected encoder tensor", loadLabels, func(c *checkpoint) { c.set("bert.encoder.layer.2.output.dense.bias", 8) }, []string{"layer.2.output.dense.bias", "unexpected"}},
		{"tensor under both names", loadLabels, func(c *checkpoint) { c.set("embeddings.LayerNorm.bias", 8) }, []string{"embeddings.LayerNorm.bias", "bert.embeddings.LayerNorm.bias", "twice"}},
		{"integer tensor", loadLabels, func(c *checkpoint) {
			x := c.tensors[key]
			x.DType = safetensors.I32
			c.tensors[key] = x
		}, []string{key, "I32"}},
		{"no labels", 0, func(*checkpoint) {}, []string{"labels"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := tinyCheckpoint(t)
			c.change(files)
			dir := files.write(t)
			_, err := graphs.Load(dir, c.labels, 1)
			says(t, err, c.want...)
			if !errors.Is(err, graphs.ErrModel) {
				t.Errorf("error %v does not wrap ErrModel", err)
			}
			if c.labels > 0 {
				says(t, err, filepath.Join(dir, "model.safetensors"))
			}
		})
	}
}

func TestLoadBrokenDirectories(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		is    error
		want  []string
	}{
		{"no weights", func(dir string) error { return os.Remove(filepath.Join(dir, "model.safetensors")) }, fs.ErrNotExist, []string{"model.safetensors", "save_pretrained"}},
		{"truncated weights", func(dir string) error { return os.Truncate(filepath.Join(dir, "model.safetensors"), 5000) }, safetensors.ErrCorrupt, []string{"model.safetensors"}},
		{"empty weights", func(dir string) error { return os.Truncate(filepath.Join(dir, "model.safetensors"), 0) }, safetensors.ErrCorrupt, []string{"model.safetensors"}},
		{"no configuration", func(dir string) error { return os.Remove(filepath.Join(dir, "config.json")) }, fs.ErrNotExist, []string{"config.json"}},
		{"configuration of another model", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "config.json"), tinyJSON(t, map[string]any{"num_hidden_layers": 1}), 0o644)
		}, graphs.ErrModel, []string{"bert.encoder.layer.1.", "unexpected"}},
		{"configuration that asks for more than there is", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "config.json"), tinyJSON(t, map[string]any{"vocab_size": 1 << 24, "hidden_size": 128}), 0o644)
		}, graphs.ErrModel, []string{"[16777216 128]", "[11 8]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tinyCheckpoint(t).write(t)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := graphs.Load(dir, loadLabels, 1)
			says(t, err, c.want...)
			if !errors.Is(err, graphs.ErrModel) || !errors.Is(err, c.is) {
				t.Errorf("error %v does not wrap ErrModel and %v", err, c.is)
			}
		})
	}
}

// Half precision checkpoints load as the floats they stand for.
func TestLoadHalfPrecision(t *testing.T) {
	files := tinyCheckpoint(t)
	const name = "bert.embeddings.LayerNorm.weight"
	files.tensors[name] = safetensors.Tensor{Name: name, DType: safetensors.F16, Shape: []int{8}, Data: []byte(strings.Repeat("\x00\x3e", 8))} // 1.5
	m, err := graphs.Load(files.write(t), loadLabels, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Weights {
		if w.Name == name && fmt.Sprint(w.Data) != "[1.5 1.5 1.5 1.5 1.5 1.5 1.5 1.5]" {
			t.Errorf("%s is %v", name, w.Data)
		}
	}
}

// goldenTensors are those of a golden model but for the ones whose names begin with a prefix.
func goldenTensors(t *testing.T, model string, without ...string) map[string]safetensors.Tensor {
	t.Helper()
	file, err := safetensors.Open(filepath.Join(goldens, model, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	out := map[string]safetensors.Tensor{}
	for _, name := range file.Names() {
		if !slices.ContainsFunc(without, func(p string) bool { return strings.HasPrefix(name, p) }) {
			out[name], _ = file.Tensor(name)
		}
	}
	return out
}
