package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// StepRecord is what one update did.
type StepRecord struct {
	Step              int     `json:"step"` // from 1
	Epoch             float64 `json:"epoch"`
	Loss              float64 `json:"loss"` // task_loss + λ·r3f
	TaskLoss          float64 `json:"task_loss"`
	R3F               float64 `json:"r3f"`                     // the regulariser before λ
	DropoutMasks      Masks   `json:"dropout_masks,omitempty"` // of the two passes; with dropout, independent masks dominate the R3F term
	LearningRate      float64 `json:"lr"`
	GradientNorm      float64 `json:"grad_norm,omitempty"`  // before clipping; absent where the engine keeps its gradients to itself
	GraphLoss         float64 `json:"graph_loss,omitempty"` // Loss as a Stepper's graph has it
	ExamplesPerSecond float64 `json:"examples_per_second"`
	Seconds           float64 `json:"seconds"`           // of this step
	Skipped           string  `json:"skipped,omitempty"` // what was not finite, so that the update was left out; loss and norm are then 0
}

// EvalRecord is one evaluation.
type EvalRecord struct {
	Step    int                `json:"step"`
	Split   string             `json:"split"`
	Metrics map[string]float64 `json:"metrics"`
	Best    bool               `json:"best"`
	Seconds float64            `json:"seconds"`
}

// Profile is where the time of training went, in seconds summed over steps.
type Profile struct {
	Forward  float64 `json:"forward"`  // the forward graph; of a Stepper both
	Backward float64 `json:"backward"` // the backward graph
	Engine   float64 `json:"engine"`   // around the graphs: binding tensors, adding gradients; 0 if the engine is no Timer
	Wait     float64 `json:"wait"`     // for noise and masks drawn in the background
	Loss     float64 `json:"loss"`     // objective, spectral normalisation
	Update   float64 `json:"update"`   // gradient norm, AdamW
	Total    float64 `json:"total"`
}

// loop runs updates on an engine.
type loop struct {
	engine    Engine
	options   *Options
	objective loss.Objective
	head      *spectralHead
	plan      Plan
	dlogits   []float32
	labels    []int
	targets   []float64
	whole     int     // examples of the last step
	skipped   int     // updates left out so far
	masks     Masks   // as steps are recorded
	stepper   Stepper // the engine, if it is one
	variant   Variant
	inside    float64 // loss of the step in a stepper's graph
	profile   Profile
}

// timed adds the time since *since to *total and moves *since on.
func timed(total *float64, since *time.Time) {
	now := time.Now()
	*total += now.Sub(*since).Seconds()
	*since = now
}

// step runs one update from the feed.
func (l *loop) step(ctx context.Context, f *feed) (StepRecord, error) {
	begin := time.Now()
	clock := begin
	var sum loss.Result
	var examples []*Example
	var step int
	var bad *DivergedError // what was not finite; the rest of the update is then only taken from the feed
	if err := errors.Join(l.engine.ZeroGradients(), l.head.normalise()); err != nil {
		return StepRecord{}, err
	}
	timed(&l.profile.Loss, &clock)
	for last := false; !last; {
		sh, ok := <-f.ready
		if !ok {
			return StepRecord{}, errors.Join(f.failed, l.head.restore())
		}
		timed(&l.profile.Wait, &clock)
		step, l.whole, last = sh.step, sh.whole, sh.last
		if bad == nil {
			examples = append(examples, sh.examples...)
			result, err := l.share(ctx, sh, &clock)
			if logit, ok := errors.AsType[*loss.NonFiniteError](err); ok {
				bad = &DivergedError{Step: step + 1, Quantity: "a logit", Tensor: "logits", Examples: ids(sh.examples[logit.Example:][:1]), cause: err}
			} else if err != nil {
				return StepRecord{}, errors.Join(fmt.Errorf("training at step %d: %w", step+1, err), l.head.restore())
			}
			sum = sum.Plus(result)
		}
		f.spare <- sh
	}
	if err := l.head.restore(); err != nil {
		return StepRecord{}, err
	}
	record := StepRecord{Step: step + 1, Loss: sum.Loss, TaskLoss: sum.Task, R3F: sum.Regulariser, DropoutMasks: l.masks, GraphLoss: l.inside}
	l.inside = 0
	if bad == nil {
		if err := l.head.backward(); err != nil {
			return StepRecord{}, err
		}
		timed(&l.profile.Loss, &clock)
		var err error
		if bad, err = l.update(&record, examples); err != nil {
			return record, err
		}
	}
	if bad != nil {
		if l.options.NonFinite != SkipUpdate {
			return record, bad
		}
		l.skipped++
		record.Skipped = bad.what()
		record.Loss, record.TaskLoss, record.R3F, record.GradientNorm, record.GraphLoss = 0, 0, 0, 0, 0
	}
	timed(&l.profile.Update, &clock)
	record.Epoch = float64(step+1) / float64(l.plan.StepsPerEpoch)
	record.Seconds = clock.Sub(begin).Seconds()
	l.profile.Total += record.Seconds
	record.ExamplesPerSecond = float64(l.whole) / record.Seconds
	return record, nil
}

// graph adds the time since *clock to *total, less what the engine, a Timer that stood at before, spent around its
// graphs.
func (l *loop) graph(total *float64, before float64, clock *time.Time) {
	spent := 0.0
	timed(&spent, clock)
	if t, ok := l.engine.(Timer); ok {
		inside := t.GraphSeconds() - before
		l.profile.Engine += spent - inside
		spent = inside
	}
	*total += spent
}

// graphSeconds is where the engine's Timer stands.
func (l *loop) graphSeconds() float64 {
	if t, ok := l.engine.(Timer); ok {
		return t.GraphSeconds()
	}
	return 0
}

// share runs one micro-batch forward and backward.
func (l *loop) share(ctx context.Context, sh *share, clock *time.Time) (loss.Result, error) {
	if l.stepper != nil {
		return l.stepWhole(ctx, sh, clock)
	}
	before := l.graphSeconds()
	logits, err := l.engine.Forward(ctx, &sh.Batch)
	if err != nil {
		return loss.Result{}, err
	}
	l.graph(&l.profile.Forward, before, clock)
	l.label(sh)
	l.dlogits = resize(l.dlogits, len(logits))
	result, err := l.objective.Evaluate(logits, l.engine.Spec().Classes, l.labels, l.targets, sh.whole, l.dlogits)
	if err != nil {
		return result, err
	}
	timed(&l.profile.Loss, clock)
	before = l.graphSeconds()
	err = l.engine.Backward(ctx, l.dlogits)
	l.graph(&l.profile.Backward, before, clock)
	return result, err
}

// label takes the labels of a micro-batch's examples.
func (l *loop) label(sh *share) {
	l.labels, l.targets = l.labels[:0], l.targets[:0]
	for _, x := range sh.examples {
		l.labels, l.targets = append(l.labels, x.Label), append(l.targets, x.Target)
	}
}

// update clips and applies the gradients, unless something is not finite. Updates that were skipped do not count in the
// bias correction of the moments, which have not seen them.
func (l *loop) update(r *StepRecord, examples []*Example) (*DivergedError, error) {
	o := l.options
	r.LearningRate = o.LearningRate * o.Schedule.Factor(r.Step, l.plan.Steps, l.plan.Warmup)
	if !finite(r.Loss) {
		return &DivergedError{Step: r.Step, Quantity: "the loss", Tensor: "loss", Examples: ids(examples)}, nil
	}
	norm, err := l.gradientNorm()
	if err != nil {
		return nil, err
	}
	if !finite(norm) {
		name, err := l.notFinite()
		return &DivergedError{Step: r.Step, Quantity: "the gradient of " + name, Tensor: name, Examples: ids(examples)}, err
	}
	r.GradientNorm = norm
	return nil, l.engine.Update(Update{AdamW: o.AdamW, LearningRate: r.LearningRate, Step: r.Step - l.skipped, Scale: optim.ClipScale(norm, o.Clip)})
}
