package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/internal/rng"
)

// Stepper is an Engine whose training graph holds the loss as well, so that one call runs forward and backward, and
// whose optimiser has constants of its own. Train computes the objective from the logits as for every engine, and stops
// with a *LossError where the graph's differs. Gradients stay inside: neither clipping nor R4F, which change them, nor a
// constant target of the R3F term, which the graph may not have, is possible.
type Stepper interface {
	// TrainStep runs a batch forward and backward, and adds its gradients. It returns the logits as Forward does, and
	// the loss: the batch's share of the update's.
	TrainStep(ctx context.Context, b *Batch, g Goal) (logits []float32, loss float64, err error)
	// AdamW returns the constants of Update, which Options.AdamW must equal if it is set.
	AdamW() optim.AdamW
}

// Goal is what TrainStep's loss depends on besides the batch.
type Goal struct {
	Labels  []int     // class of each example
	Targets []float64 // regression target of each example
	Lambda  float64   // weight of the R3F term; 0 for Clean
	Share   float64   // the batch's examples over those of the whole update
	Seed    uint64    // of what the graph draws itself
}

// lossTolerance is how far the loss inside a graph may be from the objective, relative to the larger of it and 1.
const lossTolerance = 1e-3

// ErrLoss is matched by LossError.
var ErrLoss = errors.New("the graph does not compute the objective")

// LossError reports a training graph whose loss is not the objective that the options describe.
type LossError struct {
	Graph, Want       float64 // the graph's loss and the objective's, of one batch
	Task, Regulariser float64 // what Want consists of
	Method            string
}

// Error says how far apart the two are, and what may be the cause.
func (e *LossError) Error() string {
	return fmt.Sprintf("%v: its loss is %.6g; method %s of its logits and labels is %.6g (task loss %.6g, regulariser %.6g before lambda): "+
		"make the artifacts for this method, or give lambda, labels and logits their right roles in the manifest", ErrLoss, e.Graph, e.Method, e.Want, e.Task, e.Regulariser)
}

// Unwrap lets errors.Is find ErrLoss.
func (e *LossError) Unwrap() error { return ErrLoss }

// Check reports what Train would refuse of the options for this engine, an *OptionError, before anything is written.
func Check(e Engine, options Options) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	v := Clean
	if o.objective(e.Spec().Classes).Passes() == 2 {
		v = Doubled
	}
	return (&loop{engine: e, options: o}).setUpStepper(v)
}

// setUpStepper takes an engine that is a Stepper as one, if the options leave the gradients alone.
func (l *loop) setUpStepper(v Variant) error {
	s, ok := l.engine.(Stepper)
	if !ok {
		return nil
	}
	o := l.options
	masks, err := l.engine.MaskSizes(v, 1, 1)
	if err != nil {
		return err
	}
	if o.AdamW == (optim.AdamW{}) {
		o.AdamW = s.AdamW()
	}
	for _, c := range []struct {
		name string
		bad  bool
		why  string
	}{
		{"method", o.method.Spectral, fmt.Sprintf("is %s, which changes gradients that the engine keeps to itself; use the stock engine", o.Method)},
		{"clip", o.Clip > 0, "is set, and the engine keeps its gradients to itself; use the stock engine, or artifacts whose optimiser clips"},
		{"stop-gradient", o.StopGradient, "is set, and the loss in the training graph is not known to have a constant target; use the stock engine"},
		{"adamw", o.AdamW != s.AdamW(), fmt.Sprintf("is %+v; the optimiser of the artifacts has %+v: make them with the constants that you want", o.AdamW, s.AdamW())},
		{"dropout-masks", o.DropoutMasks == Shared && v == Doubled && l.engine.Spec().Dropout > 0 && len(masks) == 0,
			"is shared; the training graph draws its masks itself, and independently"},
	} {
		if c.bad {
			return optionError(c.name, errors.New(c.why))
		}
	}
	l.stepper = s
	return nil
}

// stepWhole runs one micro-batch through a Stepper.
func (l *loop) stepWhole(ctx context.Context, sh *share, clock *time.Time) (loss.Result, error) {
	l.label(sh)
	o := l.options
	goal := Goal{Labels: l.labels, Targets: l.targets, Share: float64(sh.Size) / float64(sh.whole),
		Seed: rng.New(o.Seed, uint64(sh.step), fmt.Sprintf("graph.%d", sh.micro)).Uint64()}
	if l.variant == Doubled {
		goal.Lambda = *o.Lambda
	}
	before := l.graphSeconds()
	logits, inside, err := l.stepper.TrainStep(ctx, &sh.Batch, goal)
	if err != nil {
		return loss.Result{}, err
	}
	l.graph(&l.profile.Forward, before, clock)
	result, err := l.objective.Evaluate(logits, l.engine.Spec().Classes, l.labels, l.targets, sh.whole, nil)
	if err != nil {
		return result, err
	}
	if !(math.Abs(inside-result.Loss) <= lossTolerance*max(1, math.Abs(result.Loss))) {
		return result, &LossError{Graph: inside, Want: result.Loss, Task: result.Task, Regulariser: result.Regulariser, Method: o.Method}
	}
	l.inside += inside
	timed(&l.profile.Loss, clock)
	return result, nil
}

// gradientNorm asks the engine, unless it keeps its gradients to itself.
func (l *loop) gradientNorm() (float64, error) {
	if l.stepper != nil {
		return 0, nil
	}
	return l.engine.GradientNorm()
}

// cut divides a step's examples into micro-batches: within the budget of tokens, or by the batch size where the engine
// weighs all batches alike.
func (o *Options) cut(examples []*Example, s Spec, v Variant) [][]*Example {
	if s.EqualBatches {
		return slices.Collect(slices.Chunk(examples, o.BatchSize))
	}
	return microBatches(examples, o.passTokens(v))
}
