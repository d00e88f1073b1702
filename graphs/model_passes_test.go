package graphs_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// firstRow reads index 0 along every axis on which a mask of the whole sequence is longer than want.
func firstRow(t *testing.T, whole eval.Tensor, want []int) eval.Tensor {
	t.Helper()
	g, b := newGraph()
	x := b.Input("x", graphs.Float32, graphs.StaticShape(whole.Shape...)...)
	y := b.Add(x, b.Scalar(0))
	for axis, d := range want {
		if d != whole.Shape[axis] {
			y = b.Op("Gather", graphs.Attrs{"axis": int64(axis)}, y, b.Ints(0))
		}
	}
	y.Name, g.Outputs = "y", []*graphs.Value{y}
	out := run(t, g, map[string]eval.Tensor{"x": whole})["y"]
	if !slices.Equal(out.Shape, want) {
		t.Fatalf("a mask of shape %v does not hold one of shape %v", whole.Shape, want)
	}
	return out
}

// sameGradients compares every gradient. What is rounding noise alone, key biases above all, may differ.
func sameGradients(t *testing.T, got, want map[string]eval.Tensor, tolerance float64) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("gradients of %v, not of %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		noise := 1e-15
		if keyBias.MatchString(name) {
			noise = 1e-13
		}
		if d := distance(got[name], want[name]); !(d <= tolerance) && !(largest(plus(got[name], -1, want[name])) <= noise) {
			t.Errorf("the gradient of %s differs by %.2g of its size", name, d)
		}
	}
}

// familyVariants are those that the families besides BERT are compared under.
var familyVariants = []graphs.Options{{Dropout: tinyDropout}, {Noise: true}, {Doubled: true, Dropout: tinyDropout}}

// Computing the last layer for the [CLS] row alone changes no logit and no gradient.
func TestRowSelectionIsExact(t *testing.T) {
	for i, o := range variants {
		for _, act := range []string{"gelu", "gelu_new", "relu"} {
			t.Run(fmt.Sprintf("bert %s/%+v", act, o), func(t *testing.T) {
				t.Logf("seed %d", i)
				m := tinyModel(t, act)
				got := compareRowSelection(t, m, o, newRandom(uint64(i)))
				if o.Dropout > 0 && got.shorter != 3 { // attention probabilities and the two residual branches
					t.Errorf("%d masks of the last layer are for one row, not 3", got.shorter)
				}
				c := m.Config
				examples := tinyBatch
				if o.Doubled {
					examples *= 2
				}
				// Of the last layer's products, query, output and both feed-forward matrices work on one row
				// instead of T, and so do scores and weighted values.
				spared := (tinyTokens - 1) * examples * (2*c.HiddenSize*c.HiddenSize + 2*c.HiddenSize*c.IntermediateSize + 2*c.HiddenSize*tinyTokens)
				if got.forward != spared {
					t.Errorf("the forward graph is spared %d multiplications, not %d", got.forward, spared)
				}
				// The same again for either operand's gradient.
				if got.backward != 2*spared {
					t.Errorf("the backward graph is spared %d multiplications, not %d", got.backward, 2*spared)
				}
			})
		}
	}
	for i, o := range familyVariants {
		for name, m := range familyModels(t) {
			t.Run(fmt.Sprintf("%s/%+v", name, o), func(t *testing.T) {
				t.Logf("seed %d", i)
				got := compareRowSelection(t, m, o, newRandom(uint64(i)))
				if m.Config.Fields()["classifier_pooling"] == "mean" { // the head reads every row
					if got != (rowSavings{}) {
						t.Errorf("rows are left out: %+v", got)
					}
				} else if (got.shorter > 0) != (o.Dropout > 0) || got.forward <= 0 || got.backward <= 0 {
					t.Errorf("the last layer is not computed for one row: %+v", got)
				}
			})
		}
	}
}

// rowSavings is what computing the last layer for one row saves.
type rowSavings struct{ shorter, forward, backward int } // masks for one row, multiplications

// compareRowSelection compares a model's logits and gradients with and without the row pass.
func compareRowSelection(t *testing.T, m *graphs.Model, o graphs.Options, r *rand.Rand) rowSavings {
	t.Helper()
	gradient := o.Noise || o.Doubled
	rows := compile(t, m, o, gradient)
	whole := o
	whole.WholeSequence = true
	all := compile(t, m, whole, gradient)

	feeds := tinyFeeds(m, all, r)
	short := maps.Clone(feeds)
	if len(rows.Masks) != len(all.Masks) || (len(all.Masks) > 0) != (o.Dropout > 0) {
		t.Fatalf("%d and %d masks", len(rows.Masks), len(all.Masks))
	}
	saved := rowSavings{
		forward:  multiplications(all.Forward) - multiplications(rows.Forward),
		backward: multiplications(all.Backward) - multiplications(rows.Backward),
	}
	for k, site := range rows.Masks {
		want := fill(site.Shape, tinyBatch, tinyTokens, func() float64 { return 0 })
		short[site.Name] = firstRow(t, feeds[all.Masks[k].Name], want.Shape)
		if len(want.Data) < len(feeds[site.Name].Data) {
			saved.shorter++
		}
	}
	u := fill(all.Forward.Outputs[0].Shape, tinyBatch, tinyTokens, r.NormFloat64)
	wantLogits, want := backward(t, all, feeds, u)
	gotLogits, got := backward(t, rows, short, u)
	if d := distance(gotLogits, wantLogits); !(d <= 1e-12) {
		t.Errorf("the logits differ by %.2g", d)
	}
	sameGradients(t, got, want, 1e-12)
	return saved
}

// multiplications counts those of all matrix products for the tiny batch.
func multiplications(g *graphs.Graph) int {
	n := 0
	for _, node := range g.Nodes {
		a := node.Inputs[0].Shape
		switch node.Op {
		case "MatMul":
			n += node.Outputs[0].Shape.Product().Mul(a[len(a)-1]).Size(tinyBatch, tinyTokens)
		case "Gemm":
			n += node.Outputs[0].Shape.Product().Mul(a[1-node.Attrs.Int("transA", 0)]).Size(tinyBatch, tinyTokens)
		}
	}
	return n
}

// half returns the clean (0) or the noised (1) half of a doubled tensor.
func half(x eval.Tensor, k int) eval.Tensor {
	n := len(x.Data) / 2
	shape := slices.Clone(x.Shape)
	shape[0] /= 2
	return eval.Tensor{Shape: shape, Data: x.Data[k*n:][:n]}
}

// One doubled batch is two passes: their logits, and the sum of their gradients, except that the word embedding
// learns from the clean pass alone.
func TestDoubledBatchIsTwoPasses(t *testing.T) {
	bert := tinyModel(t, "gelu")
	for seed, dropout := range []float64{0, tinyDropout} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("bert/dropout %v, whole %v", dropout, whole), func(t *testing.T) {
				t.Logf("seed %d", seed)
				compareDoubled(t, bert, graphs.Options{Dropout: dropout, WholeSequence: whole}, newRandom(uint64(seed)))
			})
		}
	}
	for name, m := range familyModels(t) {
		t.Run(name, func(t *testing.T) {
			t.Logf("seed 0")
			compareDoubled(t, m, graphs.Options{Dropout: tinyDropout}, newRandom(0))
		})
	}
}

// passModels holds a tiny BERT and the other families' models.
func passModels(t *testing.T) map[string]*graphs.Model {
	t.Helper()
	out := familyModels(t)
	out["bert"] = tinyModel(t, "gelu")
	return out
}

// perPass reports whether the mask of a dropout site holds one half for each of the two passes, as that of a table
// which both passes read does not.
func perPass(doubled *graphs.Program, site *graphs.Value) bool {
	i := slices.IndexFunc(doubled.Masks, func(v *graphs.Value) bool { return v.Name == site.Name })
	return doubled.Masks[i].Shape[0].B > 0
}

func compareDoubled(t *testing.T, m *graphs.Model, o graphs.Options, r *rand.Rand) {
	t.Helper()
	with := func(doubled, noise bool) graphs.Options {
		o := o
		o.Doubled, o.Noise = doubled, noise
		return o
	}
	doubled, clean, noised := compile(t, m, with(true, false), true), compile(t, m, o, false), compile(t, m, with(false, true), true)
	feeds := tinyFeeds(m, doubled, r)
	u := fill(doubled.Forward.Outputs[0].Shape, tinyBatch, tinyTokens, r.NormFloat64)
	logits, got := backward(t, doubled, feeds, u)

	passes := []map[string]eval.Tensor{}
	for k, p := range []*graphs.Program{clean, noised} {
		own := maps.Clone(feeds)
		for _, site := range p.Masks {
			if !perPass(doubled, site) {
				continue
			}
			own[site.Name] = half(feeds[site.Name], k)
		}
		y, grads := backward(t, p, own, half(u, k))
		if d := distance(half(logits, k), y); !(d <= 1e-12) {
			t.Errorf("the logits of half %d differ by %.2g", k, d)
		}
		passes = append(passes, grads)
	}
	want := map[string]eval.Tensor{graphs.NoiseInput: passes[1][graphs.NoiseInput]}
	for name, d := range passes[0] {
		if want[name] = d; name != m.WordEmbedding {
			want[name] = plus(d, 1, passes[1][name])
		}
	}
	sameGradients(t, got, want, 1e-12)
}

// Without noise and with equal masks the halves of a doubled batch are the same, bit for bit.
func TestZeroNoise(t *testing.T) {
	for name, m := range passModels(t) {
		for seed, dropout := range []float64{0, tinyDropout} {
			p := compile(t, m, graphs.Options{Doubled: true, Dropout: dropout}, false)
			feeds := tinyFeeds(m, p, newRandom(uint64(seed)))
			clear(feeds[graphs.NoiseInput].Data)
			for _, site := range p.Masks {
				if !perPass(p, site) {
					continue
				}
				copy(half(feeds[site.Name], 1).Data, half(feeds[site.Name], 0).Data)
			}
			logits := run(t, p.Forward, feeds)["logits"]
			for i, x := range half(logits, 0).Data {
				if y := half(logits, 1).Data[i]; math.Float64bits(x) != math.Float64bits(y) {
					t.Errorf("%s, seed %d, dropout %v: logit %d is %v in one half and %v in the other", name, seed, dropout, i, x, y)
				}
			}
		}
	}
}

// No pass changes what the graph computes: each graph is evaluated before and after.
func TestEachPassKeepsTheLogits(t *testing.T) {
	all := []graphs.Options{{}, {WholeSequence: true}, {Noise: true}, {Doubled: true}, {Doubled: true, WholeSequence: true}, {Dropout: tinyDropout}, {Doubled: true, Dropout: tinyDropout}}
	t.Run("bert", func(t *testing.T) { compareEachPass(t, tinyModel(t, "gelu"), all) })
	for name, m := range familyModels(t) {
		t.Run(name, func(t *testing.T) {
			compareEachPass(t, m, []graphs.Options{{Doubled: true}, {Doubled: true, Dropout: tinyDropout}})
		})
	}
}

// compareEachPass evaluates a model's graph after every pass, with dropout from the dropout pass on.
func compareEachPass(t *testing.T, m *graphs.Model, options []graphs.Options) {
	t.Helper()
	// A model without dropout markers, so that the graph can be evaluated from the first pass on.
	plain := &graphs.Model{Config: m.Config, Graph: prepare(t, m, graphs.Options{WholeSequence: true})["dropout"], WordEmbedding: m.WordEmbedding}
	for i, o := range options {
		if o.Dropout > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Logf("seed %d", i)
			feeds := tinyFeeds(m, &graphs.Program{}, newRandom(uint64(i)))
			clear(feeds[graphs.NoiseInput].Data)
			want := run(t, plain.Graph, feeds)["logits"]
			passes := []string{}
			_, err := plain.Prepare(o, func(pass string, g *graphs.Graph) {
				passes = append(passes, pass)
				got := run(t, g, feeds)["logits"]
				if o.Doubled && len(got.Data) == 2*len(want.Data) { // after the noise pass: twice the same without noise
					if d := distance(half(got, 1), want); !(d <= 1e-12) {
						t.Errorf("after pass %s the noised half differs by %.2g", pass, d)
					}
					got = half(got, 0)
				}
				if d := distance(got, want); !(d <= 1e-12) {
					t.Errorf("after pass %s the logits differ by %.2g", pass, d)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(passes, " "), "einsum rows noise dropout shift gemm fold dead"; got != want {
				t.Errorf("passes %s, not %s", got, want)
			}
		})
	}
	for i, o := range options {
		if o.Dropout == 0 {
			continue
		}
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Logf("seed %d", i)
			feeds := tinyFeeds(m, compile(t, m, o, false), newRandom(uint64(i)))
			after := prepare(t, m, o)
			want := run(t, after["dropout"], feeds)["logits"]
			for _, pass := range []string{"shift", "gemm", "fold", "dead"} {
				if d := distance(run(t, after[pass], feeds)["logits"], want); !(d <= 1e-12) {
					t.Errorf("after pass %s the logits differ by %.2g", pass, d)
				}
			}
		})
	}
}

// The passes do their work on BERT: no marker, no weight product but Gemm, no shape arithmetic on literals,
// nothing unread.
func TestPreparedModel(t *testing.T) {
	m := tinyModel(t, "gelu")
	layers, gemms := m.Config.NumLayers, 0
	for _, v := range m.Graph.Parameters {
		if len(v.Shape) == 2 && !strings.Contains(v.Name, "embeddings") {
			gemms++
		}
	}
	for _, o := range variants {
		after := prepare(t, m, o)["dead"]
		n := countOps(after)
		if n["Dropout"] != 0 || n["Gemm"] != gemms || n["MatMul"] != 2*layers { // scores and weighted values
			t.Errorf("%+v: %v", o, n)
		}
		sites := 0
		if o.Dropout > 0 {
			sites = 3*layers + 2 // embeddings and head besides
		}
		if n["DequantizeLinear"] != sites {
			t.Errorf("%+v: %d dropout sites, not %d", o, n["DequantizeLinear"], sites)
		}
		read := map[*graphs.Value]bool{after.Outputs[0]: true}
		for _, node := range after.Nodes {
			for _, v := range node.Inputs {
				read[v] = true
			}
		}
		for _, node := range after.Nodes {
			if !slices.ContainsFunc(node.Outputs, func(v *graphs.Value) bool { return read[v] }) {
				t.Errorf("%+v: nobody reads %s", o, node.Op)
			}
		}
	}
}
