package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/r3f-ort/r3f-ort/driver"
)

// progress tells a person how training goes: with a bar on a terminal, in plain lines elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // on a terminal, once training has started
	log      *slog.Logger
	plan     driver.Plan
	begin    time.Time
	last     driver.StepRecord
	said     time.Time // of the last plain line
	saidStep int
}

// quiet is the longest time between two plain lines about steps.
const quiet = 5 * time.Second

func newProgress(out io.Writer, terminal bool) *progress {
	return &progress{out: out, terminal: terminal, log: slog.New(slog.NewTextHandler(out, nil))}
}

// say prints one line.
func (p *progress) say(format string, args ...any) {
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
	if p.bar != nil && !p.bar.IsFinished() {
		p.bar.RenderBlank()
	}
}

// start begins to count steps.
func (p *progress) start(plan driver.Plan) {
	p.plan, p.begin, p.said, p.saidStep = plan, time.Now(), time.Now(), plan.FirstStep
	from := ""
	if plan.FirstStep > 0 {
		from = fmt.Sprintf(", from step %d", plan.FirstStep)
	}
	p.say("training on %d examples: %d steps, %d an epoch, %d of warm-up%s", plan.Examples, plan.Steps, plan.StepsPerEpoch, plan.Warmup, from)
	if p.terminal && plan.Steps > plan.FirstStep {
		p.bar = progressbar.NewOptions(plan.Steps-plan.FirstStep, progressbar.OptionSetWriter(p.out), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish())
	}
}

// step counts one step.
func (p *progress) step(r driver.StepRecord) {
	p.last = r
	done, all := r.Step-p.plan.FirstStep, p.plan.Steps-p.plan.FirstStep
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("epoch %.2f  loss %.4f", r.Epoch, r.Loss))
		p.bar.Set(done)
		return
	}
	tenth := max(1, all/10)
	if now := time.Now(); now.Sub(p.said) >= quiet || r.Step-p.saidStep >= tenth || r.Step == p.plan.Steps {
		p.said, p.saidStep = now, r.Step
		left := time.Duration(float64(now.Sub(p.begin)) / float64(done) * float64(all-done)).Round(time.Second)
		p.log.Info("step", "step", r.Step, "of", p.plan.Steps, "epoch", round(r.Epoch), "loss", round(r.Loss), "r3f", round(r.R3F),
			"lr", round(r.LearningRate), "examples_per_second", round(r.ExamplesPerSecond), "left", left)
	}
}

// eval reports an evaluation.
func (p *progress) eval(r driver.EvalRecord) {
	best := ""
	if r.Best {
		best = "  (best so far)"
	}
	p.say("step %d, epoch %.2f: %s %s%s", r.Step, p.last.Epoch, r.Split, metricsText(r.Metrics), best)
}

// done removes the bar.
func (p *progress) done() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}

// metricsText lists metrics in the order of their names.
func metricsText(metrics map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		parts = append(parts, fmt.Sprintf("%s %.4f", name, metrics[name]))
	}
	return strings.Join(parts, ", ")
}

// round keeps four significant digits, for people to read.
func round(x float64) string { return fmt.Sprintf("%.4g", x) }
