package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

var errStop = errors.New("stop")

// stopAt is an OnStep that fails at a step.
func stopAt(step int) func(StepRecord) error {
	return func(r StepRecord) error {
		if r.Step == step {
			return errStop
		}
		return nil
	}
}

// Every method learns a learnable problem, with every kind of noise and masks.
func TestTrainLearns(t *testing.T) {
	for _, o := range []Options{
		{Method: "standard"}, {Method: "r3f"}, {Method: "r3f", Noise: Normal, DropoutMasks: Shared},
		{Method: "r3f", StopGradient: true}, {Method: "r4f"}, {Method: "r4f", R4FScope: OutputOnly}, {Method: "rdrop"},
	} {
		t.Run(fmt.Sprint(o.Method, o.Noise, o.DropoutMasks, o.StopGradient, o.R4FScope), func(t *testing.T) {
			var first StepRecord
			o.LearningRate, o.Epochs, o.Epsilon = 0.03, 8, 1e-3
			o.Dev, o.Score, o.Primary = ToyExamples(150, 2), accuracy, "accuracy"
			o.OnStep = func(r StepRecord) error {
				if r.Step == 1 {
					first = r
				}
				if math.Abs(r.Loss-(r.TaskLoss+r.R3F)) > 1e-12*r.Loss {
					t.Errorf("step %d: loss %v is not %v + %v", r.Step, r.Loss, r.TaskLoss, r.R3F)
				}
				if (r.R3F > 0) != (o.Method != "standard") {
					t.Errorf("step %d: the R3F term is %v", r.Step, r.R3F)
				}
				return nil
			}
			r := train(t, NewToy(3, 0.1), ToyExamples(240, 1), o)
			if r.Last.Loss > 0.7*first.Loss || r.Best["accuracy"] < 0.85 {
				t.Errorf("loss went from %.3f to %.3f, accuracy reached %v", first.Loss, r.Last.Loss, r.Best)
			}
		})
	}
}

func TestTrainRegression(t *testing.T) {
	for _, term := range []loss.RegressionTerm{"", loss.TermMSE} {
		var first StepRecord
		lambda := 0.5
		o := Options{LearningRate: 0.03, Epochs: 8, Lambda: &lambda, RegressionTerm: term, OnStep: func(r StepRecord) error {
			if r.Step == 1 {
				first = r
			}
			if math.Abs(r.Loss-(r.TaskLoss+lambda*r.R3F)) > 1e-12 || (r.R3F > 0) != (term == loss.TermMSE) {
				t.Errorf("term %q, step %d: loss %v, task %v, R3F %v", term, r.Step, r.Loss, r.TaskLoss, r.R3F)
			}
			return nil
		}}
		if r := train(t, NewToy(1, 0.1), ToyExamples(240, 1), o); r.Last.Loss > 0.6*first.Loss {
			t.Errorf("term %q: loss went from %.3f to %.3f", term, first.Loss, r.Last.Loss)
		}
	}
}

// near fails unless two snapshots agree within 1e-6.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-6) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// Accumulating four batches of 4 is a batch of 16, and so is any cut of it into micro-batches, noise included.
func TestAccumulationAndMicroBatches(t *testing.T) {
	base := Options{BatchSize: 16, LearningRate: 1e-3, Epochs: 2, Seed: 3, Epsilon: 0.1}
	run := func(o Options) (*Toy, *Result) {
		e := NewToy(3, 0)
		return e, train(t, e, ToyExamples(100, 1), o)
	}
	want, r := run(base)
	o := base
	o.BatchSize, o.Accumulate = 4, 4
	got, s := run(o)
	near(t, "accumulating", got.snapshot(), want.snapshot())
	if r.Steps != s.Steps || r.Examples != s.Examples || r.Examples != 200 {
		t.Errorf("%d and %d steps on %d and %d examples", r.Steps, s.Steps, r.Examples, s.Examples)
	}
	for _, micro := range []int{1, 100, 333} {
		o := base
		o.MicroTokens = micro
		got, _ := run(o)
		near(t, fmt.Sprintf("micro-batches of %d tokens", micro), got.snapshot(), want.snapshot())
		if got.forward <= want.forward {
			t.Errorf("micro-batches of %d tokens: %d forward calls, %d with whole batches", micro, got.forward, want.forward)
		}
	}
}

// The learning rate of each record and update follows the schedule with its warm-up.
func TestSchedulesAndWarmup(t *testing.T) {
	warmup := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		schedule optim.Schedule
		warmup   *float64
		steps    int
	}{
		{optim.Polynomial, nil, 1}, {optim.Linear, warmup(0), 0}, {optim.Cosine, warmup(0.5), 10}, {optim.Constant, warmup(5), 5}, {"", warmup(3), 3},
	} {
		const lr = 0.01
		var rates []float64
		e := NewToy(3, 0)
		r := train(t, e, ToyExamples(64, 1), Options{
			BatchSize: 16, Epochs: 5, LearningRate: lr, Schedule: c.schedule, Warmup: c.warmup,
			OnStep: func(r StepRecord) error { rates = append(rates, r.LearningRate); return nil },
			OnStart: func(p Plan) error {
				if want := (Plan{Examples: 64, StepsPerEpoch: 4, Steps: 20, Warmup: c.steps}); p != want {
					t.Errorf("%s: plan %+v, want %+v", c.schedule, p, want)
				}
				return nil
			},
		})
		schedule := c.schedule
		if schedule == "" {
			schedule = optim.Polynomial
		}
		for i, rate := range rates {
			if want := lr * schedule.Factor(i+1, 20, c.steps); rate != want || e.updates[i].LearningRate != want || e.updates[i].Step != i+1 {
				t.Errorf("%s: step %d has rate %v, update %+v; want %v", schedule, i+1, rate, e.updates[i], want)
			}
		}
		if len(rates) != 20 || r.Steps != 20 || math.Abs(r.Last.Epoch-5) > 1e-12 {
			t.Errorf("%s: %d steps, result %+v", schedule, len(rates), r)
		}
	}
}

// Clipping bounds the norm that is applied; the record holds the norm before.
func TestClip(t *testing.T) {
	const limit = 0.05
	run := func(clip float64) (e *Toy, norms []float64) {
		e = NewToy(3, 0)
		train(t, e, ToyExamples(64, 1), Options{Clip: clip, MaxSteps: 8, OnStep: func(r StepRecord) error {
			norms = append(norms, r.GradientNorm)
			return nil
		}})
		return e, norms
	}
	e, norms := run(limit)
	clipped := 0
	for i, norm := range norms {
		scale := float64(e.updates[i].Scale)
		if scale*norm > limit*(1+1e-6) || norm < 0.99*limit && scale != 1 {
			t.Errorf("step %d: norm %v times %v under a limit of %v", i+1, norm, scale, limit)
		}
		if scale < 1 {
			clipped++
		}
	}
	if clipped == 0 {
		t.Error("nothing was clipped")
	}
	if e, _ = run(0); slices.ContainsFunc(e.updates, func(u Update) bool { return u.Scale != 1 }) {
		t.Error("clipped without a limit")
	}
}

// AdamW's constants reach the engine, with decay for matrices alone, which the engine is told by its Spec.
func TestAdamWReachesTheEngine(t *testing.T) {
	a := optim.AdamW{Beta1: 0.8, Beta2: 0.9, Eps: 1e-5, WeightDecay: 0.5}
	e := NewToy(3, 0)
	train(t, e, ToyExamples(64, 1), Options{AdamW: a, MaxSteps: 3})
	for _, u := range e.updates {
		if u.AdamW != a {
			t.Errorf("update %d has %+v", u.Step, u.AdamW)
		}
	}
	// Tokens that never occur only decay.
	constant := 0.0
	never, before := NewToy(3, 0), NewToy(3, 0).tensors["embeddings.weight"][Value]
	examples := []Example{{ID: "one", InputIDs: []int64{1, 2, 3}}}
	train(t, never, examples, Options{AdamW: a, MaxSteps: 2, LearningRate: 0.1, Schedule: optim.Constant, Warmup: &constant})
	after := never.tensors["embeddings.weight"][Value]
	for i := 10 * 8; i < len(after); i++ {
		if want := float64(before[i]) * 0.95 * 0.95; math.Abs(float64(after[i])-want) > 1e-6 {
			t.Fatalf("element %d of an unused row went from %v to %v, want %v", i, before[i], after[i], want)
		}
	}
}

// Evaluations come at epochs' ends, at the end and every EvalEvery steps; each sees the model of its step.
func TestEvaluations(t *testing.T) {
	for _, c := range []struct {
		every, max int
		want       []int
	}{{0, 0, []int{4, 8, 12}}, {3, 0, []int{3, 4, 6, 8, 9, 12}}, {0, 6, []int{4, 6}}, {5, 5, []int{4, 5}}, {0, 20, []int{4, 8, 12, 16, 20}}} {
		var at, best []int
		var scores []float64
		score, call := []float64{0.3, 0.5, 0.5, 0.4, 0.7, 0.6}, 0
		e := NewToy(3, 0.1)
		dev := ToyExamples(30, 2)
		o := Options{
			BatchSize: 16, EvalEvery: c.every, MaxSteps: c.max, Dev: dev, Primary: "made up",
			Score: func(logits []float32, classes int, examples []Example) (map[string]float64, error) {
				now, err := Predict(t.Context(), e, dev)
				if err != nil || !slices.Equal(now, logits) || classes != 3 || len(examples) != 30 {
					t.Errorf("scoring %d logits of %d classes, %d examples, %v", len(logits), classes, len(examples), err)
				}
				call++
				return map[string]float64{"made up": score[call-1], "other": float64(call)}, nil
			},
			OnBest: func(r EvalRecord) error {
				best = append(best, r.Step)
				if !r.Best || len(at) != call-1 {
					t.Errorf("OnBest with %+v, after OnEval", r)
				}
				return nil
			},
			OnEval: func(r EvalRecord) error {
				if r.Split != "dev" || r.Best != slices.Contains(best, r.Step) || r.Metrics["other"] != float64(call) {
					t.Errorf("OnEval with %+v", r)
				}
				at, scores = append(at, r.Step), append(scores, r.Metrics["made up"])
				return nil
			},
		}
		r := train(t, e, ToyExamples(64, 1), o)
		if !slices.Equal(at, c.want) {
			t.Errorf("every %d, at most %d: evaluated at %v, want %v", c.every, c.max, at, c.want)
		}
		var want []int // by the definition: the first of the highest so far
		highest := math.Inf(-1)
		for i, s := range scores {
			if s > highest {
				want, highest = append(want, at[i]), s
			}
		}
		if !slices.Equal(best, want) || r.BestStep != want[len(want)-1] || r.Best["made up"] != highest || r.Metrics["made up"] != scores[len(scores)-1] {
			t.Errorf("every %d: best at %v, want %v; result %+v", c.every, best, want, r)
		}
	}
}

// Without dev examples the final model is the best there is.
func TestOnBestWithoutEvaluation(t *testing.T) {
	var got []EvalRecord
	r := train(t, NewToy(3, 0), ToyExamples(40, 1), Options{MaxSteps: 3, OnBest: func(r EvalRecord) error {
		got = append(got, r)
		return nil
	}})
	if len(got) != 1 || got[0].Step != 3 || !got[0].Best || r.BestStep != 0 || r.Best != nil {
		t.Errorf("OnBest got %+v; result %+v", got, r)
	}
	if r.Seconds <= 0 || r.Last.Seconds <= 0 || r.Last.ExamplesPerSecond <= 0 || math.IsInf(r.Last.ExamplesPerSecond, 0) {
		t.Errorf("times: %+v", r)
	}
}

// clocked is an engine that says its graphs ran 1 s forward and 2 s backward for each batch.
type clocked struct {
	*Toy
	seconds float64
}

func (c *clocked) GraphSeconds() float64 { return c.seconds }

func (c *clocked) Forward(ctx context.Context, b *Batch) ([]float32, error) {
	c.seconds++
	return c.Toy.Forward(ctx, b)
}

func (c *clocked) Backward(ctx context.Context, dlogits []float32) error {
	c.seconds += 2
	return c.Toy.Backward(ctx, dlogits)
}

// The profile's parts add up to the time of the steps; what the engine calls its graphs' is told from the rest.
func TestProfile(t *testing.T) {
	c := &clocked{Toy: NewToy(3, 0.1)}
	for _, e := range []Engine{NewToy(3, 0.1), c} {
		r, err := Train(t.Context(), e, sequence(ToyExamples(40, 1)), Options{MaxSteps: 5, MicroTokens: 100})
		if err != nil {
			t.Fatal(err)
		}
		p := r.Profile
		if sum := p.Forward + p.Backward + p.Engine + p.Wait + p.Loss + p.Update; math.Abs(sum-p.Total) > 1e-6 || math.Abs(p.Total-r.Seconds) > 1e-9 {
			t.Errorf("the profile's parts do not add up: %+v of %v", p, r.Seconds)
		}
		if e == c && (p.Forward != float64(c.forward) || p.Backward != 2*p.Forward) || e != c && (p.Forward <= 0 || p.Backward <= 0 || p.Engine != 0) {
			t.Errorf("after %d batches: %+v", c.forward, p)
		}
	}
}

// An error of a hook ends the run at once and comes back as it was.
func TestHookErrorsStop(t *testing.T) {
	failing := func(EvalRecord) error { return errStop }
	for name, c := range map[string]struct {
		set     func(*Options)
		updates int
	}{
		"OnStart":           {func(o *Options) { o.OnStart = func(Plan) error { return errStop } }, 0},
		"OnStep":            {func(o *Options) { o.OnStep = stopAt(2) }, 2},
		"OnEval":            {func(o *Options) { o.OnEval = failing }, 3},
		"OnBest":            {func(o *Options) { o.OnBest = failing }, 3},
		"OnBest at the end": {func(o *Options) { o.Dev, o.OnBest = nil, failing }, 6},
		"Score": {func(o *Options) {
			o.Score = func([]float32, int, []Example) (map[string]float64, error) { return nil, errStop }
		}, 3},
	} {
		e := NewToy(3, 0.1)
		o := Options{BatchSize: 16, MaxSteps: 6, EvalEvery: 3, Dev: ToyExamples(9, 2), Score: accuracy, Primary: "accuracy"}
		c.set(&o)
		r, err := Train(t.Context(), e, sequence(ToyExamples(64, 1)), o)
		if !errors.Is(err, errStop) || r == nil {
			t.Errorf("%s: result %v, error %v", name, r, err)
		}
		if len(e.updates) != c.updates || r != nil && r.Steps != c.updates {
			t.Errorf("%s: %d updates, want %d; result %+v", name, len(e.updates), c.updates, r)
		}
		e.Close() // the feed must not use the engine after Train has returned: the toy would panic
	}
}

func TestScoreWithoutThePrimaryMetric(t *testing.T) {
	_, err := Train(t.Context(), NewToy(3, 0), sequence(ToyExamples(9, 1)), Options{Dev: ToyExamples(9, 2), Score: accuracy, Primary: "f1"})
	if err == nil || !mentions(err, "accuracy", "f1", "step 1") {
		t.Errorf("error %v", err)
	}
}

// Cancelling lets the running step finish, and starts no other.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := NewToy(3, 0.1)
	evaluated := false
	r, err := Train(ctx, e, sequence(ToyExamples(64, 1)), Options{
		BatchSize: 16, Dev: ToyExamples(9, 2), Score: accuracy, Primary: "accuracy", EvalEvery: 1,
		OnEval: func(r EvalRecord) error { evaluated = evaluated || r.Step == 2; return nil },
		OnStep: func(r StepRecord) error {
			if r.Step == 2 {
				cancel()
			}
			return nil
		},
	})
	if err != nil || !r.Interrupted || r.Steps != 2 || len(e.updates) != 2 || evaluated || r.BestStep != 1 {
		t.Errorf("result %+v, error %v, %d updates, evaluated after the end: %v", r, err, len(e.updates), evaluated)
	}
	if r, err = Train(ctx, e, sequence(ToyExamples(64, 1)), Options{}); err != nil || !r.Interrupted || r.Steps != 0 {
		t.Errorf("cancelled before the start: result %+v, error %v", r, err)
	}
}
