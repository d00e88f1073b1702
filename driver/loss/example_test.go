package loss_test

import (
	"fmt"
	"log"

	"github.com/r3f-ort/r3f-ort/driver/loss"
)

// The R3F loss of two examples with three classes, as one doubled batch: two clean rows, then two noised rows.
func Example() {
	r3f, err := loss.MethodByName("r3f")
	if err != nil {
		log.Fatal(err)
	}
	objective := loss.Objective{Method: r3f, Lambda: 1}
	logits := []float32{
		2.0, 0.5, -1.0,
		0.1, 0.2, 0.3,
		2.1, 0.4, -1.0,
		0.1, 0.2, 0.3, // this example's noise changed nothing
	}
	dlogits := make([]float32, len(logits))
	result, err := objective.Evaluate(logits, 3, []int{0, 2}, nil, 2, dlogits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.4f = task %.4f + 1 × regulariser %.4f\n", result.Loss, result.Task, result.Regulariser)
	fmt.Printf("gradient of the second noised row: %v\n", dlogits[9:])
	// Output:
	// loss 0.6244 = task 0.6216 + 1 × regulariser 0.0028
	// gradient of the second noised row: [0 0 0]
}

// R4F divides the head's weights by their largest singular value before the forward pass and carries the gradient back
// through the division after the backward pass.
func ExampleSpectral() {
	weight := []float32{3, 0, 0, 0, 1, 0} // 2×3, singular values 3 and 1
	spectral := loss.NewSpectral(2, 3)
	hat := make([]float32, len(weight))
	if err := spectral.Normalise(weight, hat); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", hat)
	gradient := []float32{1, 0, 0, 0, 3, 0} // of the loss with respect to hat
	spectral.Backward(gradient, gradient)
	fmt.Printf("%.3f\n", gradient)
	// Output:
	// [1.000 0.000 0.000 0.000 0.333 0.000]
	// [-0.333 0.000 0.000 0.000 1.000 0.000]
}
