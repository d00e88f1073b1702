package importer

import (
	"math"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// parts are the columns of x, x0 to x3, each [B, T, 1].
func parts(nodes ...onnxpb.Node) []onnxpb.Node {
	return append([]onnxpb.Node{op("Split", "x", "x0 x1 x2 x3", "axis", int64(-1))}, nodes...)
}

// Operators whose translation is more than their name have the logits of what they mean, written with other operators.
func TestFormulas(t *testing.T) {
	const y = "last_hidden_state"
	for _, c := range []struct {
		name        string
		file, means *encoder
	}{
		{"Pad", newEncoder(13, op("Pad", "x pads fill", y)).ints("pads", 0, 0, 1, 0, 0, 2).number("fill", 2.5), padded(2.5)},
		{"Pad by 0", newEncoder(13, op("Pad", "x pads", y, "mode", "constant")).ints("pads", 0, 0, 1, 0, 0, 2), padded(0)},
		{"Pad of axes", newEncoder(18, op("Pad", "x pads - axes", y)).ints("pads", 1, 0, 2, 0).ints("axes", -1, 0), padded(0)},
		{"Tile", newEncoder(13, op("Tile", "x times", y)).ints("times", 1, 1, 2), newEncoder(17, op("Concat", "x x", y, "axis", int64(2)))},
		{"Tile by tokens", newEncoder(13, op("Shape", "x", "s"), op("Slice", "s one two", "tokens"), op("Concat", "one tokens one", "times", "axis", int64(0)),
			op("Unsqueeze", "norm.bias ends", "row"), op("Tile", "row times", "rows"), op("Add", "x rows", y)).ints("one", 1).ints("two", 2).ints("ends", 0, 1),
			newEncoder(17, op("Add", "x norm.bias", y))},
		{"HardSigmoid", newEncoder(13, op("HardSigmoid", "x", y)), hardSigmoid(0.2, 0.5)},
		{"HardSigmoid of another slope", newEncoder(13, op("HardSigmoid", "x", y, "alpha", float32(3), "beta", float32(-1))), hardSigmoid(3, -1)},
		{"ReduceProd", newEncoder(13, op("ReduceProd", "x", y, "axes", []int64{-1})),
			newEncoder(17, parts(op("Mul", "x0 x1", "a"), op("Mul", "x2 x3", "b"), op("Mul", "a b", y))...)},
		{"ReduceProd of axes", newEncoder(18, op("ReduceProd", "x last", "p", "keepdims", int64(0)), op("Unsqueeze", "p last", y)).ints("last", -1),
			newEncoder(17, parts(op("Mul", "x0 x1", "a"), op("Mul", "x2 x3", "b"), op("Mul", "a b", y))...)},
		{"ReduceProd of sizes", newEncoder(18, op("Shape", "x", "s"), op("Slice", "s zero two", "leading"), op("ReduceProd", "leading", "rows"), op("Concat", "rows four", "flat", "axis", int64(0)),
			op("Reshape", "x flat", "z"), op("Relu", "z", "r"), op("Reshape", "r s", y)).ints("zero", 0).ints("two", 2).ints("four", 4),
			newEncoder(17, op("Relu", "x", y))},
		{"ScatterND", newEncoder(16, op("Transpose", "x", "c", "perm", []int64{2, 0, 1}), op("Slice", "c zero two", "u"), op("ScatterND", "c places u", "d", "reduction", "none"),
			op("Transpose", "d", y, "perm", []int64{1, 2, 0})).ints("zero", 0).ints("two", 2).column("places", 3, 1),
			newEncoder(17, parts(op("Concat", "x0 x1 x2 x0", y, "axis", int64(2)))...)},
		{"ScatterElements", scatter(13), newEncoder(17, parts(op("Concat", "x0 x1 x2 x0", y, "axis", int64(2)))...)},
		{"ScatterElements that adds", scatter(16, "reduction", "add"),
			newEncoder(17, parts(op("Add", "x1 x1", "a"), op("Add", "x3 x0", "b"), op("Concat", "x0 a x2 b", y, "axis", int64(2)))...)},
	} {
		got, want := c.file.logits(t), c.means.logits(t)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) < 1e-8) {
				t.Errorf("%s: logits %v, by its formula %v", c.name, got, want)
				break
			}
		}
	}
}

// padded is x [B, T, 4] with one column before and two behind it.
func padded(fill float64) *encoder {
	return newEncoder(17, op("Shape", "input_ids", "s"), op("Concat", "s one", "s1", "axis", int64(0)), op("Concat", "s two", "s2", "axis", int64(0)),
		op("Expand", "fill s1", "front"), op("Expand", "fill s2", "behind"), op("Concat", "front x behind", "last_hidden_state", "axis", int64(2))).
		ints("one", 1).ints("two", 2).number("fill", fill)
}

func hardSigmoid(alpha, beta float64) *encoder {
	return newEncoder(17, op("Mul", "x alpha", "a"), op("Add", "a beta", "b"), op("Clip", "b zero one", "last_hidden_state")).
		number("alpha", alpha).number("beta", beta).number("zero", 0).number("one", 1)
}

// scatter puts columns 0 and 1 of x [B, T, 4] into columns 3 and 1.
func scatter(opset int64, attributes ...any) *encoder {
	return newEncoder(opset, op("Shape", "input_ids", "s"), op("Concat", "s two", "wide", "axis", int64(0)), op("Expand", "places wide", "where"),
		op("Slice", "x zero two two", "u"), op("ScatterElements", "x where u", "last_hidden_state", append(attributes, "axis", int64(-1))...)).
		ints("zero", 0).ints("two", 2).ints("places", 3, 1)
}

// column adds an integer matrix of one column.
func (e *encoder) column(name string, list ...int64) *encoder {
	e.ints(name, list...)
	e.Graph.Initializers[len(e.Graph.Initializers)-1].Dims = []int64{int64(len(list)), 1}
	return e
}

// logits imports the encoder and runs it on a batch of two.
func (e *encoder) logits(t *testing.T) []float64 {
	t.Helper()
	m, err := e.load(t, Options{Labels: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Prepare(graphs.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]eval.Tensor{}
	for _, in := range g.Inputs {
		x := eval.Tensor{Shape: []int{2, 3}}
		for i := range 6 {
			x.Data = append(x.Data, float64(1+i%5))
		}
		feeds[in.Name] = x
	}
	for _, w := range m.Weights {
		feeds[w.Name] = eval.Tensor{Shape: w.Shape, Data: widen(w.Data)}
	}
	out, err := eval.Run(g, feeds)
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	return out["logits"].Data
}
