package eval_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// Evaluating y = x·W + b for a batch of two.
func Example() {
	g := &graphs.Graph{Name: "linear"}
	b := graphs.NewBuilder(g)
	x := b.Input("x", graphs.Float32, graphs.Batch, graphs.Static(3))
	y := b.Add(b.MatMul(x, b.Parameter("W", 3, 2)), b.Parameter("b", 2))
	y.Name = "y"
	g.Outputs = []*graphs.Value{y}

	out, err := eval.Run(g, map[string]eval.Tensor{
		"x": {Shape: []int{2, 3}, Data: []float64{1, 2, 3, 4, 5, 6}},
		"W": {Shape: []int{3, 2}, Data: []float64{1, 0, 0, 1, 1, 1}},
		"b": {Shape: []int{2}, Data: []float64{10, 20}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out["y"].Shape, out["y"].Data)

	_, err = eval.Run(g, map[string]eval.Tensor{})
	fmt.Println(err)
	// Output:
	// [2 2] [14 25 20 31]
	// evaluating linear: input "x" float32[B, 3] is not fed
}
