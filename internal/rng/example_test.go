package rng_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/internal/rng"
)

// The noise and a dropout mask of step 3 of the run with seed 42: the same on every machine.
func Example() {
	const seed, step = 42, 3

	noise := make([]float32, 3)
	rng.New(seed, step, "noise").Uniform32(noise, 1e-5)
	fmt.Println(noise)

	keep := make([]uint8, 20)
	rng.New(seed, step, "dropout/layer.0.attention").Mask(keep, 0.1)
	fmt.Println(keep)

	fmt.Println(rng.New(seed, 0, "order").Perm(8))
	// Output:
	// [-6.868166e-07 5.141062e-06 -7.980941e-06]
	// [0 1 1 1 1 0 1 1 1 1 1 1 1 1 1 1 1 1 1 0]
	// [3 2 5 6 7 1 4 0]
}
