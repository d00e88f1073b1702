package driver

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// Noise is the distribution of the perturbation of word embeddings.
type Noise string

// The noise distributions of the paper.
const (
	Uniform Noise = "uniform" // U(−ε, ε)
	Normal  Noise = "normal"  // N(0, ε²)
)

// Masks says how the clean and the noised pass draw their dropout masks.
type Masks string

// The two ways to draw masks.
const (
	Independent Masks = "independent" // as the reference implementation does
	Shared      Masks = "shared"      // the same mask for both passes
)

// Scope says which matrices of the head R4F normalises.
type Scope string

// The scopes of the spectral normalisation.
const (
	WholeHead  Scope = "head"     // every weight matrix of the head, as the paper says
	OutputOnly Scope = "out_proj" // the output projection alone, as the reference code does
)

// NonFinite says what to do about a loss, logit or gradient that is not finite.
type NonFinite string

// The ways to go on from what is not finite.
const (
	StopRun    NonFinite = "stop" // end the run with a *DivergedError
	SkipUpdate NonFinite = "skip" // leave parameters and moments as they are, and count it
)

// CheckpointError says what to do when the disk takes no checkpoint, metrics or export.
type CheckpointError string

// The ways to go on from a failing disk.
const (
	Stop     CheckpointError = "stop"     // end the run
	Continue CheckpointError = "continue" // go on training, and try again when the next is due
)

// Options configure a training run. The zero value of each field means the default that its comment gives.
type Options struct {
	Method         string              // standard, r3f, r4f, rdrop; default r3f
	Noise          Noise               // default uniform
	Epsilon        float64             // scale ε of the noise; default 1e-5
	Lambda         *float64            // weight λ of the R3F term; nil means 1
	StopGradient   bool                // take the clean output as a constant target
	RegressionTerm loss.RegressionTerm // what replaces the KL for regression; default none
	DropoutMasks   Masks               // default independent
	R4FScope       Scope               // default head

	Epochs       int            // default 3
	MaxSteps     int            // stop after so many updates, whatever Epochs says; 0 means no limit
	BatchSize    int            // examples a batch; default 16
	Accumulate   int            // batches an update; default 1
	LearningRate float64        // peak; default 2e-5
	Schedule     optim.Schedule // default polynomial
	Warmup       *float64       // share of all updates below 1, else number of updates; nil means 0.06
	AdamW        optim.AdamW    // the zero AdamW means β (0.9, 0.98), ε 1e-6, decay 0.01
	Clip         float64        // largest gradient norm; 0 means none
	FileOrder    bool           // keep the order of the examples: no shuffling, no length buckets
	MicroTokens  int            // padded tokens of a micro-batch, both passes counted; default 1024
	Seed         uint64         // of order, noise and masks; default 0

	EvalEvery int       // also evaluate every so many updates; 0 means at each epoch's end only
	NonFinite NonFinite // what to do about a loss, logit or gradient that is not finite; default stop

	// Checkpoints are written at each epoch's end, after each evaluation that is the best so far, and when the run is
	// interrupted; also every CheckpointEvery updates and every CheckpointInterval, where they are above 0.
	CheckpointEvery    int
	CheckpointInterval time.Duration
	Keep               int             // newest checkpoints kept, the best one's besides; default 1
	OnCheckpointError  CheckpointError // what to do when the disk takes no checkpoint, metrics or export; default stop

	// Dev are the examples to evaluate on; Score turns their logits [N, K] into metrics, and Primary names the
	// one whose largest value marks the best model.
	Dev     []Example
	Score   func(logits []float32, classes int, examples []Example) (map[string]float64, error)
	Primary string

	// Run is the run directory to write metrics and checkpoints to; nil writes nothing.
	Run *Run
	// Resume continues from the newest checkpoint of Run.
	Resume bool

	// Hooks, each of which may be nil. An error stops the run.
	OnStart func(Plan) error       // before the first step
	OnStep  func(StepRecord) error // after each update
	OnEval  func(EvalRecord) error // after each evaluation
	OnNote  func(string)           // something a person should know: what was skipped, swept, or could not be written
	OnBest  func(EvalRecord) error // the engine holds the best model so far, R4F's head normalised: after an evaluation, or without Dev and Score at the end

	method loss.Method
}

// Plan is what a run is about to do.
type Plan struct {
	Examples, StepsPerEpoch, Steps, Warmup int
	FirstStep                              int // 0, or the step a resumed run continues at
}

// withDefaults returns a copy with defaults filled in, or an error that names the bad option.
func (o Options) withDefaults() (*Options, error) {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.Epochs, 3)
	def(&o.BatchSize, 16)
	def(&o.Accumulate, 1)
	def(&o.MicroTokens, microTokens)
	def(&o.Keep, 1)
	if o.Method == "" {
		o.Method = "r3f"
	}
	if o.Noise == "" {
		o.Noise = Uniform
	}
	if o.DropoutMasks == "" {
		o.DropoutMasks = Independent
	}
	if o.R4FScope == "" {
		o.R4FScope = WholeHead
	}
	if o.NonFinite == "" {
		o.NonFinite = StopRun
	}
	if o.OnCheckpointError == "" {
		o.OnCheckpointError = Stop
	}
	if o.Schedule == "" {
		o.Schedule = optim.Polynomial
	}
	if o.Epsilon == 0 {
		o.Epsilon = 1e-5
	}
	if o.LearningRate == 0 {
		o.LearningRate = 2e-5
	}
	if o.Lambda == nil {
		o.Lambda = ptr(1.0)
	}
	if o.Warmup == nil {
		o.Warmup = ptr(0.06)
	}
	return &o, o.check()
}

// Validate reports the first bad option as an *OptionError, as Train would.
func (o Options) Validate() error {
	_, err := o.withDefaults()
	return err
}

func ptr[T any](v T) *T { return &v }

func (o *Options) check() error {
	var err error
	if o.method, err = loss.MethodByName(o.Method); err != nil {
		return optionError("method", err)
	}
	for _, c := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"epochs", float64(o.Epochs), o.Epochs > 0, "at least 1"},
		{"max-steps", float64(o.MaxSteps), o.MaxSteps >= 0, "0 or more"},
		{"batch-size", float64(o.BatchSize), o.BatchSize > 0, "at least 1"},
		{"accumulate", float64(o.Accumulate), o.Accumulate > 0, "at least 1"},
		{"eps", o.Epsilon, o.Epsilon >= 0 && o.Epsilon < 1e6, "0 or more"},
		{"lambda", *o.Lambda, *o.Lambda >= 0 && *o.Lambda < 1e12, "0 or more"},
		{"lr", o.LearningRate, o.LearningRate > 0 && !math.IsInf(o.LearningRate, 1), "a number above 0"},
		{"clip", o.Clip, o.Clip >= 0 && o.Clip < 1e12, "0 (none) or more"},
		{"micro-tokens", float64(o.MicroTokens), o.MicroTokens > 0, "at least 1"},
		{"eval-every", float64(o.EvalEvery), o.EvalEvery >= 0, "0 (at epochs' ends) or more"},
		{"checkpoint-every", float64(o.CheckpointEvery), o.CheckpointEvery >= 0, "0 (at epochs' ends) or more"},
		{"checkpoint-every", o.CheckpointInterval.Seconds(), o.CheckpointInterval >= 0, "a positive number of updates or a duration"},
		{"keep", float64(o.Keep), o.Keep > 0, "at least 1"},
	} {
		if !c.ok {
			return optionError(c.name, fmt.Errorf("is %v; give %s", c.value, c.want))
		}
	}
	if _, err := optim.WarmupSteps(*o.Warmup, 1); err != nil {
		return optionError("warmup", err)
	}
	if _, err := optim.ParseSchedule(string(o.Schedule)); err != nil {
		return optionError("schedule", err)
	}
	if err := o.AdamW.Validate(); err != nil {
		return optionError("adamw", err)
	}
	if o.scored() && o.Primary == "" {
		return optionError("primary", errors.New("is empty; name the metric that marks the best model"))
	}
	return firstError(
		oneOf("noise", o.Noise, Uniform, Normal),
		oneOf("dropout-masks", o.DropoutMasks, Independent, Shared),
		oneOf("on-nonfinite", o.NonFinite, StopRun, SkipUpdate),
		oneOf("on-checkpoint-error", o.OnCheckpointError, Stop, Continue),
		oneOf("r4f-scope", o.R4FScope, WholeHead, OutputOnly),
		oneOf("regression-term", o.RegressionTerm, "", loss.TermNone, loss.TermMSE),
	)
}

// OptionError reports an unusable training option.
type OptionError struct {
	Option string // as the command line spells it
	Err    error
}

// Error names the option and what is wrong with it.
func (e *OptionError) Error() string { return fmt.Sprintf("option %s: %v", e.Option, e.Err) }

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }

func optionError(name string, err error) error { return &OptionError{name, err} }

func oneOf[T ~string](name string, v T, allowed ...T) error {
	var names []string
	for _, a := range allowed {
		if v == a {
			return nil
		}
		if a != "" {
			names = append(names, string(a))
		}
	}
	return optionError(name, fmt.Errorf("is %q; choose one of %s", v, strings.Join(names, ", ")))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// microTokens is the default size of a micro-batch in padded tokens, both passes counted.
const microTokens = 1024

// passTokens is the budget of a micro-batch in padded tokens of one pass.
func (o *Options) passTokens(v Variant) int {
	if v == Doubled {
		return o.MicroTokens / 2
	}
	return o.MicroTokens
}

// objective is the loss that the options describe for a model of the given number of classes.
func (o *Options) objective(classes int) loss.Objective {
	return loss.Objective{Method: o.method, Lambda: *o.Lambda, StopGradient: o.StopGradient, Regression: classes == 1, RegressionTerm: o.RegressionTerm}
}
