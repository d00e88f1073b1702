// Package driver fine-tunes an encoder that runs inside an Engine: it draws batches, noise and dropout masks,
// computes the R3F objective and its gradient in float64, schedules AdamW updates, evaluates, and writes
// checkpoints that a later run continues from to the same bytes.
//
// The life of a step: a length-bucketed batch is cut into micro-batches of similar length; for each, noise and
// masks are drawn (in the background, while the previous one runs), the forward graph computes logits, the
// objective turns them into ∂L/∂logits, and the backward graph adds its gradients; then gradients are clipped
// and the parameters updated in place. The cut into micro-batches changes memory and padding, not the result:
// every share is divided by the size of the whole batch.
//
// Everything random is a function of (seed, step, tensor), so a step does not depend on how the run got there.
package driver
