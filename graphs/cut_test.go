package graphs_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// joint differentiates the prepared graph without cutting it.
func joint(t *testing.T, m *graphs.Model, o graphs.Options, feeds map[string]eval.Tensor, dlogits eval.Tensor) (eval.Tensor, map[string]eval.Tensor) {
	t.Helper()
	g := prepare(t, m, o)["dead"]
	logits := g.Outputs[0]
	wrt := slices.Clone(g.Parameters)
	if noise := g.Input(graphs.NoiseInput); noise != nil {
		wrt = append(wrt, noise)
	}
	b := graphs.NewBuilder(g)
	grads, err := b.Differentiate(logits, b.Input("dlogits", graphs.Float32, logits.Shape...), wrt)
	if err != nil {
		t.Fatal(err)
	}
	give := func(name string, y *graphs.Value) { // under a name of its own, whatever y is
		y = b.Op("StopGradient", nil, y)
		y.Name, g.Outputs = name, append(g.Outputs, y)
	}
	for _, v := range wrt {
		if d := grads.Dense[v]; d != nil {
			give("d."+v.Name, d)
		}
		for i, r := range grads.Rows[v] {
			give(fmt.Sprint("rows", i, v.Name), r.Rows)
			give(fmt.Sprint("indices", i, v.Name), r.Indices)
		}
	}
	read := maps.Clone(feeds)
	read["dlogits"] = dlogits
	out := run(t, g, read)
	result := map[string]eval.Tensor{}
	for _, v := range wrt {
		if d, ok := out["d."+v.Name]; ok {
			result[v.Name] = d
		}
		if rows := grads.Rows[v]; rows != nil {
			result[v.Name] = filled(feeds[v.Name].Shape, func() float64 { return 0 })
			for i := range rows {
				addRows(result[v.Name], out[fmt.Sprint("indices", i, v.Name)], out[fmt.Sprint("rows", i, v.Name)])
			}
		}
	}
	return out["logits"], result
}

// cutModels are the models that the cut is tested on.
func cutModels(t *testing.T) map[string]*graphs.Model {
	large := tinyConfig("gelu_new")
	large.VocabSize = graphs.RowTableSize
	return map[string]*graphs.Model{"gelu": tinyModel(t, "gelu"), "relu": tinyModel(t, "relu"), "large vocabulary": newModel(t, large)}
}

// Forward and backward graph, joined by the saved activations alone, compute what the uncut graph computes, to
// the last bit.
func TestCutEqualsJoint(t *testing.T) {
	for name, m := range cutModels(t) {
		for i, o := range variants {
			t.Run(fmt.Sprintf("%s/%+v", name, o), func(t *testing.T) {
				t.Logf("seed %d", i)
				p := compile(t, m, o, o.Noise || o.Doubled)
				r := newRandom(uint64(i))
				feeds := tinyFeeds(m, p, r)
				u := fill(p.Forward.Outputs[0].Shape, tinyBatch, tinyTokens, r.NormFloat64)
				gotLogits, got := backward(t, p, feeds, u)
				wantLogits, want := joint(t, m, o, feeds, u)
				if !slices.Equal(gotLogits.Data, wantLogits.Data) {
					t.Error("the logits differ")
				}
				sameGradients(t, got, want, 0)
			})
		}
	}
}

func names(values []*graphs.Value) []string {
	out := []string{}
	for _, v := range values {
		out = append(out, v.Name)
	}
	return out
}

// What the two graphs exchange is what the program says, and no more than is needed.
func TestProgram(t *testing.T) {
	for name, m := range cutModels(t) {
		for _, o := range variants {
			t.Run(fmt.Sprintf("%s/%+v", name, o), func(t *testing.T) {
				p := compile(t, m, o, o.Noise || o.Doubled)
				for _, g := range []*graphs.Graph{p.Forward, p.Backward} {
					if err := graphs.Check(g); err != nil {
						t.Errorf("%s: %v", g.Name, err)
					}
				}
				for _, list := range [][]*graphs.Value{p.Forward.Outputs, p.Backward.Outputs, slices.Concat(p.Backward.Inputs, p.Backward.Parameters)} {
					unique := slices.Compact(slices.Sorted(slices.Values(names(list))))
					if len(unique) != len(list) || unique[0] == "" {
						t.Errorf("names %v are not unique", names(list))
					}
				}
				// Forward: the logits, then what is saved.
				saved := slices.DeleteFunc(slices.Clone(p.Saved), func(s string) bool { return s == "logits" })
				if got := names(p.Forward.Outputs); !slices.Equal(got, append([]string{"logits"}, saved...)) {
					t.Errorf("forward returns %v", got)
				}
				for _, v := range p.Forward.Outputs[1:] {
					if op := v.Producer.Op; graphs.Recomputed(op) || op == "Shape" || v.DType != graphs.Float32 {
						t.Errorf("%s, a %s of type %v, is saved", v.Name, op, v.DType)
					}
				}
				// Backward reads dlogits, batch inputs and all that is saved.
				inputs := names(p.Backward.Inputs)
				for _, s := range append([]string{"dlogits"}, p.Saved...) {
					if !slices.Contains(inputs, s) {
						t.Errorf("backward does not read %s", s)
					}
				}
				known := slices.Concat(names(p.Forward.Inputs), p.Saved, []string{"dlogits"})
				for _, s := range inputs {
					if !slices.Contains(known, s) {
						t.Errorf("backward reads %s, which nobody has", s)
					}
				}
				used := map[*graphs.Value]bool{}
				for _, n := range p.Backward.Nodes {
					for _, v := range n.Inputs {
						used[v] = true
					}
				}
				for _, v := range slices.Concat(p.Backward.Inputs, p.Backward.Parameters) {
					if !used[v] && !slices.Contains(p.Backward.Outputs, v) {
						t.Errorf("backward asks for %s and does not read it", v.Name)
					}
				}
				// A gradient for every parameter, once.
				got := slices.Clone(p.Dense)
				outputs := []string{}
				for _, name := range p.Dense {
					outputs = append(outputs, "d."+name)
				}
				for _, table := range p.RowTables {
					got = append(got, table.Parameter)
					outputs = slices.Concat(outputs, table.Rows, table.Indices)
				}
				if p.NoiseGradient {
					outputs = append(outputs, "d."+graphs.NoiseInput)
				}
				want := names(m.Graph.Parameters)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("gradients of %v, not of %v", got, want)
				}
				have := names(p.Backward.Outputs)
				slices.Sort(have)
				if slices.Sort(outputs); !slices.Equal(have, outputs) {
					t.Errorf("backward returns %v, not %v", have, outputs)
				}
				tables, large := []string{}, []string{}
				for _, table := range p.RowTables {
					tables = append(tables, table.Parameter)
				}
				if m.Config.VocabSize >= graphs.RowTableSize {
					large = append(large, words)
				}
				if !slices.Equal(tables, large) || !slices.Equal(m.RowTables(), large) {
					t.Errorf("row tables %v and %v with a vocabulary of %d", tables, m.RowTables(), m.Config.VocabSize)
				}
				for i, site := range p.Masks {
					if site.Name != fmt.Sprint(graphs.MaskPrefix, i) || site.DType != graphs.Uint8 {
						t.Errorf("mask %d is %s %v", i, site.Name, site.DType)
					}
					rows := dimB
					if o.Doubled {
						rows = graphs.Dim{Coef: 2, B: 1}
					}
					if site.Shape[0] != rows {
						t.Errorf("mask %d has shape %v, which does not begin with %v", i, site.Shape, rows)
					}
				}
			})
		}
	}
}

// The same model gives the same text and the same bytes, every time.
func TestDeterminism(t *testing.T) {
	o := graphs.Options{Doubled: true, Dropout: tinyDropout}
	type product struct {
		text  string
		bytes []byte
	}
	build := func() []product {
		p := compile(t, tinyModel(t, "gelu"), o, true)
		out := []product{{text: fmt.Sprint(p.Saved, p.Dense, p.RowTables)}}
		for _, g := range []*graphs.Graph{p.Forward, p.Backward} {
			raw, err := g.ONNX(nil, []graphs.Metadata{{Key: "task", Value: "cola"}})
			if err != nil {
				t.Fatal(err)
			}
			again, err := g.ONNX(nil, []graphs.Metadata{{Key: "task", Value: "cola"}})
			if err != nil || !bytes.Equal(raw, again) {
				t.Errorf("%s: writing the same graph twice gives other bytes (%v)", g.Name, err)
			}
			out = append(out, product{g.String(), raw})
		}
		return out
	}
	first := build()
	for range 4 {
		for i, p := range build() {
			if p.text != first[i].text {
				t.Errorf("built again, the text is another:\n%s\n%s", first[i].text, p.text)
			}
			if !bytes.Equal(p.bytes, first[i].bytes) {
				t.Error("built again, the bytes are others")
			}
		}
	}
	if bytes.Equal(first[1].bytes, first[2].bytes) || len(first[1].bytes) < 1000 {
		t.Errorf("%d and %d bytes", len(first[1].bytes), len(first[2].bytes))
	}
}

// opTypes reads the operators out of an ONNX file: ModelProto.graph (7) . GraphProto.node (1) . NodeProto.op_type (4).
func opTypes(t *testing.T, raw []byte) []string {
	t.Helper()
	out := []string{}
	for _, graph := range fields(t, raw, 7) {
		for _, node := range fields(t, graph, 1) {
			for _, op := range fields(t, node, 4) {
				out = append(out, string(op))
			}
		}
	}
	return out
}

// fields returns the length-delimited fields of that number of a protobuf message.
func fields(t *testing.T, message []byte, number protowire.Number) [][]byte {
	t.Helper()
	out := [][]byte{}
	for len(message) > 0 {
		at, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		if at == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			out = append(out, value)
		}
		if n = protowire.ConsumeFieldValue(at, kind, message); n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
	}
	return out
}

// Names a reader of the ONNX file needs are in it; weights, where given, are inside and must be complete.
func TestONNX(t *testing.T) {
	m := tinyModel(t, "gelu_new")
	p := compile(t, m, graphs.Options{}, false)
	bare, err := p.Forward.ONNX(nil, []graphs.Metadata{{Key: "a-key", Value: "a-value"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(names(p.Forward.Inputs), names(p.Forward.Parameters), names(p.Forward.Outputs), []string{"a-key", "a-value", "LayerNormalization"}) {
		if !bytes.Contains(bare, []byte(name)) {
			t.Errorf("%q is not in the file", name)
		}
	}
	// The operators are those of the graph, the stopped gradient as an Identity.
	for _, g := range []*graphs.Graph{p.Forward, p.Backward, compile(t, m, graphs.Options{Doubled: true, Dropout: tinyDropout}, true).Forward} {
		raw, err := g.ONNX(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{}
		for _, n := range g.Nodes {
			want = append(want, strings.Replace(n.Op, "StopGradient", "Identity", 1))
		}
		if got := opTypes(t, raw); !slices.Equal(got, want) {
			t.Errorf("%s holds the operators %v, not %v", g.Name, got, want)
		}
	}

	weights, size := []graphs.Weight{}, 0
	for _, v := range m.Graph.Parameters {
		w := graphs.Weight{Name: v.Name, Data: make([]float32, v.Shape.Product().Coef)}
		for i := range w.Data {
			w.Data[i] = float32(i) + 0.5
		}
		size += 4 * len(w.Data)
		weights = append(weights, w)
	}
	full, err := p.Forward.ONNX(weights, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(full) < size || len(full) > size+2*len(bare) {
		t.Errorf("%d bytes for %d bytes of weights", len(full), size)
	}
	weights[0].Data[0] = float32(math.Pi)
	if other, err := p.Forward.ONNX(weights, nil); err != nil || bytes.Equal(other, full) {
		t.Errorf("another weight gives the same bytes, or: %v", err)
	}
	weights[1].Data = weights[1].Data[1:]
	_, err = p.Forward.ONNX(weights, nil)
	says(t, err, p.Forward.Name, weights[1].Name)
	_, err = p.Forward.ONNX(weights[:1], nil)
	says(t, err, p.Forward.Name, weights[1].Name)

	p.Forward.Nodes[0].Op = "Mystery"
	if _, err := p.Forward.ONNX(nil, nil); err == nil || !strings.Contains(err.Error(), "Mystery") {
		t.Errorf("a broken graph is written: %v", err)
	}
}
