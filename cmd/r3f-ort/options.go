package main

import (
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// methodOptions are the driver's options that methodFlags give.
func methodOptions(c *cli.Context) (driver.Options, error) {
	lambda := c.Float64("lambda")
	o := driver.Options{
		Method: c.String("method"), Noise: driver.Noise(c.String("noise")), Epsilon: c.Float64("eps"), Lambda: &lambda,
		StopGradient: c.Bool("stop-gradient"), RegressionTerm: loss.RegressionTerm(c.String("regression-term")),
		DropoutMasks: driver.Masks(c.String("dropout-masks")), R4FScope: driver.Scope(c.String("r4f-scope")), Seed: c.Uint64("seed"),
	}
	if err := positive(c, "eps"); err != nil {
		return o, err
	}
	if err := choice(c, "engine", stockEngine, trainingAPI); err != nil {
		return o, err
	}
	if err := choice(c, "provider", cpu, cuda); err != nil {
		return o, err
	}
	if c.String("provider") == cuda && c.String("engine") == stockEngine {
		return o, environmentf("provider cuda: the stock engine computes on the processor only; leave --provider away, or give --engine training-api and a CUDA build of it")
	}
	return o, o.Validate()
}

// trainOptions are the driver's options that flags give, checked.
func trainOptions(c *cli.Context) (driver.Options, error) {
	o, err := methodOptions(c)
	if err != nil {
		return o, err
	}
	if err := positive(c, "epochs", "batch-size", "accumulate", "lr", "max-length", "keep"); err != nil {
		return o, err
	}
	warmup := c.Float64("warmup")
	o.Epochs, o.MaxSteps = int(c.Uint("epochs")), int(c.Uint("max-steps"))
	o.BatchSize, o.Accumulate = int(c.Uint("batch-size")), int(c.Uint("accumulate"))
	o.LearningRate, o.Schedule, o.Warmup = c.Float64("lr"), optim.Schedule(c.String("schedule")), &warmup
	o.AdamW = optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: c.Float64("weight-decay")}
	o.Clip, o.FileOrder = c.Float64("clip"), !c.Bool("shuffle")
	o.EvalEvery, o.Keep = int(c.Uint("eval-every")), int(c.Uint("keep"))
	o.NonFinite, o.OnCheckpointError = driver.NonFinite(c.String("on-nonfinite")), driver.CheckpointError(c.String("on-checkpoint-error"))
	if o.CheckpointEvery, o.CheckpointInterval, err = parseEvery(c.String("checkpoint-every")); err != nil {
		return o, err
	}
	o.Resume = resumeMode(c) != driver.Create
	return o, o.Validate()
}

// parseEvery reads a number of updates, such as 200, or a duration, such as 10m.
func parseEvery(s string) (updates int, interval time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if updates, err = strconv.Atoi(s); err == nil && updates >= 0 {
		return updates, 0, nil
	}
	if interval, err = time.ParseDuration(s); err == nil && interval > 0 {
		return 0, interval, nil
	}
	return 0, 0, usagef("--checkpoint-every is %q; give a number of updates, such as 200, or a time, such as 10m", s)
}

// resumeMode is how --resume and --resume-force open a run directory, Create where neither is given.
func resumeMode(c *cli.Context) driver.Mode {
	switch {
	case c.Bool("resume-force"):
		return driver.ForceResume
	case c.Bool("resume"):
		return driver.Resume
	}
	return driver.Create
}

// dropoutOf is the drop probability: the flag's, else the one that the model was made with.
func dropoutOf(c *cli.Context, config *graphs.Config) (float64, error) {
	p := config.Dropout
	if c.IsSet("dropout") {
		p = c.Float64("dropout")
	}
	if !(p >= 0 && p < 1) {
		return 0, usagef("the drop probability is %v; give a --dropout from 0 to below 1", p)
	}
	return p, nil
}
