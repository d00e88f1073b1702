package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	Seconds           float64 `json:"seconds"` // of this step
}

// EvalRecord is one evaluation.
type EvalRecord struct {
	Step    int                `json:"step"`
	Split   string             `json:"split"`
	Metrics map[string]float64 `json:"metrics"`
	Best    bool               `json:"best"`
	Seconds float64            `json:"seconds"`
}

// ErrDiverged is matched by DivergedError.
var ErrDiverged = errors.New("training diverged")

// DivergedError reports a loss, logit or gradient that is not finite.
type DivergedError struct {
	Step       int
	Quantity   string   // what was not finite
	Examples   []string // ids of the examples of the step
	Checkpoint string   // newest good checkpoint, or ""
}

// Error says where training diverged and what can be done.
func (e *DivergedError) Error() string {
	from := "no checkpoint was written yet"
	if e.Checkpoint != "" {
		from = "the last good checkpoint is " + e.Checkpoint
	}
	return fmt.Sprintf("step %d: %s is not finite, examples %v; %s; lower --lr, or set --clip 1", e.Step, e.Quantity, e.Examples, from)
}

// Unwrap lets errors.Is find ErrDiverged.
func (e *DivergedError) Unwrap() error { return ErrDiverged }

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
	masks     Masks   // as steps are recorded
	saved     int     // step of the newest good checkpoint, 0 for none
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
		examples = append(examples, sh.examples...)
		result, err := l.share(ctx, sh, &clock)
		if err != nil {
			var bad *loss.NonFiniteError
			if errors.As(err, &bad) {
				err = l.diverged(step+1, "a logit", sh.examples[bad.Example:][:1])
			}
			return StepRecord{}, errors.Join(fmt.Errorf("training at step %d: %w", step+1, err), l.head.restore())
		}
		f.spare <- sh
		sum = sum.Plus(result)
	}
	if err := errors.Join(l.head.restore(), l.head.backward()); err != nil {
		return StepRecord{}, err
	}
	timed(&l.profile.Loss, &clock)
	record := StepRecord{Step: step + 1, Loss: sum.Loss, TaskLoss: sum.Task, R3F: sum.Regulariser, DropoutMasks: l.masks, GraphLoss: l.inside}
	l.inside = 0
	if err := l.update(&record, examples); err != nil {
		return record, err
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

// update clips and applies the gradients.
func (l *loop) update(r *StepRecord, examples []*Example) error {
	norm, err := l.gradientNorm()
	if err != nil {
		return err
	}
	for _, c := range []struct {
		quantity string
		value    float64
	}{{"the loss", r.Loss}, {"the gradient", norm}} {
		if math.IsNaN(c.value) || math.IsInf(c.value, 0) {
			return l.diverged(r.Step, c.quantity, examples)
		}
	}
	o := l.options
	factor := o.Schedule.Factor(r.Step, l.plan.Steps, l.plan.Warmup)
	r.GradientNorm, r.LearningRate = norm, o.LearningRate*factor
	return l.engine.Update(Update{AdamW: o.AdamW, LearningRate: r.LearningRate, Step: r.Step, Scale: optim.ClipScale(norm, o.Clip)})
}

func (l *loop) diverged(step int, quantity string, examples []*Example) error {
	e := &DivergedError{Step: step, Quantity: quantity}
	for _, x := range examples {
		e.Examples = append(e.Examples, x.ID)
	}
	if l.saved > 0 {
		e.Checkpoint = l.options.Run.checkpoint(l.saved)
	}
	return e
}
