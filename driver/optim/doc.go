// Package optim updates parameters: AdamW, clipping by the global norm, and learning-rate schedules, on plain float32
// memory, in pure Go.
//
// A step of an optimiser over all tensors of a model is
//
//	norm  = √Σ SumSquares(g)                     NaN or infinite: the run has diverged, stop before the update
//	scale = ClipScale(norm, max)
//	lr    = peak · schedule.Factor(step, total, warmup)
//	AdamW.Apply(p, g, m, v, Step{step, lr, scale, decay})   for each tensor, or ApplyRows for an embedding table
//
// Results depend on the numbers alone: work is cut into pieces of fixed size, whatever the number of processors, and
// no product is fused with a sum, so every machine computes the same bytes.
package optim
