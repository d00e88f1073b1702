package stock_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// oracle is what graphs/eval computes for a batch in float64: logits, and the gradient of each parameter by name.
func oracle(t *testing.T, m *graphs.Model, o graphs.Options, noiseGradient bool, b *driver.Batch, dlogits []float32) (logits []float64, grads map[string][]float64) {
	t.Helper()
	p, err := m.Compile(o, noiseGradient)
	if err != nil {
		t.Fatal(err)
	}
	available := map[string]eval.Tensor{}
	put := func(name string, shape []int, data []float64) {
		available[name] = eval.Tensor{Shape: shape, Data: data}
	}
	put("input_ids", []int{b.Size, b.Tokens}, widen(b.InputIDs))
	put("attention_mask", []int{b.Size, b.Tokens}, widen(b.AttentionMask))
	put("token_type_ids", []int{b.Size, b.Tokens}, widen(b.TypeIDs))
	put(graphs.NoiseInput, []int{b.Size, b.Tokens, m.Config.HiddenSize}, widen(b.Noise))
	for i, v := range p.Masks {
		put(v.Name, sizes(v, b), widen(b.Masks[i]))
	}
	for _, w := range m.Weights {
		put(w.Name, w.Shape, widen(w.Data))
	}
	forward := evaluate(t, p.Forward, available)
	maps.Copy(available, forward)
	dv := p.Backward.Input("dlogits")
	put("dlogits", sizes(dv, b), widen(dlogits[:len(forward["logits"].Data)]))
	backward := evaluate(t, p.Backward, available)
	grads = map[string][]float64{}
	for name, x := range backward {
		if name, ok := strings.CutPrefix(name, "d."); ok {
			grads[name] = x.Data
		}
	}
	for _, table := range p.RowTables {
		v := p.Forward.Parameter(table.Parameter)
		width := v.Shape[1].Coef
		sum := make([]float64, v.Shape.Product().Coef)
		for i := range table.Rows {
			for j, row := range backward[table.Indices[i]].Data {
				for k, x := range backward[table.Rows[i]].Data[j*width : (j+1)*width] {
					sum[int(row)*width+k] += x
				}
			}
		}
		grads[table.Parameter] = sum
	}
	return forward["logits"].Data, grads
}

// evaluate runs a graph on those of the available tensors that it reads.
func evaluate(t *testing.T, g *graphs.Graph, available map[string]eval.Tensor) map[string]eval.Tensor {
	t.Helper()
	feeds := map[string]eval.Tensor{}
	for _, v := range append(append([]*graphs.Value{}, g.Inputs...), g.Parameters...) {
		feeds[v.Name] = available[v.Name]
	}
	out, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func widen[T int64 | float32 | uint8](x []T) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func sizes(v *graphs.Value, b *driver.Batch) []int {
	var out []int
	for _, d := range v.Shape {
		out = append(out, d.Size(b.Size, b.Tokens))
	}
	return out
}

// agree fails where got is further from want than 1e-4 of the largest value of scale.
func agree(t *testing.T, what string, got []float32, want, scale []float64) {
	t.Helper()
	largest, diff := 1e-30, 0.0
	for i := range want {
		diff, largest = max(diff, math.Abs(float64(got[i])-want[i])), max(largest, math.Abs(scale[i%len(scale)]))
	}
	if len(got) != len(want) || !(diff <= 1e-4*largest) {
		t.Errorf("%s: %d elements, want %d, which differ by %.2g of the largest", what, len(got), len(want), diff/largest)
	}
}

// The emitted graphs in ONNX Runtime compute what the float64 evaluator does: every variant, with and without
// dropout, with the last layer whole and for its first row; logits, every gradient and that of the noise.
func TestEngineEqualsEvaluator(t *testing.T) {
	const seed = 41
	r := rand.New(rand.NewPCG(seed, 0))
	for _, model := range []struct {
		name string
		m    *graphs.Model
	}{{"tiny", tiny(t)}, {"wide", wide(t, seed)}} {
		for _, o := range []stock.Options{{}, {Dropout: 0.1, NoiseGradient: true}, {Dropout: 0.1, WholeSequence: true}} {
			e := newEngine(t, model.m, o)
			for _, v := range []driver.Variant{driver.Clean, driver.Noised, driver.Doubled} {
				what := fmt.Sprintf("seed %d, %s, %+v, variant %d", seed, model.name, o, v)
				b := randomBatch(t, e, v, 3, 7, r)
				dlogits := normals(r, 2*3*3, 1)
				noise := o.NoiseGradient && v != driver.Clean
				wantLogits, want := oracle(t, model.m, graphs.Options{Doubled: v == driver.Doubled, Noise: v == driver.Noised, Dropout: o.Dropout, WholeSequence: o.WholeSequence}, noise, b, dlogits)
				if err := e.ZeroGradients(); err != nil {
					t.Fatal(err)
				}
				agree(t, what+": logits", run(t, e, b, dlogits), wantLogits, wantLogits)
				for name, got := range gradients(t, e) {
					// A key bias moves all scores of a row alike: its gradient is 0 but for rounding.
					agree(t, what+": gradient of "+name, got, want[name], want[strings.Replace(name, "self.key.bias", "self.query.bias", 1)])
				}
				got, err := e.NoiseGradient()
				if (err == nil) != noise {
					t.Errorf("%s: noise gradient of %d elements, %v", what, len(got), err)
				}
				if noise {
					agree(t, what+": gradient of the noise", got, want[graphs.NoiseInput], want[graphs.NoiseInput])
				}
			}
			// Evaluation is a clean pass without dropout.
			b := randomBatch(t, e, driver.Evaluate, 3, 7, r)
			logits, err := e.Forward(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := oracle(t, model.m, graphs.Options{}, false, b, make([]float32, 9))
			agree(t, fmt.Sprintf("seed %d, %s, %+v, evaluation", seed, model.name, o), logits, want, want)
		}
	}
}
