package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/export"
)

// trainReport is what train --json prints.
type trainReport struct {
	Run               string             `json:"run"`
	Model             string             `json:"model,omitempty"` // the export of the best, "" before there is one
	Steps             int                `json:"steps"`
	Metrics           map[string]float64 `json:"metrics,omitempty"` // of the last evaluation of this process
	Best              map[string]float64 `json:"best,omitempty"`    // metrics of the best model, where there are dev examples
	BestStep          int                `json:"best_step"`
	Loss              float64            `json:"loss"` // of the last step of this process
	ExamplesPerSecond float64            `json:"examples_per_second"`
	Seconds           float64            `json:"seconds"`       // of the steps of this process
	SetupSeconds      float64            `json:"setup_seconds"` // from the start of the process to its first step
	PeakRSSMB         float64            `json:"peak_rss_mb"`
	Truncated         int                `json:"truncated"` // texts that were cut
	Profile           driver.Profile     `json:"profile"`   // seconds
	Interrupted       bool               `json:"interrupted"`
	SkippedUpdates    int                `json:"skipped_updates"` // of the whole run, by --on-nonfinite skip
	Checkpoints       driver.Checkpoints `json:"checkpoints"`     // seconds
}

// report prints what a run reached: for people on standard error, and with --json for machines on standard output.
func (j *trainJob) report(result *driver.Result, model string) error {
	r := trainReport{
		Run: j.out, Steps: max(result.Steps, j.plan.FirstStep), Metrics: result.Metrics, Loss: result.Last.Loss,
		Seconds: result.Seconds, SetupSeconds: j.setupSeconds, PeakRSSMB: peakRSSMB(), Truncated: j.training.truncated,
		Profile: result.Profile, Interrupted: result.Interrupted, SkippedUpdates: result.NonFinite, Checkpoints: result.Checkpoints,
	}
	if j.dev != nil {
		r.Truncated += j.dev.truncated
	}
	if r.Seconds > 0 {
		r.ExamplesPerSecond = float64(result.Examples) / r.Seconds
	}
	if best, err := export.Read(model); err == nil {
		r.Model, r.Best, r.BestStep = model, best.Metrics, best.Step
	}
	j.progress.say("%d steps in %s, %.1f examples a second, last loss %.4f, peak memory %.0f MB",
		r.Steps-j.plan.FirstStep, time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond), r.ExamplesPerSecond, r.Loss, r.PeakRSSMB)
	if len(r.Best) > 0 {
		j.progress.say("best: step %d, %s", r.BestStep, metricsText(r.Best))
	}
	if r.Model != "" {
		j.progress.say("model: %s", r.Model)
	}
	if !j.flags.Bool("json") {
		return nil
	}
	return writeResult(j.flags.App.Writer, r)
}

// writeResult prints a result for machines.
func writeResult(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", data)
	return err
}

// sinceStart is the age of the process in seconds.
func sinceStart() float64 { return time.Since(started).Seconds() }
