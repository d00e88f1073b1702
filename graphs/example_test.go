package graphs_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Building y = x·W + b, and its gradients beside it.
func Example() {
	g := &graphs.Graph{Name: "linear"}
	b := graphs.NewBuilder(g)
	x := b.Input("x", graphs.Float32, graphs.Batch, graphs.Static(3))
	w, bias := b.Parameter("W", 3, 2), b.Parameter("b", 2)
	y := b.Add(b.MatMul(x, w), bias)
	y.Name = "y"
	g.Outputs = []*graphs.Value{y}
	fmt.Print(g)

	dy := b.Input("dy", graphs.Float32, y.Shape...)
	grads, err := b.Differentiate(y, dy, []*graphs.Value{w, bias})
	if err != nil {
		fmt.Println(err)
		return
	}
	dw, db := grads.Dense[w], grads.Dense[bias]
	dw.Name, db.Name = "dW", "db"
	g.Outputs = append(g.Outputs, dw, db)
	fmt.Println()
	fmt.Print(g)
	// Output:
	// graph linear
	// input     x: float32[B, 3]
	// parameter W: float32[3, 2]
	// parameter b: float32[2]
	// v0: float32[B, 2] = MatMul{}(x, W)
	// y: float32[B, 2] = Add{}(v0, b)
	// output    y
	//
	// graph linear
	// input     x: float32[B, 3]
	// input     dy: float32[B, 2]
	// parameter W: float32[3, 2]
	// parameter b: float32[2]
	// v0: float32[B, 2] = MatMul{}(x, W)
	// y: float32[B, 2] = Add{}(v0, b)
	// v2: float32[1, 2] = ReduceSum{keepdims=1}(dy, [0])
	// db: float32[2] = Reshape{to=[2]}(v2, [2])
	// v4: float32[2, 3] = Transpose{perm=[1 0]}(W)
	// v5: float32[B, 3] = MatMul{}(dy, v4)
	// v6: float32[3, B] = Transpose{perm=[1 0]}(x)
	// dW: float32[3, 2] = MatMul{}(v6, dy)
	// output    y
	// output    dW
	// output    db
}
