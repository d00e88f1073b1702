package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/internal/rng"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "time training steps",
		Description: `Trains on one fixed batch of random token ids through the same path as train, and prints the time of a step, the
examples a second, the peak memory, and where the time of a step goes. Two further steps warm up and are not counted.

Example:
   r3f-ort bench --batch-size 16 --length 128 --steps 5 --method r3f --dropout 0.1 --json`,
		Flags: append([]cli.Flag{
			modelFlag(), embeddingFlag(),
			&cli.UintFlag{Name: "batch-size", Value: 16, Usage: "examples a batch"},
			&cli.UintFlag{Name: "length", Value: 128, Usage: "tokens of each example"},
			&cli.UintFlag{Name: "steps", Value: 5, Usage: "steps to time"},
			threadsFlag(), libraryFlag(), jsonFlag(),
		}, methodFlags()...),
		Action: bench,
	}
}

// benchReport is what bench --json prints.
type benchReport struct {
	Method            string      `json:"method"`
	Batch             int         `json:"batch"`
	Length            int         `json:"length"`
	Steps             int         `json:"steps"`
	Dropout           float64     `json:"dropout"`
	Threads           int         `json:"threads"`
	MedianStepSeconds float64     `json:"median_step_seconds"`
	MinStepSeconds    float64     `json:"min_step_seconds"`
	ExamplesPerSecond float64     `json:"examples_per_second"` // batch over the median
	PeakRSSMB         float64     `json:"peak_rss_mb"`
	SetupSeconds      float64     `json:"setup_seconds"` // from the start of the process to its first step
	Library           string      `json:"library"`       // version of ONNX Runtime
	Profile           stepProfile `json:"profile"`
}

// stepProfile is where the mean step goes, in seconds.
type stepProfile struct {
	driver.Profile
	OutsideORT float64 `json:"outside_ort"` // share of the total that ONNX Runtime did not compute
}

// warmUp is the number of steps before the clock starts.
const warmUp = 2

func bench(c *cli.Context) (err error) {
	options, err := methodOptions(c)
	if err != nil {
		return err
	}
	if err := positive(c, "batch-size", "length", "steps"); err != nil {
		return err
	}
	from, err := sourceOf(c)
	if err != nil {
		return err
	}
	r := benchReport{Method: options.Method, Batch: int(c.Uint("batch-size")), Length: int(c.Uint("length")), Steps: int(c.Uint("steps")), Threads: int(c.Uint("threads"))}
	if r.Threads == 0 {
		r.Threads = runtime.NumCPU()
	}
	engine, library, err := benchEngine(c, from, options.Seed, r.Threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	debug.FreeOSMemory()
	spec := engine.Spec()
	r.Library, r.Dropout = library, spec.Dropout
	if r.Length > spec.MaxTokens {
		return usagef("--length is %d; the model has positions for %d", r.Length, spec.MaxTokens)
	}
	options.BatchSize, options.FileOrder = r.Batch, true
	batch := &dataset{examples: randomExamples(r.Batch, r.Length, spec.VocabSize, spec.Classes, options.Seed)}
	var seconds []float64
	options.OnStep = func(s driver.StepRecord) error {
		if r.SetupSeconds == 0 {
			r.SetupSeconds = sinceStart() - s.Seconds
		}
		seconds = append(seconds, s.Seconds)
		return nil
	}
	var result *driver.Result
	for _, steps := range []int{warmUp, r.Steps} {
		options.MaxSteps, seconds = steps, nil
		if result, err = driver.Train(c.Context, engine, batch.all(), options); err != nil {
			return err
		}
		if result.Interrupted {
			return context.Cause(c.Context)
		}
	}
	r.measure(seconds, result.Profile)
	if c.Bool("json") {
		return writeResult(c.App.Writer, r)
	}
	p := r.Profile
	_, err = fmt.Fprintf(c.App.Writer, "%s, batch %d × %d, dropout %g, %d threads, ONNX Runtime %s\n"+
		"step      %.3f s median, %.3f s best of %d, %.2f examples a second\n"+
		"memory    %.0f MB peak\nset-up    %.2f s to the first step\n"+
		"profile   forward %.3f s, backward %.3f s, around them %.3f s, waiting for noise and masks %.3f s, loss %.3f s, update %.3f s; %.1f %% outside ONNX Runtime\n",
		r.Method, r.Batch, r.Length, r.Dropout, r.Threads, r.Library, r.MedianStepSeconds, r.MinStepSeconds, r.Steps, r.ExamplesPerSecond,
		r.PeakRSSMB, r.SetupSeconds, p.Forward, p.Backward, p.Engine, p.Wait, p.Loss, p.Update, 100*p.OutsideORT)
	return err
}

// benchEngine makes the engine to time, and returns the version of its library.
func benchEngine(c *cli.Context, from source, seed uint64, threads int) (driver.Engine, string, error) {
	if c.String("engine") == trainingAPI {
		e, err := openArtifacts(c, from.path)
		if err != nil {
			return nil, "", err
		}
		_, version := e.Library()
		return e, version, nil
	}
	const classes = 2
	m, err := from.model(classes, seed)
	if err != nil {
		return nil, "", err
	}
	dropout, err := dropoutOf(c, m.Config)
	if err != nil {
		return nil, "", err
	}
	e, err := stock.New(m, stock.Options{Library: c.String("ort-library"), Threads: threads, Dropout: dropout})
	if err != nil {
		return nil, "", err
	}
	return e, e.Library().Version, nil
}

// measure fills in what the timed steps gave.
func (r *benchReport) measure(seconds []float64, p driver.Profile) {
	slices.Sort(seconds)
	n := len(seconds)
	r.MedianStepSeconds, r.MinStepSeconds = (seconds[(n-1)/2]+seconds[n/2])/2, seconds[0]
	r.ExamplesPerSecond = float64(r.Batch) / r.MedianStepSeconds
	r.PeakRSSMB = peakRSSMB()
	r.Profile.OutsideORT = 1 - (p.Forward+p.Backward)/p.Total
	for _, part := range []*float64{&p.Forward, &p.Backward, &p.Engine, &p.Wait, &p.Loss, &p.Update, &p.Total} {
		*part /= float64(n)
	}
	r.Profile.Profile = p
}

// randomExamples draws token ids from 1000 up to 30000, or from the upper part of a smaller vocabulary, and labels.
func randomExamples(n, length, vocabulary, classes int, seed uint64) []driver.Example {
	low, high := 1000, 30000
	if vocabulary < high {
		low, high = vocabulary/2, vocabulary
	}
	stream := rand.New(rng.New(seed, 0, "bench"))
	out := make([]driver.Example, n)
	for i := range out {
		x := driver.Example{ID: fmt.Sprint("random ", i), InputIDs: make([]int64, length), Label: stream.IntN(classes)}
		for t := range x.InputIDs {
			x.InputIDs[t] = int64(low + stream.IntN(high-low))
		}
		out[i] = x
	}
	return out
}
