package graphs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

func newGraph() (*graphs.Graph, *graphs.Builder) {
	g := &graphs.Graph{Name: "test"}
	return g, graphs.NewBuilder(g)
}

// says fails unless err's text has every part.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestUnknownOperator(t *testing.T) {
	_, b := newGraph()
	x := b.Input("x", graphs.Float32, dimB, dimT)
	y := b.Add(b.Op("Mystery", nil, x), b.Scalar(1))
	b.Reshape(y, graphs.Shape{dimB}) // must not replace the first error
	var unknown *graphs.UnknownOpError
	if err := b.Err(); !errors.As(err, &unknown) || unknown.Op != "Mystery" {
		t.Fatalf("error %v", err)
	}
	says(t, b.Err(), "Mystery", "x float32[B, T]", "opset 20", "graphs/ops.go")
}

// An operator without a rule is an error exactly where a gradient has to pass it.
func TestNoGradientRule(t *testing.T) {
	g, b := newGraph()
	x, w := b.Input("x", graphs.Float32, dimB, dim(3)), b.Parameter("w", 3)
	blocked := b.Op("Dropout", nil, b.Mul(x, w))
	free := b.Mul(b.Op("Dropout", nil, x), w)
	u := b.Input("u", graphs.Float32, dimB, dim(3))

	nodes := len(g.Nodes)
	_, err := b.Differentiate(blocked, u, []*graphs.Value{w})
	var missing *graphs.NoGradientError
	if !errors.As(err, &missing) || missing.Op != "Dropout" {
		t.Fatalf("error %v", err)
	}
	says(t, err, "Dropout", "float32[B, 3]", "opset 20", "graphs/ops.go")
	g.Nodes = g.Nodes[:nodes]

	grads, err := b.Differentiate(free, u, []*graphs.Value{w})
	if err != nil || grads.Dense[w] == nil {
		t.Fatalf("a Dropout that no parameter reaches is in the way: %v", err)
	}
}

// No gradient flows through operators that are declared non-differentiable, and around them all of it does.
func TestDeclaredNonDifferentiable(t *testing.T) {
	float := graphs.Attrs{"to": int64(graphs.Float32)}
	stops := map[string]func(b *graphs.Builder, x *graphs.Value) *graphs.Value{
		"StopGradient": func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Op("StopGradient", nil, x) },
		"Sign":         func(b *graphs.Builder, x *graphs.Value) *graphs.Value { return b.Op("Sign", nil, x) },
		"Equal": func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Cast", float, b.Op("Equal", nil, x, b.Scalar(1)))
		},
		"Shape": func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Cast", float, b.Op("Shape", nil, x))
		},
		"Cast to an integer and back": func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("Cast", float, b.Op("Cast", graphs.Attrs{"to": int64(graphs.Int64)}, x))
		},
		"DequantizeLinear": func(b *graphs.Builder, x *graphs.Value) *graphs.Value {
			return b.Op("DequantizeLinear", nil, b.Op("Cast", graphs.Attrs{"to": int64(graphs.Uint8)}, x), b.Scalar(3))
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			g, b := newGraph()
			x := b.Parameter("x", 1)
			s := stop(b, x)
			u := b.Input("u", graphs.Float32, dim(1))

			grads, err := b.Differentiate(b.Mul(s, s), u, []*graphs.Value{x})
			if err != nil {
				t.Fatal(err)
			}
			if len(grads.Dense) != 0 || len(grads.Rows) != 0 {
				t.Errorf("a gradient flows: %v", grads)
			}
			grads, err = b.Differentiate(b.Mul(x, s), u, []*graphs.Value{x})
			if err != nil {
				t.Fatal(err)
			}
			// d(x·s)/dx = s with s held fixed
			dx, frozen := grads.Dense[x], b.Add(s, b.Scalar(0))
			dx.Name, frozen.Name = "dx", "s"
			g.Outputs = []*graphs.Value{dx, frozen}
			out := run(t, g, map[string]eval.Tensor{"x": {Shape: []int{1}, Data: []float64{1}}, "u": {Shape: []int{1}, Data: []float64{7}}})
			if got, want := out["dx"].Data[0], 7*out["s"].Data[0]; got != want {
				t.Errorf("dx is %v, not %v", got, want)
			}
		})
	}
}

func TestGradientsOfNothingAndOfItself(t *testing.T) {
	_, b := newGraph()
	x, other := b.Parameter("x", 3), b.Parameter("other", 3)
	y := b.Op("Tanh", nil, x)
	u := b.Input("u", graphs.Float32, dim(3))
	grads, err := b.Differentiate(y, u, []*graphs.Value{x, other, y})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := grads.Dense[other]; ok {
		t.Error("a parameter that the output does not read has a gradient")
	}
	if grads.Dense[y] != u {
		t.Error("the output's own gradient is not the cotangent")
	}
	if grads.Dense[x] == nil {
		t.Error("the gradient stops at the output")
	}
}

// The gradient of a small table is one product in a fixed order; of a large table, the rows; of a large table
// that is read otherwise as well, a scatter.
func TestGatherGradientForms(t *testing.T) {
	count := func(g *graphs.Graph, op string) int {
		n := 0
		for _, node := range g.Nodes {
			if node.Op == op {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name                   string
		rows                   int
		tied                   bool
		dense, lists, scatters int
	}{
		{"small", graphs.RowTableSize - 1, false, 1, 0, 0},
		{"large", graphs.RowTableSize, false, 0, 2, 0},
		{"large and tied", graphs.RowTableSize, true, 1, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, b := newGraph()
			table := b.Parameter("table", c.rows, 3)
			y := b.Add(b.Op("Gather", nil, table, b.Input("i", graphs.Int64, dimB)), b.Op("Gather", nil, table, b.Input("j", graphs.Int64, dimB)))
			if c.tied {
				y = b.MatMul(y, b.Transpose(table, 1, 0))
			}
			grads, err := b.Differentiate(y, b.Input("u", graphs.Float32, y.Shape...), []*graphs.Value{table})
			if err != nil {
				t.Fatal(err)
			}
			if len(grads.Dense) != c.dense || len(grads.Rows[table]) != c.lists || count(g, "ScatterElements") != c.scatters {
				t.Errorf("%d dense, %d row lists, %d scatters; want %+v", len(grads.Dense), len(grads.Rows[table]), count(g, "ScatterElements"), c)
			}
		})
	}
}

func TestDifferentiateErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(b *graphs.Builder, x *graphs.Value) (y, u *graphs.Value)
		want  []string
	}{
		{"steps between bounds known at run time", func(b *graphs.Builder, x *graphs.Value) (y, u *graphs.Value) {
			first := b.Reshape(b.Input("i", graphs.Int64), graphs.Shape{dim(1)})
			y = b.Op("Slice", graphs.Attrs{"to": graphs.Shape{dim(2), dim(3)}}, x, first, b.Ints(4), b.Ints(0), b.Ints(2))
			return y, b.Input("u", graphs.Float32, y.Shape...)
		}, []string{"Slice", "x float32[4, 3]", "steps"}},
		{"cotangent of another shape", func(b *graphs.Builder, x *graphs.Value) (y, u *graphs.Value) {
			return b.Mul(x, x), b.Input("u", graphs.Float32, dim(3))
		}, []string{"cotangent", "[3]", "[4, 3]"}},
		{"second output", func(b *graphs.Builder, x *graphs.Value) (y, u *graphs.Value) {
			out := b.OpN("LayerNormalization", 3, nil, x, b.Parameter("scale", 3))
			y = b.Mul(out[0], out[1])
			return y, b.Input("u", graphs.Float32, y.Shape...)
		}, []string{"LayerNormalization", "output 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, b := newGraph()
			x := b.Parameter("x", 4, 3)
			y, u := c.build(b, x)
			_, err := b.Differentiate(y, u, []*graphs.Value{x})
			says(t, err, c.want...)
		})
	}
}
