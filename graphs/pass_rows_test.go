package graphs_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// rowCase is a computation y = f(x [B, T, 4], …) of which the head reads index 0 along axis.
type rowCase struct {
	name    string
	axis    int64
	op      string // an operator of f
	shrinks bool   // it must be computed for the one row; otherwise it must be left alone
	build   func(b *graphs.Builder, x *graphs.Value) *graphs.Value
}

func rowCases() []rowCase {
	attrs := func(name string, v any) graphs.Attrs { return graphs.Attrs{name: v} }
	tanh := func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Op("Tanh", nil, x) }
	out := []rowCase{
		{"bias", 1, "Add", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Add(b.Parameter("w", 4), tanh(b, x)) }},
		{"one for each token", 1, "Sub", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Sub(tanh(b, x), b.Input("z", graphs.Float32, dimT, dim(4)))
		}},
		{"one for each example", 1, "Mul", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Mul(b.Input("z", graphs.Float32, dimB, dim(1), dim(4)), tanh(b, x))
		}},
		{"one for each example, first example", 0, "Div", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Div(tanh(b, x), b.Input("z", graphs.Float32, dimB, dim(1), dim(4)))
		}},
		{"stretched over the tokens", 1, "Tanh", false, func(b *graphs.Builder, _ *graphs.Value) *graphs.Value {
			return tanh(b, b.Input("z", graphs.Float32, dimB, dim(1), dim(4)))
		}},
		{"channels", 2, "Add", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Add(b.Parameter("w", 4), tanh(b, x)) }},
		{"product with a matrix", 1, "MatMul", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.MatMul(tanh(b, x), b.Parameter("w", 4, 3))
		}},
		{"product with a matrix, first example", 0, "MatMul", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.MatMul(tanh(b, x), b.Parameter("w", 4, 3))
		}},
		{"product with a matrix, first channel", 2, "MatMul", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.MatMul(tanh(b, x), b.Parameter("w", 4, 3))
		}},
		{"scores of a query", 1, "MatMul", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.MatMul(tanh(b, x), b.Transpose(x, 0, 2, 1))
		}},
		{"scores of a key", 2, "MatMul", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.MatMul(tanh(b, x), b.Transpose(x, 0, 2, 1))
		}},
		{"layer norm", 1, "LayerNormalization", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("LayerNormalization", nil, tanh(b, x), b.Parameter("w", 4), b.Parameter("v", 4))
		}},
		{"layer norm, first channel", 2, "LayerNormalization", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("LayerNormalization", nil, tanh(b, x), b.Parameter("w", 4), b.Parameter("v", 4))
		}},
		{"layer norm whose mean is read too", 1, "LayerNormalization", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := b.OpN("LayerNormalization", 3, nil, tanh(b, x), b.Parameter("w", 4))
			return b.Add(y[0], b.Mean(y[1], true, 1))
		}},
		{"split into heads", 1, "Reshape", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Reshape(tanh(b, x), graphs.Shape{dimB, dimT, dim(2), dim(2)})
		}},
		{"split into heads, first head", 2, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Reshape(tanh(b, x), graphs.Shape{dimB, dimT, dim(2), dim(2)})
		}},
		{"merged heads", 1, "Reshape", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			split := b.Reshape(x, graphs.Shape{dimB, dimT, dim(2), dim(2)})
			return b.Reshape(tanh(b, split), x.Shape)
		}},
		{"flattened tokens, first row", 0, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Reshape(tanh(b, x), graphs.Shape{dimB.Mul(dimT), dim(4)})
		}},
		{"reshaped across the tokens", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			mixed := b.Reshape(x, graphs.Shape{dimB, dim(2), dimT, dim(2)}) // T is there, but counts something else
			return b.Reshape(tanh(b, mixed), graphs.Shape{dimB, dimT, dim(4)})
		}},
		{"transposed", 2, "Transpose", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Transpose(tanh(b, x), 2, 0, 1)
		}},
		{"a sum over tokens between", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Sum(tanh(b, x), true, 1)
		}},
		{"read whole as well", 1, "Neg", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := tanh(b, x)
			return b.Add(b.Op("Neg", nil, y), b.Mean(y, true, 1))
		}},
		{"read along two axes", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := tanh(b, x)
			last := b.Op("Gather", attrs("axis", int64(2)), y, b.Ints(0)) // [B, T, 1]
			return b.Add(y, b.Sum(last, true, 1))
		}},
		{"the same row read twice", 1, "Tanh", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := tanh(b, x)
			return b.Add(y, b.Op("Gather", attrs("axis", int64(1)), y, b.Ints(0)))
		}},
		{"chosen", 1, "Where", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Where", nil, b.Op("Less", nil, x, b.Input("z", graphs.Float32, dim(4))), tanh(b, x), b.Parameter("w", 4))
		}},
		{"clipped", 1, "Clip", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Clip", nil, tanh(b, x), nil, b.Scalar(0.5))
		}},
		{"cut channels", 1, "Slice", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, tanh(b, x), b.Ints(1), b.Ints(3), b.Ints(2))
		}},
		{"channels of a declared shape", 1, "Slice", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Slice", attrs("to", graphs.Shape{dimB, dimT, dim(2)}), tanh(b, x), b.Ints(1), b.Ints(3), b.Ints(-1))
		}},
		{"cut tokens", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, tanh(b, x), b.Ints(-1), b.Ints(math.MaxInt64), b.Ints(1))
		}},
		{"gate and value", 1, "Split", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := b.Split(tanh(b, x), -1, 2, 2)
			return b.Mul(b.Op("Gelu", nil, y[1]), y[0])
		}},
		{"the gate alone", 1, "Split", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Split(tanh(b, x), 2, 1, 3)[1] }},
		{"gate of the row, value of all", 1, "Split", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := b.Split(tanh(b, x), -1, 2, 2)
			return b.Mul(y[0], b.Sum(y[1], true, 1))
		}},
		{"joined channels", 1, "Concat", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Concat(-1, tanh(b, x), b.Op("Neg", nil, x))
		}},
		{"positions of a query", 1, "GatherElements", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			at := b.Op("Cast", attrs("to", int64(graphs.Int64)), b.Op("Clip", nil, x, b.Scalar(0), b.Scalar(3)))
			return b.Op("GatherElements", attrs("axis", int64(2)), tanh(b, x), at)
		}},
		{"fewer indices than rows", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			at := b.Op("Expand", attrs("to", graphs.Shape{dimB, dim(1), dim(2)}), b.Ints(3), b.ShapeOf(graphs.Shape{dimB, dim(1), dim(2)}))
			return b.Op("GatherElements", attrs("axis", int64(2)), tanh(b, x), at)
		}},
		{"summed channels", 1, "ReduceSum", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Sum(tanh(b, x), false, 2) }},
		{"largest channels, kept", 1, "ReduceMax", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("ReduceMax", nil, tanh(b, x), b.Ints(-1))
		}},
		{"summed examples", 0, "ReduceSum", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Sum(tanh(b, x), false, 0) }},
		{"inserted axis", 2, "Unsqueeze", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Unsqueeze(tanh(b, x), 1, 3) }},
		{"inserted axis itself", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Unsqueeze(tanh(b, x), 1) }},
		{"removed axis", 1, "Squeeze", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Squeeze(tanh(b, b.Unsqueeze(x, 0, 2)), 0, -3)
		}},
		{"scores by subscripts", 2, "MatMul", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			h := b.Reshape(tanh(b, x), graphs.Shape{dimB, dimT, dim(2), dim(2)})
			return b.Op("Einsum", attrs("equation", "bihd,bjhd->bhij"), h, b.Reshape(x, h.Shape))
		}},
		{"another index", 1, "Tanh", false, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			y := b.Concat(1, tanh(b, x), x) // [B, 2·T, 4] has an index 1 for every T
			return b.Op("Gather", attrs("axis", int64(1)), y, b.Ints(1))
		}},
		{"an input", 1, "Tanh", false, func(_ *graphs.Builder, x *graphs.Value) *graphs.Value { return x }},
		{"relative shift, first query", 1, "RelativeShift", true, relativeShift},
		{"relative shift, first query's scores", 1, "MatMul", true, relativeShift},
		{"relative shift, first key", 2, "MatMul", false, relativeShift},
		{"attention", 1, "MatMul", true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			heads := func(w string) *graphs.Value {
				y := b.Reshape(b.MatMul(x, b.Parameter(w, 4, 4)), graphs.Shape{dimB, dimT, dim(2), dim(2)})
				return b.Transpose(y, 0, 2, 1, 3)
			}
			p := b.Op("Softmax", attrs("axis", int64(-1)), b.MatMul(heads("q"), b.Transpose(heads("k"), 0, 1, 3, 2)))
			return b.Add(b.Reshape(b.Transpose(b.MatMul(p, heads("v")), 0, 2, 1, 3), x.Shape), x)
		}},
	}
	for _, op := range []string{"Neg", "Abs", "Sign", "Exp", "Erf", "Tanh", "Sigmoid", "Relu", "Gelu"} {
		out = append(out, rowCase{op, 1, op, true, func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Op(op, nil, b.Add(x, x)) }})
	}
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		for axis, shrinks := range []bool{true, false, true} { // of [B, T, 4], the head reading the first token
			for _, a := range []int64{int64(axis), int64(axis) - 3} {
				out = append(out, rowCase{fmt.Sprint(op, " along axis ", a), 1, op, shrinks, func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
					return b.Op(op, attrs("axis", a), tanh(b, x))
				}})
			}
		}
	}
	return out
}

func relativeShift(b *graphs.Builder, x *graphs.Value) *graphs.Value {
	return b.Op("RelativeShift", nil, b.MatMul(x, b.Input("z", graphs.Float32, dim(4), graphs.Dim{Coef: 2, T: 1})))
}

// Selecting the row early gives exactly what selecting it late gives, with less computed.
func TestRowPass(t *testing.T) {
	for i, c := range rowCases() {
		t.Run(c.name, func(t *testing.T) {
			g, b := newGraph()
			x := b.Input("x", graphs.Float32, dimB, dimT, dim(4))
			y := b.Op("Gather", graphs.Attrs{"axis": c.axis}, c.build(b, x), b.Const(graphs.Int64, []int{}, 0))
			y.Name, g.Outputs = "logits", []*graphs.Value{y}
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			m := &graphs.Model{Graph: g}
			late := prepare(t, m, graphs.Options{WholeSequence: true})["rows"]
			early := prepare(t, m, graphs.Options{})["rows"]

			r := newRandom(uint64(i))
			const batch, tokens = 3, 5
			feeds := map[string]eval.Tensor{}
			for _, list := range [][]*graphs.Value{g.Inputs, g.Parameters} {
				for _, v := range list {
					feeds[v.Name] = fill(v.Shape, batch, tokens, r.NormFloat64)
				}
			}
			got, want := run(t, early, feeds)["logits"], run(t, late, feeds)["logits"]
			if d := distance(got, want); d > 1e-12 {
				t.Errorf("seed %d: the row differs by %.2g\n%v", i, d, early)
			}
			before, after := elements(late, c.op, batch, tokens), elements(early, c.op, batch, tokens)
			if c.shrinks && after >= before || !c.shrinks && after != before {
				t.Errorf("%s computes %d elements, without the pass %d\n%v", c.op, after, before, early)
			}
		})
	}
}

// elements counts what the nodes of an operator compute.
func elements(g *graphs.Graph, op string, batch, tokens int) int {
	n := 0
	for _, node := range g.Nodes {
		if node.Op == op {
			n += node.Outputs[0].Shape.Product().Size(batch, tokens)
		}
	}
	return n
}

// prepare runs the passes and returns the graph after each.
func prepare(t *testing.T, m *graphs.Model, o graphs.Options) map[string]*graphs.Graph {
	t.Helper()
	after := map[string]*graphs.Graph{}
	if _, err := m.Prepare(o, func(pass string, g *graphs.Graph) { after[pass] = g }); err != nil {
		t.Fatal(err)
	}
	return after
}
