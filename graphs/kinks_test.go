package graphs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// Where a derivative does not exist, at ties and at bounds, the rules choose as PyTorch does.
func TestKinksAsPyTorch(t *testing.T) {
	data, err := os.ReadFile("../testdata/golden/kinks.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Op        string
		Attrs     map[string]float64
		Axes      []int64
		Shapes    [][]int
		Operands  [][]float64
		Gradients [][]float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Op, func(t *testing.T) {
			g, b := newGraph()
			feeds := map[string]eval.Tensor{}
			var floats, in []*graphs.Value
			for i, x := range c.Operands {
				name := fmt.Sprint("x", i)
				floats = append(floats, b.Input(name, graphs.Float32, graphs.StaticShape(c.Shapes[i]...)...))
				feeds[name] = eval.Tensor{Shape: c.Shapes[i], Data: x}
			}
			if in = floats; c.Axes != nil {
				in = append(in[:len(in):len(in)], b.Ints(c.Axes...))
			}
			if c.Op == "Clip" {
				in = append(in[:1:1], b.Scalar(-1), b.Scalar(1))
			}
			attrs := graphs.Attrs{}
			for name, v := range c.Attrs {
				if attrs[name] = v; name == "keepdims" {
					attrs[name] = int64(v)
				}
			}
			y := b.Op(c.Op, attrs, in...)
			next := 0.0
			feeds["dy"] = fill(y.Shape, 0, 0, func() float64 { next++; return next })
			grads, err := b.Differentiate(y, b.Input("dy", graphs.Float32, y.Shape...), floats)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range floats {
				d := b.Op("Identity", nil, grads.Dense[x])
				d.Name = fmt.Sprint("d", i)
				g.Outputs = append(g.Outputs, d)
			}
			out := run(t, g, feeds)
			for i, want := range c.Gradients {
				if got := out[fmt.Sprint("d", i)]; distance(got, eval.Tensor{Shape: got.Shape, Data: want}) > 1e-7 { // PyTorch has α = 1/6 in float32
					t.Errorf("the gradient of operand %d is %v, of PyTorch %v", i, got.Data, want)
				}
			}
		})
	}
}
