package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// Result is what a training run reached.
type Result struct {
	Steps       int                `json:"steps"`
	Last        StepRecord         `json:"last"`
	Metrics     map[string]float64 `json:"metrics"`   // of the last evaluation
	Best        map[string]float64 `json:"best"`      // of the best evaluation by Options.Primary, of this process
	BestStep    int                `json:"best_step"` // 0: none in this process
	Seconds     float64            `json:"seconds"`   // of all steps, evaluation and checkpoints not counted
	Examples    int                `json:"examples"`  // trained on, repetitions counted
	Profile     Profile            `json:"profile"`
	Interrupted bool               `json:"interrupted"` // ctx was cancelled; the last step was finished
	Skipped     []string           `json:"skipped,omitempty"`
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
	t := &trainer{options: o, best: math.Inf(-1), result: &Result{}}
	if err := t.setUp(e, examples); err != nil {
		return nil, fmt.Errorf("setting up training: %w", err)
	}
	err = t.run(ctx)
	t.result.Profile = t.profile
	return t.result, err
}

// trainer is one run.
type trainer struct {
	loop
	options *Options
	sampler *sampler
	variant Variant
	state   state
	best    float64
	result  *Result
}

func (t *trainer) setUp(e Engine, examples iter.Seq2[Example, error]) error {
	o, spec := t.options, e.Spec()
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
		return optionError("warmup", err)
	}
	plan := Plan{Examples: len(t.sampler.examples), StepsPerEpoch: per, Steps: steps, Warmup: warmup}
	t.loop = loop{engine: e, options: o, objective: o.objective(spec.Classes), plan: plan}
	t.variant = Clean
	if t.objective.Passes() == 2 {
		t.variant = Doubled
	}
	if t.head, err = newSpectralHead(e, o); err != nil {
		return err
	}
	if o.Resume && o.Run != nil {
		return t.resume()
	}
	return nil
}

// resume continues from the newest good checkpoint.
func (t *trainer) resume() error {
	s, skipped, err := t.options.Run.load(t.engine)
	for _, e := range skipped {
		t.result.Skipped = append(t.result.Skipped, e.Error())
	}
	if err != nil {
		return err
	}
	if s.Step > 0 && s.Seed != t.options.Seed {
		return fmt.Errorf("the checkpoint was made with seed %d, not %d", s.Seed, t.options.Seed)
	}
	t.state, t.plan.FirstStep = s, s.Step
	if s.Evaluated {
		t.best = s.Best
	}
	return t.options.Run.truncate(s.Step)
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
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	f := newFeed(working, t.engine, t.sampler, o, t.variant, t.plan.FirstStep, t.plan.Steps)
	for done := t.plan.FirstStep; done < t.plan.Steps; {
		record, err := t.step(working, f)
		if err != nil {
			return err
		}
		done = record.Step
		t.result.Steps, t.result.Last = done, record
		t.result.Seconds += record.Seconds
		t.result.Examples += t.whole
		if err := t.after(ctx, record); err != nil {
			return err
		}
		if ctx.Err() != nil {
			t.result.Interrupted = true
			return t.checkpoint(done)
		}
	}
	return nil
}

// after records a step, and evaluates and saves where one is due.
func (t *trainer) after(ctx context.Context, record StepRecord) error {
	o, done := t.options, record.Step
	if err := o.Run.record(record); err != nil {
		return err
	}
	if o.OnStep != nil {
		if err := o.OnStep(record); err != nil {
			return err
		}
	}
	epochEnd := done%t.plan.StepsPerEpoch == 0 || done == t.plan.Steps
	if len(o.Dev) > 0 && o.Score != nil && (epochEnd || (o.EvalEvery > 0 && done%o.EvalEvery == 0)) {
		if err := t.evaluate(ctx, done); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if epochEnd || (o.CheckpointEvery > 0 && done%o.CheckpointEvery == 0) {
		return t.checkpoint(done)
	}
	return nil
}

// evaluate scores the dev examples and remembers the best model.
func (t *trainer) evaluate(ctx context.Context, step int) error {
	begin := time.Now()
	o := t.options
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
		if r.Best = ok && score > t.best; r.Best {
			t.best, t.result.Best, t.result.BestStep = score, metrics, step
			if o.OnBest != nil {
				if err := o.OnBest(r); err != nil {
					return err
				}
			}
		}
		t.result.Metrics = metrics
		if err := o.Run.record(r); err != nil {
			return err
		}
		if o.OnEval != nil {
			return o.OnEval(r)
		}
		return nil
	}()
	return errors.Join(err, t.head.restore())
}

// checkpoint saves the run where it has a directory.
func (t *trainer) checkpoint(step int) error {
	if t.options.Run == nil {
		return nil
	}
	s := state{Step: step, Seed: t.options.Seed}
	if !math.IsInf(t.best, -1) {
		s.Best, s.Evaluated = t.best, true
	}
	return t.options.Run.save(t.engine, s, t.options.Keep)
}
