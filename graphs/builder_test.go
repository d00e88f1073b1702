package graphs_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// What is wrong with a node is said when it is built, with its operands; nothing panics.
func TestMalformedNodes(t *testing.T) {
	attrs := func(kv ...any) graphs.Attrs {
		a := graphs.Attrs{}
		for i := 0; i < len(kv); i += 2 {
			a[kv[i].(string)] = kv[i+1]
		}
		return a
	}
	for _, c := range []struct {
		name  string
		build func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value // x [B, T, 3], y [B, 5]
		want  []string
	}{
		{"shapes that do not broadcast", func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value { return b.Add(x, y) }, []string{"Add", "[B, T, 3]", "[B, 5]"}},
		{"B against T", func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value {
			return b.Mul(x, b.Input("z", graphs.Float32, dimB, dim(1)))
		}, []string{"T against B"}},
		{"two element types", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Mul(x, b.Ints(1, 2, 3)) }, []string{"float32", "int64"}},
		{"missing operand", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Add", nil, x) }, []string{"Add", "operand 1 is missing"}},
		{"nil operand", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Exp", nil, nil) }, []string{"Exp", "operand 0 is missing"}},
		{"inner dimensions", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.MatMul(x, b.Parameter("w", 4, 3)) }, []string{"MatMul", "3 and 4"}},
		{"vector product", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.MatMul(x, b.Parameter("w", 3)) }, []string{"two dimensions"}},
		{"Gemm of three dimensions", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Gemm", nil, x, x) }, []string{"Gemm", "two dimensions"}},
		{"Gemm inner dimensions", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value { return b.Op("Gemm", nil, y, y) }, []string{"Gemm", "5 and B"}},
		{"Gemm bias", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Gemm", attrs("transB", int64(1)), y, b.Parameter("w", 2, 5), y)
		}, []string{"bias", "[B, 5]", "[B, 2]"}},
		{"Gemm flag", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Gemm", attrs("transA", int64(2)), y, y)
		}, []string{"Gemm", "transA", "2"}},
		{"LayerNormalization of an inner axis", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("LayerNormalization", attrs("axis", int64(1)), x, b.Parameter("w", 3))
		}, []string{"last axis"}},
		{"LayerNormalization scale", func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value {
			return b.Op("LayerNormalization", nil, x, b.Parameter("w", 4))
		}, []string{"[4]", "[3]"}},
		{"reduction of no axis", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Sum(x, true, 3) }, []string{"ReduceSum", "axis 3"}},
		{"reduction of run-time axes", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("ReduceSum", nil, x, b.Input("axes", graphs.Int64, dim(1)))
		}, []string{"constant"}},
		{"Gather by floats", func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value { return b.Op("Gather", nil, x, y) }, []string{"int64"}},
		{"Gather of no axis", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("Gather", attrs("axis", int64(-4)), x, b.Ints(0))
		}, []string{"Gather", "axis"}},
		{"Slice of nothing", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, y, b.Ints(6), b.Ints(9), b.Ints(1))
		}, []string{"dimension 5", "to nothing"}},
		{"Slice of a symbolic axis", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, y, b.Ints(0), b.Ints(2), b.Ints(0))
		}, []string{"0:2:1", "dimension B"}},
		{"Slice by no step", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, y, b.Ints(0), b.Ints(2), b.Ints(1), b.Ints(0))
		}, []string{"0:2:0"}},
		{"Slice to another rank", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Slice", attrs("to", graphs.Shape{dimB}), y, b.Ints(0), b.Ints(2), b.Ints(1))
		}, []string{"[B] is no part of [B, 5]"}},
		{"Split into other sizes", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value { return b.Split(y, 1, 2, 2)[0] }, []string{"dimension 5", "[2 2]"}},
		{"Split into unequal outputs", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.OpN("Split", 2, attrs("axis", int64(1), "num_outputs", int64(2)), y)[0]
		}, []string{"dimension 5", "2 equal outputs"}},
		{"GatherND too deep", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("GatherND", nil, y, b.Const(graphs.Int64, []int{1, 3}, 0, 0, 0))
		}, []string{"[1, 3]", "do not fit", "[B, 5]"}},
		{"GatherND of another batch", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("GatherND", attrs("batch_dims", int64(1)), y, b.Const(graphs.Int64, []int{2, 1}, 0, 0))
		}, []string{"first 1 dimensions", "[2, 1]"}},
		{"GatherElements of another rank", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("GatherElements", nil, y, b.Ints(0))
		}, []string{"differ in rank"}},
		{"ScatterND without an index dimension", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("ScatterND", nil, y, b.Const(graphs.Int64, []int{}, 0), y)
		}, []string{"data [B, 5]", "indices []"}},
		{"ScatterND of other updates", func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value {
			return b.Op("ScatterND", nil, y, b.Const(graphs.Int64, []int{1, 1}, 0), x)
		}, []string{"[B, T, 3], not", "[1, 5]"}},
		{"ScatterElements by another reduction", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			at := b.Const(graphs.Int64, []int{1, 1}, 0)
			return b.Op("ScatterElements", attrs("reduction", "mul"), y, at, b.Const(graphs.Float32, []int{1, 1}, 0))
		}, []string{"mul"}},
		{"Where by a number", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Where", nil, x, x, x) }, []string{"bool", "float32"}},
		{"And of numbers", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("And", nil, x, x) }, []string{"bool", "float32"}},
		{"IsNaN of integers", func(b *graphs.Builder, _, _ *graphs.Value) *graphs.Value { return b.Op("IsNaN", nil, b.Ints(1)) }, []string{"float32", "int64"}},
		{"Clip by a vector", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Clip", nil, y, nil, b.Parameter("w", 5))
		}, []string{"[5]", "scalar"}},
		{"Mod of floats without fmod", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Mod", nil, x, x) }, []string{"fmod"}},
		{"Cast to half precision", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("Cast", attrs("to", int64(10)), x)
		}, []string{"dtype(10)"}},
		{"CumSum along no axis", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("CumSum", nil, x, b.Ints(3)) }, []string{"axis 3"}},
		{"Range of nothing", func(b *graphs.Builder, _, _ *graphs.Value) *graphs.Value {
			zero := b.Scalar(0)
			return b.Op("Range", nil, zero, zero, b.Scalar(1))
		}, []string{"no elements"}},
		{"Range of a computed length", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("Range", nil, b.Scalar(0), b.Op("ReduceMax", attrs("keepdims", int64(0)), x), b.Scalar(1))
		}, []string{"operand 1 is not a constant"}},
		{"Tile of nothing", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value { return b.Op("Tile", nil, y, b.Ints(1, 0)) }, []string{"0 times"}},
		{"Tile to another shape", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Tile", attrs("to", graphs.Shape{dimT, dim(5)}), y, b.Ints(1, 1))
		}, []string{"[T, 5]", "[B, 5]"}},
		{"Trilu of a vector", func(b *graphs.Builder, _, _ *graphs.Value) *graphs.Value {
			return b.Op("Trilu", nil, b.Parameter("w", 3))
		}, []string{"no matrix"}},
		{"Einsum without a term", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("Einsum", attrs("equation", "abc->ab"), x, x)
		}, []string{"1 terms for 2 operands"}},
		{"Einsum of another rank", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Einsum", attrs("equation", "abc->ab"), y)
		}, []string{"abc", "2 dimensions"}},
		{"Einsum of a diagonal", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Einsum", attrs("equation", "aa->a"), y)
		}, []string{"comes twice"}},
		{"Einsum of two sizes", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Einsum", attrs("equation", "ab,bc->ac"), y, y)
		}, []string{"sizes 5 and B"}},
		{"Einsum of an unknown subscript", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Einsum", attrs("equation", "ab->ac"), y)
		}, []string{"'c'"}},
		{"Slice with bounds of two lengths", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, y, b.Ints(0), b.Ints(1), b.Ints(1, 1))
		}, []string{"Slice", "starts"}},
		{"Slice without axes", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Slice", nil, y, b.Ints(0), b.Ints(1))
		}, []string{"operand 3 is missing"}},
		{"Pad without a shape", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Pad", nil, y, b.Ints(1, 0, 0, 0))
		}, []string{"Pad", "[B, 5]"}},
		{"Pad of another rank", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value { return b.Op("Pad", nil, y, b.Ints(0, 0)) }, []string{"2 pads", "not 4"}},
		{"Pad that removes", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Pad", nil, y, b.Ints(0, -1, 0, 0))
		}, []string{"-1", "use Slice"}},
		{"Pad by reflection", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Pad", attrs("mode", "reflect"), y, b.Ints(0, 1, 0, 0))
		}, []string{"reflect"}},
		{"Pad with a computed value", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Op("Pad", nil, y, b.Ints(0, 1, 0, 0), b.Parameter("w"))
		}, []string{"must be a constant"}},
		{"Concat of two ranks", func(b *graphs.Builder, x, y *graphs.Value) *graphs.Value { return b.Concat(0, x, y) }, []string{"Concat", "[B, 5]"}},
		{"Concat of B and T", func(b *graphs.Builder, _, y *graphs.Value) *graphs.Value {
			return b.Concat(0, y, b.Input("z", graphs.Float32, dimT, dim(5)))
		}, []string{"B and T", "cannot be added"}},
		{"Concat of nothing", func(b *graphs.Builder, _, _ *graphs.Value) *graphs.Value { return b.Concat(0) }, []string{"operand 0 is missing"}},
		{"Concat with a nil operand", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Concat(0, x, nil) }, []string{"operand 1 is missing"}},
		{"Reshape to other elements", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Reshape(x, graphs.Shape{dimB, dim(3)})
		}, []string{"[B, T, 3]", "[B, 3]"}},
		{"Reshape without a shape", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Reshape", nil, x, b.Ints(-1)) }, []string{"Reshape", "[B, T, 3]"}},
		{"Expand that does not fit", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Op("Expand", attrs("to", graphs.Shape{dim(4)}), x, b.Ints(4))
		}, []string{"Expand", "3 against 4"}},
		{"Expand without a shape", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Op("Expand", nil, x, b.Ints(4)) }, []string{"not given"}},
		{"ConstantOfShape without a shape", func(b *graphs.Builder, _, _ *graphs.Value) *graphs.Value {
			return b.Op("ConstantOfShape", nil, b.Ints(4))
		}, []string{"not given"}},
		{"permutation of another rank", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Transpose(x, 1, 0) }, []string{"Transpose", "[1 0]"}},
		{"no permutation", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Transpose(x, 1, 1, 0) }, []string{"[1 1 0]"}},
		{"no permutation of a transpose", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Transpose(b.Transpose(x, 2, 1, 0), 0, 3, 1)
		}, []string{"[0 3 1]"}},
		{"permutation of a transpose of another rank", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Transpose(b.Transpose(x, 2, 1, 0), 1, 0)
		}, []string{"[1 0]"}},
		{"long permutation of a transpose", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value {
			return b.Transpose(b.Transpose(x, 2, 1, 0), 0, 1, 2, 3)
		}, []string{"[0 1 2 3]"}},
		{"Squeeze of a wide axis", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Squeeze(x, 2) }, []string{"Squeeze", "3", "is not 1"}},
		{"Unsqueeze twice at one place", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Unsqueeze(x, 1, 1) }, []string{"Unsqueeze", "[1 1]"}},
		{"Unsqueeze outside", func(b *graphs.Builder, x, _ *graphs.Value) *graphs.Value { return b.Unsqueeze(x, 4) }, []string{"axis 4"}},
		{"literal of another size", func(b *graphs.Builder, _, _ *graphs.Value) *graphs.Value {
			return b.Const(graphs.Float32, []int{2, 2}, 1, 2, 3)
		}, []string{"[2, 2]", "3 elements", "4 needed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, b := newGraph()
			c.build(b, b.Input("x", graphs.Float32, dimB, dimT, dim(3)), b.Input("y", graphs.Float32, dimB, dim(5)))
			says(t, b.Err(), c.want...)
		})
	}
}

// A batch size that no input carries is an error, not an endless search.
func TestRuntimeSizeWithoutInput(t *testing.T) {
	for _, d := range []graphs.Dim{dimB, dimT, dimB.Mul(dimT), {Coef: 2, B: 1}} {
		_, b := newGraph()
		b.Parameter("w", 3)
		b.ShapeOf(graphs.Shape{d})
		says(t, b.Err(), "at run time", "no input has")
	}
}

// Shared things are shared: parameters by name, literals by content, run-time shapes by symbol.
func TestSharing(t *testing.T) {
	g, b := newGraph()
	b.Input("x", graphs.Float32, dimB, dimT)
	if w := b.Parameter("w", 3); b.Parameter("w", 3) != w || len(g.Parameters) != 1 {
		t.Error("a parameter declared twice is two values")
	}
	if pair := b.Ints(1, 2); b.Ints(1, 2) != pair {
		t.Error("a literal made twice is two values")
	}
	if scalar := b.Const(graphs.Int64, []int{}, 1); b.Ints(1) == scalar || b.Scalar(1) == scalar {
		t.Error("literals of two shapes or types are one")
	}
	s := graphs.Shape{dimB, dimT, {Coef: 2, B: 1, T: 1}}
	if first, nodes := b.ShapeOf(s), len(g.Nodes); b.ShapeOf(s) != first || len(g.Nodes) != nodes {
		t.Error("a run-time shape is computed twice")
	}
}

// A run-time shape vector holds the symbolic shape's sizes, whichever inputs they come from.
func TestShapeOf(t *testing.T) {
	shape := graphs.Shape{dim(7), dimB, dimT, dimB.Mul(dimT), {Coef: 2, B: 1}, {Coef: 3, B: 1, T: 1}, {Coef: 1, T: 2}}
	for _, inputs := range [][]graphs.Shape{
		{{dimB, dimT}},
		{{dimT}, {dimB.Mul(dimT)}, {dimB}},
		{{{Coef: 2, B: 1}, dimT}, {dim(4), dimB}},
	} {
		g, b := newGraph()
		feeds := map[string]eval.Tensor{}
		const batch, tokens = 3, 5
		for i, s := range inputs {
			name := string(rune('a' + i))
			b.Input(name, graphs.Float32, s...)
			feeds[name] = fill(s, batch, tokens, func() float64 { return 0 })
		}
		y := b.ShapeOf(shape)
		y.Name, g.Outputs = "y", []*graphs.Value{y}
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		var got []int64
		for _, v := range run(t, g, feeds)["y"].Data {
			got = append(got, int64(v))
		}
		if want := shape.Sizes(batch, tokens); !slices.Equal(got, want) {
			t.Errorf("%v is %v at run time, not %v", shape, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(g *graphs.Graph)
		want  []string
	}{
		{"nothing", func(*graphs.Graph) {}, nil},
		{"operand after its use", func(g *graphs.Graph) { slices.Reverse(g.Nodes) }, []string{"node 0", "Tanh", "before it is computed"}},
		{"operand from nowhere", func(g *graphs.Graph) { g.Parameters = nil }, []string{"node 0", "Mul", "operand 1"}},
		{"declared shape", func(g *graphs.Graph) { g.Nodes[0].Outputs[0].Shape = graphs.Shape{dimB} }, []string{"node 0", "[B]", "[B, 3]"}},
		{"declared type", func(g *graphs.Graph) { g.Nodes[0].Outputs[0].DType = graphs.Bool }, []string{"node 0", "bool", "float32"}},
		{"impossible node", func(g *graphs.Graph) { g.Parameters[0].Shape = graphs.Shape{dim(4)} }, []string{"node 0", "Mul", "3 against 4"}},
		{"producer", func(g *graphs.Graph) { g.Nodes[0].Outputs[0].Producer = nil }, []string{"node 0", "producer"}},
		{"output", func(g *graphs.Graph) { g.Nodes = g.Nodes[:1] }, []string{`"y"`, "not computed"}},
		{"name", func(g *graphs.Graph) { g.Inputs[0].Name = "" }, []string{"[B, 3]", "no name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, b := newGraph()
			y := b.Op("Tanh", nil, b.Mul(b.Input("x", graphs.Float32, dimB, dim(3)), b.Parameter("w", 3)))
			y.Name, g.Outputs = "y", []*graphs.Value{y}
			c.spoil(g)
			err := graphs.Check(g)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			says(t, err, c.want...)
		})
	}
	g, b := newGraph()
	b.Input("x", graphs.Float32, dimB)
	b.Op("Tanh", nil, g.Inputs[0])
	g.Nodes[0].Op = "Tan"
	var unknown *graphs.UnknownOpError
	if err := graphs.Check(g); !errors.As(err, &unknown) || unknown.Op != "Tan" {
		t.Errorf("error %v", err)
	}
}
