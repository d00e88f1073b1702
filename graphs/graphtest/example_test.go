package graphtest_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs/graphtest"
)

// The graph of one case, with the gradients of its operands appended.
func Example() {
	for _, c := range graphtest.Cases() {
		if c.Op != "Sin" || c.Name != "[]" {
			continue
		}
		g, y, err := c.New()
		if err != nil {
			fmt.Println(err)
			return
		}
		joint, _, err := g.Differentiate(y)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(joint)
	}
	// Output:
	// graph Sin
	// input     x0: float32[]
	// input     u: float32[]
	// y: float32[] = Sin{}(x0)
	// v0: float32[] = Cos{}(x0)
	// out1: float32[] = Mul{}(u, v0)
	// output    y
	// output    out1
}
