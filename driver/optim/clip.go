package optim

// SumSquares returns Σ x², in float64. It is the same on any number of processors, never overflows for finite x, and
// is NaN or infinite exactly if some element is.
func SumSquares(x []float32) float64 {
	sums := make([]float64, (len(x)+piece-1)/piece)
	parallel(len(x), piece, func(i, lo, hi int) { sums[i] = sumSquares(x[lo:hi]) })
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}

// sumSquares adds in four chains, to keep the processor's adders busy.
func sumSquares(x []float32) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		x0, x1, x2, x3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		a += float64(x0 * x0)
		b += float64(x1 * x1)
		c += float64(x2 * x2)
		d += float64(x3 * x3)
	}
	for _, v := range x {
		a += float64(float64(v) * float64(v))
	}
	return (a + b) + (c + d)
}

// ClipScale returns the factor that brings a gradient of global norm norm = √Σ [SumSquares] down to norm max:
//
//	min(1, max/(norm + 1e-6))
//
// and 1, no clipping, if max is not above 0. norm must be finite.
//
// Source: torch.nn.utils.clip_grad_norm_.
func ClipScale(norm, max float64) float32 {
	if !(max > 0) {
		return 1
	}
	return float32(min(1, max/(norm+1e-6)))
}
