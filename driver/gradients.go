package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/driver/loss"
)

// Gradients computes the objective of one prepared batch and leaves its gradients in the engine, replacing what
// was there: one step of Train without noise drawn and without the update, for custom loops and for probing. The
// batch's Variant must be Doubled for methods of two passes and Clean otherwise. It returns the loss and a copy of
// the logits [rows, K].
func Gradients(ctx context.Context, e Engine, b *Batch, labels []int, targets []float64, options Options) (loss.Result, []float32, error) {
	fail := func(err error) (loss.Result, []float32, error) {
		return loss.Result{}, nil, fmt.Errorf("computing gradients: %w", err)
	}
	o, err := options.withDefaults()
	if err != nil {
		return fail(err)
	}
	head, err := newSpectralHead(e, o)
	if err != nil {
		return fail(err)
	}
	classes := e.Spec().Classes
	if err := errors.Join(e.ZeroGradients(), head.normalise()); err != nil {
		return fail(err)
	}
	logits, err := e.Forward(ctx, b)
	if err != nil {
		return fail(errors.Join(err, head.restore()))
	}
	logits = slices.Clone(logits)
	dlogits := make([]float32, len(logits))
	result, err := o.objective(classes).Evaluate(logits, classes, labels, targets, b.Size, dlogits)
	if err == nil {
		err = e.Backward(ctx, dlogits)
	}
	if err := errors.Join(err, head.restore()); err != nil {
		return fail(err)
	}
	if err := head.backward(); err != nil {
		return fail(err)
	}
	return result, logits, nil
}
