package graphs_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

const (
	tinyBatch, tinyTokens = 3, 4
	tinyClasses           = 3
	tinyDropout           = 0.3
	words                 = "bert.embeddings.word_embeddings.weight"
)

func tinyConfig(act string) *graphs.Config {
	return &graphs.Config{ModelType: "bert", VocabSize: 11, HiddenSize: 8, NumLayers: 2, NumHeads: 2, IntermediateSize: 12,
		MaxPositions: 9, TypeVocabSize: 2, HiddenAct: act, LayerNormEps: 1e-12, InitializerRange: 0.02}
}

func newModel(t *testing.T, c *graphs.Config) *graphs.Model {
	t.Helper()
	m, err := graphs.NewModel(c, tinyClasses)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tinyModel is a BERT of 8 channels and 2 layers for 3 classes.
func tinyModel(t *testing.T, act string) *graphs.Model {
	t.Helper()
	return newModel(t, tinyConfig(act))
}

// familyModels holds the golden models of every family but BERT's by their directory, without their weights.
func familyModels(t *testing.T) map[string]*graphs.Model {
	t.Helper()
	out := map[string]*graphs.Model{}
	for _, g := range goldenModels(t) {
		c, err := graphs.ReadConfig(filepath.Join(goldens, g.name))
		if err != nil {
			t.Fatal(err)
		}
		if c.ModelType != "bert" {
			out[strings.TrimPrefix(g.name, "tiny-")] = newModel(t, c)
		}
	}
	return out
}

func compile(t *testing.T, m *graphs.Model, o graphs.Options, noiseGradient bool) *graphs.Program {
	t.Helper()
	p, err := m.Compile(o, noiseGradient)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tinyFeeds draws a batch, noise, masks for a program and weights large enough that every gradient matters.
func tinyFeeds(m *graphs.Model, p *graphs.Program, r *rand.Rand) map[string]eval.Tensor {
	feeds := map[string]eval.Tensor{}
	for _, v := range m.Graph.Parameters {
		shift := 0.0
		if name := strings.ToLower(v.Name); strings.Contains(name, "norm") && strings.HasSuffix(name, ".weight") {
			shift = 1
		}
		feeds[v.Name] = fill(v.Shape, 0, 0, func() float64 { return shift + 0.4*r.NormFloat64() })
	}
	tokens := graphs.Shape{dimB, dimT}
	uniform := func(n int) func() float64 { return func() float64 { return float64(r.IntN(n)) } }
	feeds["input_ids"] = fill(tokens, tinyBatch, tinyTokens, uniform(m.Config.VocabSize))
	feeds["token_type_ids"] = fill(tokens, tinyBatch, tinyTokens, uniform(max(1, m.Config.TypeVocabSize)))
	mask := fill(tokens, tinyBatch, tinyTokens, func() float64 { return 1 })
	mask.Data[2*tinyTokens-1], mask.Data[3*tinyTokens-1], mask.Data[3*tinyTokens-2] = 0, 0, 0 // padding
	feeds["attention_mask"] = mask
	feeds[graphs.NoiseInput] = fill(graphs.Shape{dimB, dimT, dim(m.Config.EmbeddingSize)}, tinyBatch, tinyTokens, r.NormFloat64)
	for _, site := range p.Masks {
		feeds[site.Name] = fill(site.Shape, tinyBatch, tinyTokens, func() float64 {
			if r.Float64() < tinyDropout {
				return 0
			}
			return 1
		})
	}
	return feeds
}

// backward runs both graphs of a program for ∂L/∂logits and returns the logits and the gradients by name, row
// gradients as whole tables.
func backward(t *testing.T, p *graphs.Program, feeds map[string]eval.Tensor, dlogits eval.Tensor) (logits eval.Tensor, grads map[string]eval.Tensor) {
	t.Helper()
	forward := run(t, p.Forward, feeds)
	read := maps.Clone(feeds)
	for _, name := range p.Saved {
		read[name] = forward[name]
	}
	read["dlogits"] = dlogits
	out := run(t, p.Backward, read)
	grads = map[string]eval.Tensor{}
	for _, name := range p.Dense {
		grads[name] = out["d."+name]
	}
	for _, table := range p.RowTables {
		sum := filled(feeds[table.Parameter].Shape, func() float64 { return 0 })
		for i := range table.Rows {
			addRows(sum, out[table.Indices[i]], out[table.Rows[i]])
		}
		grads[table.Parameter] = sum
	}
	if p.NoiseGradient {
		grads[graphs.NoiseInput] = out["d."+graphs.NoiseInput]
	}
	return forward["logits"], grads
}

var variants = []graphs.Options{
	{}, {Dropout: tinyDropout},
	{Noise: true}, {Noise: true, Dropout: tinyDropout},
	{Doubled: true}, {Doubled: true, Dropout: tinyDropout},
}

// Every gradient of whole models against finite differences of the logits, dropout masks and noise included.
func TestModelGradients(t *testing.T) {
	large := tinyConfig("gelu")
	large.VocabSize, large.NumLayers = graphs.RowTableSize, 1
	deep := tinyConfig("tanh")
	deep.NumLayers, deep.NumHeads = 3, 1
	for name, config := range map[string]*graphs.Config{
		"gelu": tinyConfig("gelu"), "gelu_new": tinyConfig("gelu_new"), "relu": tinyConfig("relu"),
		"large vocabulary": large, "three layers, one head, tanh": deep,
	} {
		for i, o := range variants {
			t.Run(fmt.Sprintf("%s/%+v", name, o), func(t *testing.T) {
				t.Logf("seed %d", i)
				checkModelGradients(t, newModel(t, config), o, newRandom(uint64(i)))
			})
		}
	}
	for name, m := range familyModels(t) {
		t.Run(name, func(t *testing.T) {
			t.Logf("seed 0")
			checkJointGradient(t, m, graphs.Options{Doubled: true, Dropout: tinyDropout}, newRandom(0))
		})
	}
}

// checkJointGradient moves all parameters and the noise at once, for models whose every gradient has a golden.
func checkJointGradient(t *testing.T, m *graphs.Model, o graphs.Options, r *rand.Rand) {
	p := compile(t, m, o, true)
	feeds := tinyFeeds(m, p, r)
	logits := p.Forward.Outputs[0]
	u := fill(logits.Shape, tinyBatch, tinyTokens, r.NormFloat64)
	_, grads := backward(t, p, feeds, u)
	forward := *p.Forward
	forward.Outputs = []*graphs.Value{logits}

	directions, product := map[string]eval.Tensor{}, 0.0
	for _, name := range slices.Sorted(maps.Keys(grads)) {
		directions[name] = filled(feeds[name].Shape, r.NormFloat64)
		product += dot(grads[name], directions[name])
	}
	f := func(h float64) eval.Tensor {
		moved := maps.Clone(feeds)
		for name, v := range directions {
			moved[name] = plus(feeds[name], h, v)
		}
		if o.Doubled { // as in checkModelGradients
			moved[graphs.NoiseInput] = plus(moved[graphs.NoiseInput], -h, lookup(directions[m.WordEmbedding], feeds["input_ids"]))
		}
		return run(t, &forward, moved)["logits"]
	}
	if d := directional(f, u, product); !(d < 1e-6) {
		t.Errorf("the gradient is off by %.2g of its size", d)
	}
	if len(grads) != len(m.Graph.Parameters)+1 {
		t.Errorf("%d gradients of %d tensors", len(grads), len(m.Graph.Parameters)+1)
	}
}

func checkModelGradients(t *testing.T, m *graphs.Model, o graphs.Options, r *rand.Rand) {
	p := compile(t, m, o, o.Noise || o.Doubled)
	feeds := tinyFeeds(m, p, r)
	logits := p.Forward.Outputs[0]
	u := fill(logits.Shape, tinyBatch, tinyTokens, r.NormFloat64)
	_, grads := backward(t, p, feeds, u)

	// Only the logits are needed, not what is saved.
	forward := *p.Forward
	forward.Outputs = []*graphs.Value{logits}
	names := []string{}
	for _, v := range m.Graph.Parameters {
		names = append(names, v.Name)
	}
	if p.NoiseGradient {
		names = append(names, graphs.NoiseInput)
	}
	if len(grads) != len(names) {
		t.Errorf("%d gradients of %d tensors", len(grads), len(names))
	}
	for _, name := range names {
		for range 2 {
			v := filled(feeds[name].Shape, r.NormFloat64)
			f := func(h float64) eval.Tensor {
				moved := maps.Clone(feeds)
				moved[name] = plus(feeds[name], h, v)
				if name == m.WordEmbedding && o.Doubled { // the noised half reads the table through a stopped gradient:
					moved[graphs.NoiseInput] = plus(feeds[graphs.NoiseInput], -h, lookup(v, feeds["input_ids"])) // hold it where it is
				}
				return run(t, &forward, moved)["logits"]
			}
			if d := directional(f, u, dot(grads[name], v)); !(d < 1e-6) {
				t.Errorf("the gradient of %s is off by %.2g of its size", name, d)
			}
		}
	}
}

// lookup reads the rows of a table.
func lookup(table, ids eval.Tensor) eval.Tensor {
	width := table.Shape[1]
	out := eval.Tensor{Shape: append(slices.Clone(ids.Shape), width)}
	for _, id := range ids.Data {
		out.Data = append(out.Data, table.Data[int(id)*width:][:width]...)
	}
	return out
}
