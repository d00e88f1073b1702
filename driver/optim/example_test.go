package optim_test

import (
	"fmt"
	"log"
	"math"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// Minimise (x−3)² + (y+1)² from the origin.
func Example() {
	schedule, err := optim.ParseSchedule("polynomial")
	if err != nil {
		log.Fatal(err)
	}
	const total, peak = 300, 0.1
	warmup, err := optim.WarmupSteps(0.06, total)
	if err != nil {
		log.Fatal(err)
	}
	p, m, v := make([]float32, 2), make([]float32, 2), make([]float32, 2)
	for t := 1; t <= total; t++ {
		g := []float32{2 * (p[0] - 3), 2 * (p[1] + 1)}
		norm := math.Sqrt(optim.SumSquares(g))
		optim.AdamW{}.Apply(p, g, m, v, optim.Step{T: t, LR: peak * schedule.Factor(t, total, warmup), Scale: optim.ClipScale(norm, 1)})
	}
	fmt.Printf("%.2f\n", p)
	// Output:
	// [3.00 -1.00]
}
