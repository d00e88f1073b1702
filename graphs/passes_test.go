package graphs_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/graphs/graphtest"
)

// feedsOf draws a normal feed for every float of a graph and an index under 2 for every integer.
func feedsOf(g *graphs.Graph, seed uint64, batch, tokens int) map[string]eval.Tensor {
	r := newRandom(seed)
	feeds := map[string]eval.Tensor{}
	for _, list := range [][]*graphs.Value{g.Inputs, g.Parameters} {
		for _, v := range list {
			next := r.NormFloat64
			if v.DType != graphs.Float32 {
				next = func() float64 { return float64(r.IntN(2)) }
			}
			feeds[v.Name] = fill(v.Shape, batch, tokens, next)
		}
	}
	return feeds
}

func countOps(g *graphs.Graph) map[string]int {
	n := map[string]int{}
	for _, node := range g.Nodes {
		n[node.Op]++
	}
	return n
}

// Every product with a weight becomes a Gemm, with the bias inside where one follows, and nothing else changes.
func TestGemmPass(t *testing.T) {
	type values = []*graphs.Value
	for i, c := range []struct {
		name        string
		gemms, adds int // left after the pass
		build       func(b *graphs.Builder, x *graphs.Value) values
	}{
		{"product", 1, 0, func(b *graphs.Builder, x *graphs.Value) values { return values{b.MatMul(x, b.Parameter("w", 4, 3))} }},
		{"with bias", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.MatMul(x, b.Parameter("w", 4, 3)), b.Parameter("v", 3))}
		}},
		{"with bias before", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.Parameter("v", 3), b.MatMul(x, b.Parameter("w", 4, 3)))}
		}},
		{"with a bias of one", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.MatMul(x, b.Parameter("w", 4, 3)), b.Parameter("v", 1))}
		}},
		{"transposed weight", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.MatMul(x, b.Transpose(b.Parameter("w", 3, 4), 1, 0)), b.Parameter("v", 3))}
		}},
		{"weight in its own order", 0, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(x, b.Transpose(b.Parameter("w", 4, 4), 0, 1))}
		}},
		{"of two dimensions", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			first := b.Op("Gather", graphs.Attrs{"axis": int64(1)}, x, b.Const(graphs.Int64, []int{}, 0))
			return values{b.MatMul(first, b.Parameter("w", 4, 3))}
		}},
		{"of four dimensions", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(b.Reshape(x, graphs.Shape{dimB, dimT, dim(2), dim(2)}), b.Parameter("w", 2, 3))}
		}},
		{"of two weights", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(x, b.MatMul(b.Parameter("w", 4, 3), b.Parameter("v", 3, 2)))}
		}},
		{"residual", 1, 1, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.MatMul(x, b.Parameter("w", 4, 4)), x)}
		}},
		{"doubled product", 1, 1, func(b *graphs.Builder, x *graphs.Value) values {
			y := b.MatMul(x, b.Parameter("w", 4, 4))
			return values{b.Add(y, y)}
		}},
		{"read besides the bias", 1, 2, func(b *graphs.Builder, x *graphs.Value) values {
			y := b.MatMul(x, b.Parameter("w", 4, 3))
			return values{b.Add(b.Add(y, b.Parameter("v", 3)), y)}
		}},
		{"returned besides the bias", 1, 1, func(b *graphs.Builder, x *graphs.Value) values {
			y := b.MatMul(x, b.Parameter("w", 4, 3))
			return values{b.Add(y, b.Parameter("v", 3)), y}
		}},
		{"stretched by the bias", 1, 1, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.MatMul(x, b.Parameter("w", 4, 1)), b.Parameter("v", 3))}
		}},
		{"two biases", 1, 1, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.Add(b.Add(b.MatMul(x, b.Parameter("w", 4, 3)), b.Parameter("v", 3)), b.Parameter("u", 3))}
		}},
		{"no weight", 0, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(x, b.Transpose(x, 0, 2, 1))}
		}},
		{"parts of a weight", 2, 0, func(b *graphs.Builder, x *graphs.Value) values {
			w := b.OpN("Split", 2, graphs.Attrs{"axis": int64(0), "num_outputs": int64(2)}, b.Parameter("w", 6, 4))
			y, z := b.MatMul(x, b.Transpose(w[0], 1, 0)), b.MatMul(x, b.Transpose(w[1], 1, 0))
			v := b.OpN("Split", 2, graphs.Attrs{"axis": int64(0), "num_outputs": int64(2)}, b.Parameter("v", 6))
			return values{b.Add(y, v[0]), b.Add(v[1], z)}
		}},
		{"slice of a kernel", 1, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(x, b.Op("Gather", graphs.Attrs{"axis": int64(2)}, b.Parameter("w", 4, 3, 2), b.Const(graphs.Int64, []int{}, 1)))}
		}},
		{"rows of a table", 0, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(x, b.Op("Gather", nil, b.Parameter("w", 9, 3), b.Input("i", graphs.Int64, dimB, dim(4))))}
		}},
		{"weight of three dimensions", 0, 0, func(b *graphs.Builder, x *graphs.Value) values {
			return values{b.MatMul(x, b.Parameter("w", 1, 4, 3))}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, b := newGraph()
			g.Outputs = c.build(b, b.Input("x", graphs.Float32, dimB, dimT, dim(4)))
			for k, y := range g.Outputs {
				y.Name = string(rune('y' + k))
			}
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			after := prepare(t, &graphs.Model{Graph: g}, graphs.Options{WholeSequence: true})["dead"]
			feeds := feedsOf(g, uint64(i), 3, 5)
			got, want := run(t, after, feeds), run(t, g, feeds)
			for name := range want {
				if d := distance(got[name], want[name]); d > 1e-12 || !slices.Equal(got[name].Shape, want[name].Shape) {
					t.Errorf("%s %v differs from %v by %.2g\n%v", name, got[name].Shape, want[name].Shape, d, after)
				}
			}
			if n := countOps(after); n["Gemm"] != c.gemms || n["Add"] != c.adds {
				t.Errorf("%d Gemm and %d Add are left, not %d and %d\n%v", n["Gemm"], n["Add"], c.gemms, c.adds, after)
			}
		})
	}
}

// The relative shift in views and copies is what its definition says, for a whole matrix and for its first row alone,
// of a batch and its copy.
func TestShiftPass(t *testing.T) {
	twice := graphs.Dim{Coef: 2, T: 1}
	for _, rows := range []graphs.Dim{dimT, dim(1)} {
		for tokens := 1; tokens <= 6; tokens++ {
			g, b := newGraph()
			b.Input("ids", graphs.Int64, dimB, dimT) // sizes are read from it
			y := b.Op("RelativeShift", nil, b.Input("x", graphs.Float32, graphs.Dim{Coef: 2, B: 1}, dim(3), rows, twice))
			y.Name, g.Outputs = "y", []*graphs.Value{y}
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			after := prepare(t, &graphs.Model{Graph: g}, graphs.Options{})["dead"]
			feeds := feedsOf(g, uint64(tokens), 2, tokens)
			got, want := run(t, after, feeds)["y"], run(t, g, feeds)["y"]
			if distance(got, want) != 0 || !slices.Equal(got.Shape, want.Shape) || countOps(after)["RelativeShift"] != 0 {
				t.Errorf("seed %d: %v rows of %d tokens are %v, not %v\n%v", tokens, rows, tokens, got, want, after)
			}
		}
	}
}

func TestShiftErrors(t *testing.T) {
	for _, shape := range []graphs.Shape{{}, {dimT}, {dimT, dimT}, {dim(4), dim(9)}, {dimB, graphs.Dim{Coef: 2, T: 1}}, {dim(2), dim(8)}} {
		_, b := newGraph()
		b.Op("RelativeShift", nil, b.Input("x", graphs.Float32, shape...))
		says(t, b.Err(), "RelativeShift", shape.String(), "[..., T, 2T]")
	}
}

// Every Einsum of two operands becomes a product of matrices with the same values and the same gradients.
func TestEinsumPass(t *testing.T) {
	for i, rc := range graphtest.Cases() {
		if rc.Op != "Einsum" {
			continue
		}
		t.Run(rc.Name, func(t *testing.T) {
			c, y, err := rc.New()
			if err != nil {
				t.Fatal(err)
			}
			feeds := c.Feeds(newRandom(uint64(i)), 3, 2)
			after := prepare(t, &graphs.Model{Graph: c.G}, graphs.Options{})["dead"]
			operands := len(y.Producer.Inputs)
			if n := countOps(after); (n["Einsum"] == 0) != (operands == 2) || (n["MatMul"] == 1) != (operands == 2) {
				t.Errorf("%d operands became %v\n%v", operands, n, after)
			}
			joint, grads, err := c.Differentiate(y)
			if err != nil {
				t.Fatal(err)
			}
			want := run(t, joint, withCotangent(feeds, y))
			b := graphs.NewBuilder(after)
			u := b.Input("u", graphs.Float32, y.Shape...)
			lowered, err := b.Differentiate(after.Outputs[0], u, c.Floats)
			if err != nil {
				t.Fatal(err)
			}
			for k, x := range c.Floats {
				d := b.Op("Identity", nil, lowered.Dense[x])
				d.Name = fmt.Sprint("d", k)
				after.Outputs = append(after.Outputs, d)
			}
			got := run(t, after, withCotangent(feeds, y))
			if d := distance(got["y"], want["y"]); d > 1e-12 {
				t.Errorf("the result differs by %.2g\n%v", d, after)
			}
			for k, x := range c.Floats {
				if d := distance(got[fmt.Sprint("d", k)], want[grads.Dense[x].Name]); d > 1e-12 {
					t.Errorf("the gradient of %s differs by %.2g\n%v", x.Name, d, after)
				}
			}
		})
	}
}

// withCotangent adds 1, 2, 3, … as the gradient "u" of y.
func withCotangent(feeds map[string]eval.Tensor, y *graphs.Value) map[string]eval.Tensor {
	out := maps.Clone(feeds)
	next := 0.0
	out["u"] = fill(y.Shape, 3, 2, func() float64 { next++; return next })
	return out
}

// Shape arithmetic on literals is done once, at compile time.
func TestFoldPass(t *testing.T) {
	g, b := newGraph()
	x := b.Input("x", graphs.Float32, dimB, dim(3), dim(4))
	w := b.Parameter("w", 5, 6)
	sizes := b.Concat(0, b.Op("Shape", nil, w), b.Ints(7)) // 5 6 7
	second := b.Op("Gather", nil, sizes, b.Ints(1))
	tail := b.Op("Slice", nil, sizes, b.Ints(1), b.Ints(3), b.Ints(0))
	sum := b.Add(b.Mul(tail, b.Ints(2)), b.Sub(second, b.Ints(1))) // 17 19
	static := b.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, sum)
	dynamic := b.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, b.Mul(b.Op("Shape", nil, x), b.Ints(2)))
	g.Outputs = []*graphs.Value{static, dynamic}
	static.Name, dynamic.Name = "static", "dynamic"
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	after := prepare(t, &graphs.Model{Graph: g}, graphs.Options{})["dead"]
	feeds := feedsOf(g, 1, 2, 1)
	want := run(t, g, feeds)
	for name, y := range run(t, after, feeds) {
		if !slices.Equal(y.Data, want[name].Data) {
			t.Errorf("%s is %v, not %v", name, y.Data, want[name].Data)
		}
	}
	if got := countOps(after); !maps.Equal(got, map[string]int{"Cast": 2, "Shape": 1, "Mul": 1}) {
		t.Errorf("left: %v\n%v", got, after)
	}
}

func TestDeadPass(t *testing.T) {
	g, b := newGraph()
	x := b.Input("x", graphs.Float32, dimB, dim(4))
	b.Op("Exp", nil, b.Op("Tanh", nil, x))
	y := b.OpN("LayerNormalization", 3, nil, x, b.Parameter("w", 4))[1] // kept for its second output
	b.Op("Neg", nil, y)
	y.Name, g.Outputs = "y", []*graphs.Value{y}
	after := prepare(t, &graphs.Model{Graph: g}, graphs.Options{})["dead"]
	if got := countOps(after); !maps.Equal(got, map[string]int{"LayerNormalization": 1}) {
		t.Errorf("left: %v\n%v", got, after)
	}
}

// A site multiplies by its mask and 1/(1−p); without dropout it is gone.
func TestDropoutPass(t *testing.T) {
	g, b := newGraph()
	x := b.Input("x", graphs.Float32, dimB, dimT)
	y := b.Op("Dropout", nil, b.Op("Neg", nil, b.Op("Dropout", nil, x)))
	y.Name, g.Outputs = "y", []*graphs.Value{y}
	m := &graphs.Model{Graph: g}

	const p = 0.3
	after := prepare(t, m, graphs.Options{Dropout: p})["dead"]
	feeds := feedsOf(after, 3, 2, 5)
	first, second := feeds[graphs.MaskPrefix+"0"].Data, feeds[graphs.MaskPrefix+"1"].Data
	if slices.Equal(first, second) || len(first) != 10 {
		t.Fatalf("masks %v and %v", first, second)
	}
	out := run(t, after, feeds)["y"]
	for i, v := range feeds["x"].Data {
		want := -v * first[i] * second[i] / (1 - p) / (1 - p)
		if math.Abs(out.Data[i]-want) > 1e-15 {
			t.Errorf("element %d is %v, not %v", i, out.Data[i], want)
		}
	}

	without := prepare(t, m, graphs.Options{})["dead"]
	if len(without.Inputs) != 1 || len(without.Nodes) != 1 || without.Outputs[0].Name != "y" {
		t.Errorf("without dropout\n%v", without)
	}
	for _, p := range []float64{-0.1, 1, 1.5, math.NaN(), math.Inf(1)} {
		_, err := m.Prepare(graphs.Options{Dropout: p}, nil)
		says(t, err, "dropout", "probability")
	}
}

// A pass returns a new graph; the model's own stays what it is.
func TestPassesLeaveTheModelAlone(t *testing.T) {
	m := tinyModel(t, "gelu")
	before := m.Graph.String()
	for _, o := range []graphs.Options{{}, {Noise: true, Dropout: 0.3}, {Doubled: true, Dropout: 0.3}} {
		if _, err := m.Compile(o, false); err != nil {
			t.Fatal(err)
		}
		if after := m.Graph.String(); after != before {
			t.Fatalf("compiling with %+v changed the model's graph to\n%s", o, after)
		}
	}
}

// A shape that a node declares in the batch size is that of both halves after doubling.
func TestNoiseDoublesDeclaredShapes(t *testing.T) {
	to := func(dims ...graphs.Dim) graphs.Attrs { return graphs.Attrs{"to": graphs.Shape(dims)} }
	g, b := newGraph()
	ids := b.Input("input_ids", graphs.Int64, dimB, dimT)
	x := b.Op("Gather", nil, b.Parameter("words", 2, 3), ids)
	square := graphs.Shape{dimB, dimT, dimT}
	mask := b.Op("Expand", to(square...), b.Unsqueeze(ids, 1), b.ShapeOf(square))
	masked := b.Mul(b.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, mask), b.MatMul(x, b.Transpose(x, 0, 2, 1)))
	own := b.Op("Range", to(dimB), b.Const(graphs.Int64, []int{}, 0), b.Squeeze(b.ShapeOf(graphs.Shape{dimB}), 0), b.Const(graphs.Int64, []int{}, 1))
	first := b.Op("Gather", nil, masked, own) // every example is itself
	zeros := b.Op("ConstantOfShape", to(dimB, dimT), b.ShapeOf(graphs.Shape{dimB, dimT}))
	y := b.Add(b.Sum(first, false, 2), zeros)
	tiles := b.Op("Tile", to(dimB, dimT), b.Sum(y, true, 1), b.Concat(0, b.Ints(1), b.ShapeOf(graphs.Shape{dimT})))
	y = b.Op("Slice", to(dimB, dimT), b.Concat(1, y, tiles), b.ShapeOf(graphs.Shape{dimT}), b.ShapeOf(graphs.Shape{{Coef: 2, T: 1}}), b.Ints(1))
	y.Name, g.Outputs = "logits", []*graphs.Value{y}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	feeds := feedsOf(g, 1, 3, 4)
	want := run(t, g, feeds)["logits"]
	after := prepare(t, &graphs.Model{Graph: g, WordEmbedding: "words"}, graphs.Options{Doubled: true})["dead"]
	feeds[graphs.NoiseInput] = fill(x.Shape, 3, 4, func() float64 { return 0 })
	got := run(t, after, feeds)["logits"]
	for k := range 2 {
		if d := distance(half(got, k), want); d > 1e-12 {
			t.Errorf("half %d differs by %.2g\n%v", k, d, after)
		}
	}
}

// The word embedding must be looked up exactly once for noise to have one place.
func TestNoiseErrors(t *testing.T) {
	for _, lookups := range []int{0, 2} {
		g, b := newGraph()
		ids := b.Input("input_ids", graphs.Int64, dimB, dimT)
		y := b.Input("x", graphs.Float32, dimB, dimT, dim(2))
		for range lookups {
			y = b.Add(y, b.Op("Gather", nil, b.Parameter("words", 7, 2), ids))
		}
		y.Name, g.Outputs = "logits", []*graphs.Value{y}
		_, err := (&graphs.Model{Graph: g, WordEmbedding: "words"}).Prepare(graphs.Options{Noise: true}, nil)
		says(t, err, `"words"`, "noise")
	}
	_, err := tinyModel(t, "gelu").Compile(graphs.Options{}, true)
	says(t, err, "noise", "Noise or Doubled")
	if !strings.Contains(err.Error(), "bert") {
		t.Errorf("error %q does not name the model", err)
	}
}
