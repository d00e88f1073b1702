package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// Result is what a training run reached.
type Result struct {
	Steps       int                `json:"steps"`
	Last        StepRecord         `json:"last"`
	Metrics     map[string]float64 `json:"metrics"`   // of the last evaluation
	Best        map[string]float64 `json:"best"`      // of the best evaluation by Options.Primary, a resumed run's earlier ones included
	BestStep    int                `json:"best_step"` // 0: none
	Seconds     float64            `json:"seconds"`   // of this process's steps, evaluation and checkpoints not counted
	Examples    int                `json:"examples"`  // trained on by this process, repetitions counted
	Profile     Profile            `json:"profile"`
	Interrupted bool               `json:"interrupted"`               // ctx was cancelled; the last step was finished
	Skipped     []string           `json:"skipped,omitempty"`         // newer checkpoints that did not verify
	NonFinite   int                `json:"skipped_updates,omitempty"` // left out of the whole run by Options.NonFinite
	Checkpoints Checkpoints        `json:"checkpoints"`               // of this process
}

// Train fine-tunes the engine's model on a sequence of examples. The examples are read once, into memory.
//
// Cancelling ctx lets the running step finish; with a run directory a checkpoint is written, and Train returns
// what it has with Interrupted set. A loss, logit or gradient that is not finite ends the run with a
// *DivergedError; a bad option is an *OptionError.
func Train(ctx context.Context, e Engine, examples iter.Seq2[Example, error], options Options) (*Result, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &trainer{loop: loop{engine: e, options: o}, result: &Result{}}
	if err := t.setUp(examples); err != nil {
		return nil, fmt.Errorf("setting up training: %w", err)
	}
	err = errors.Join(t.run(ctx), t.settle())
	if err == nil && o.Run != nil && t.saved < t.state.Step { // the disk did not take the last checkpoint: once more
		t.begun = 0
		err = errors.Join(t.checkpoint(), t.settle())
	}
	if bad, ok := errors.AsType[*DivergedError](err); ok && t.saved > 0 {
		bad.Checkpoint = o.Run.checkpoint(t.saved)
	}
	r, s := t.result, &t.state
	r.Steps, r.Metrics, r.Best, r.BestStep, r.NonFinite, r.Profile = s.Step, s.Metrics, s.Best, s.BestStep, s.Totals.Skipped, t.profile
	return r, err
}

// trainer is one run.
type trainer struct {
	loop
	saver
	sampler *sampler
	state   state // after the last finished step
	result  *Result
}

func (t *trainer) setUp(examples iter.Seq2[Example, error]) error {
	o, spec := t.options, t.engine.Spec()
	t.sampler = &sampler{batch: o.BatchSize * o.Accumulate, shuffle: !o.FileOrder, seed: o.Seed}
	for x, err := range examples {
		if err == nil {
			err = x.validate(spec)
		}
		if err != nil {
			return err
		}
		t.sampler.examples = append(t.sampler.examples, x)
	}
	if len(t.sampler.examples) == 0 {
		return fmt.Errorf("there are no training examples")
	}
	per := t.sampler.stepsPerEpoch()
	steps := o.Epochs * per
	if o.MaxSteps > 0 {
		steps = o.MaxSteps
	}
	warmup, err := optim.WarmupSteps(*o.Warmup, steps)
	if err != nil {
		return err
	}
	t.plan = Plan{Examples: len(t.sampler.examples), StepsPerEpoch: per, Steps: steps, Warmup: warmup}
	t.objective = o.objective(spec.Classes)
	t.variant = Clean
	if t.objective.Passes() == 2 {
		t.variant = Doubled
		if spec.Dropout > 0 {
			t.masks = o.DropoutMasks
		}
	}
	if err := t.setUpStepper(t.variant); err != nil {
		return err
	}
	if t.head, err = newSpectralHead(t.engine, o); err != nil {
		return err
	}
	if o.Run == nil {
		return nil
	}
	for _, n := range o.Run.notes {
		t.note(n)
	}
	if f, ok := t.engine.(Fingerprinter); ok {
		if t.state.Graph, err = f.Fingerprint(t.variant); err != nil {
			return err
		}
	}
	if o.Resume {
		return t.resume()
	}
	return nil
}

// resume continues from the newest good checkpoint.
func (t *trainer) resume() error {
	run := t.options.Run
	s, skipped, err := run.load(t.engine, t.admit)
	for _, e := range skipped {
		t.result.Skipped = append(t.result.Skipped, e.Error())
		t.note(e.Error())
	}
	if err != nil {
		return err
	}
	want := s.Journal
	if s.Step == 0 {
		want = emptyMark
	}
	agrees, err := run.metrics.cut(s.Step, s.EvalDue, want, run.force)
	if err == nil && !agrees {
		err = run.refuse([]string{fmt.Sprintf("%s is not what the checkpoint of step %d left: lines were lost or changed", run.metrics.path, s.Step)})
	}
	if err != nil {
		return err
	}
	if s.Step > 0 {
		s.Graph = t.state.Graph
		t.state, t.plan.FirstStep, t.begun, t.saved, t.skipped = s, s.Step, s.Step, s.Step, s.Totals.Skipped
	}
	return nil
}

// run is the loop over steps.
func (t *trainer) run(ctx context.Context) error {
	o := t.options
	if o.OnStart != nil {
		if err := o.OnStart(t.plan); err != nil {
			return err
		}
	}
	if _, err := t.engine.MaskSizes(t.variant, 1, 1); err != nil { // compiles before the clock starts
		return err
	}
	t.at = time.Now()
	if t.state.EvalDue && o.scored() {
		if err := t.score(ctx); err != nil {
			return err
		}
		if !t.state.EvalDue { // the step's checkpoint should know
			t.begun = 0
			if err := t.checkpoint(); err != nil {
				return err
			}
		}
	}
	working := context.WithoutCancel(ctx)
	f := newFeed(working, t.engine, t.sampler, o, t.variant, t.plan.FirstStep, t.plan.Steps)
	defer f.stop()
	for t.state.Step < t.plan.Steps && ctx.Err() == nil {
		record, err := t.step(working, f)
		if err != nil {
			return err
		}
		t.state.Step = record.Step
		t.state.Position = t.position(record.Step)
		t.state.Totals.Examples += t.whole
		t.state.Totals.Skipped = t.skipped
		t.result.Last = record
		t.result.Seconds += record.Seconds
		t.result.Examples += t.whole
		if err := t.after(ctx, record); err != nil {
			return err
		}
	}
	if t.result.Interrupted = ctx.Err() != nil; t.result.Interrupted {
		return t.checkpoint()
	}
	return t.last()
}

// scored reports whether the model is evaluated on dev examples.
func (o *Options) scored() bool { return len(o.Dev) > 0 && o.Score != nil }

// last hands the final model to OnBest where no evaluation did.
func (t *trainer) last() error {
	if t.options.scored() || t.options.OnBest == nil {
		return nil
	}
	if err := t.head.normalise(); err != nil {
		return err
	}
	return errors.Join(t.options.OnBest(EvalRecord{Step: t.plan.Steps, Best: true}), t.head.restore())
}

// after records a step, and evaluates and saves where one is due.
func (t *trainer) after(ctx context.Context, record StepRecord) error {
	o, done := t.options, t.state.Step
	if record.Skipped != "" {
		t.note(fmt.Sprintf("step %d is left out: %s", record.Step, record.Skipped))
	}
	if err := t.record(record); err != nil {
		return err
	}
	if o.OnStep != nil {
		if err := o.OnStep(record); err != nil {
			return err
		}
	}
	epochEnd := done%t.plan.StepsPerEpoch == 0 || done == t.plan.Steps
	if o.scored() && (epochEnd || (o.EvalEvery > 0 && done%o.EvalEvery == 0)) {
		if err := t.score(ctx); err != nil {
			return err
		}
	}
	if t.due(epochEnd) {
		return t.checkpoint()
	}
	return t.glance()
}

// record writes a line of metrics.
func (t *trainer) record(line any) error {
	if err := t.options.Run.record(line); err != nil {
		return t.tolerate(err)
	}
	return nil
}

// score evaluates; where ctx ends meanwhile, the evaluation stays due for the run that resumes.
func (t *trainer) score(ctx context.Context) error {
	err := t.evaluate(ctx)
	if t.state.EvalDue = ctx.Err() != nil && errors.Is(err, ctx.Err()); t.state.EvalDue {
		return nil
	}
	return err
}

// evaluate scores the dev examples and remembers the best model.
func (t *trainer) evaluate(ctx context.Context) error {
	begin := time.Now()
	o, step := t.options, t.state.Step
	if err := t.head.normalise(); err != nil {
		return err
	}
	err := func() error {
		logits, err := Predict(ctx, t.engine, o.Dev)
		if err != nil {
			return err
		}
		metrics, err := o.Score(logits, t.engine.Spec().Classes, o.Dev)
		if err != nil {
			return fmt.Errorf("scoring at step %d: %w", step, err)
		}
		r := EvalRecord{Step: step, Split: "dev", Metrics: metrics, Seconds: time.Since(begin).Seconds()}
		score, ok := metrics[o.Primary]
		if !ok {
			return fmt.Errorf("scoring at step %d: among %v is no %q, the metric that marks the best model", step, slices.Sorted(maps.Keys(metrics)), o.Primary)
		}
		best, evaluated := t.state.Best[o.Primary]
		if r.Best = score > best || !evaluated && !math.IsNaN(score); r.Best && o.OnBest != nil {
			if err := o.OnBest(r); err != nil {
				if err := t.tolerate(err); err != nil {
					return err
				}
				r.Best = false // the best model is the one that was exported
			}
		}
		t.state.SinceBest++
		if r.Best {
			t.state.Best, t.state.BestStep, t.state.SinceBest = metrics, step, 0
		}
		t.state.Metrics = metrics
		if err := t.record(r); err != nil {
			return err
		}
		if o.OnEval != nil {
			return o.OnEval(r)
		}
		return nil
	}()
	return errors.Join(err, t.head.restore())
}
