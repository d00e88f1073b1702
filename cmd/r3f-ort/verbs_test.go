package main

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

func TestBench(t *testing.T) {
	needLibrary(t)
	model := tinyModel(t)
	r := decode[benchReport](t, succeed(t, "bench", "--model", model, "--batch-size", "4", "--length", "9", "--steps", "3", "--dropout", "0.1", "--threads", "1", "--json"))
	p := r.Profile
	parts := p.Forward + p.Backward + p.Engine + p.Wait + p.Loss + p.Update
	if r.Method != "r3f" || r.Batch != 4 || r.Length != 9 || r.Steps != 3 || r.Dropout != 0.1 || r.Threads != 1 || r.MinStepSeconds <= 0 ||
		r.MedianStepSeconds < r.MinStepSeconds || math.Abs(r.ExamplesPerSecond*r.MedianStepSeconds-4) > 1e-9 || r.PeakRSSMB <= 0 || r.SetupSeconds <= 0 {
		t.Errorf("%+v", r)
	}
	if p.Total < r.MinStepSeconds || math.Abs(parts-p.Total) > 0.05*p.Total || p.OutsideORT < 0 || p.OutsideORT > 1 {
		t.Errorf("the parts of the profile sum to %v: %+v", parts, p)
	}
	o := succeed(t, "bench", "--model", model, "--batch-size", "2", "--length", "5", "--steps", "1", "--method", "standard")
	for _, s := range []string{"standard, batch 2 × 5", "s median", "% outside ONNX Runtime"} {
		if !strings.Contains(o.stdout, s) {
			t.Errorf("%q is missing:\n%s", s, o.stdout)
		}
	}
	r3f(t, "bench", "--model", model, "--length", "41").want(t, exitUsage, "--length is 41", "40")
}

func TestRuntimeInfo(t *testing.T) {
	path := needLibrary(t)
	r := decode[libraryReport](t, succeed(t, "runtime", "info", "--json", "--threads", "3"))
	v, err := ortlib.ParseVersion(r.Version)
	if err != nil || v.Compare(ortlib.MinStock) < 0 || r.Path != path || r.Threads != 3 || r.Minimum != ortlib.MinStock.String() {
		t.Errorf("%+v, %v", r, err)
	}
	o := succeed(t, "runtime", "info")
	for _, s := range append(r.Providers, path, r.Version, fmt.Sprint(runtime.NumCPU())) {
		if !strings.Contains(o.stdout, s) {
			t.Errorf("%q is missing:\n%s", s, o.stdout)
		}
	}
	if len(r.Providers) == 0 {
		t.Error("no execution provider is listed")
	}
}

// Outside a checkout, install says what to do.
func TestRuntimeInstallElsewhere(t *testing.T) {
	cmd := command(t, "runtime", "install")
	cmd.Dir = t.TempDir()
	finish(t, cmd).want(t, exitEnvironment, "checkout", ".r3f/lib", ortlib.EnvVar)
}

func TestVersion(t *testing.T) {
	o := succeed(t, "version")
	for _, s := range []string{version, runtime.Version(), runtime.GOOS} {
		if !strings.Contains(o.stdout, s) {
			t.Errorf("%q is missing in %q", s, o.stdout)
		}
	}
	if v := decode[map[string]string](t, succeed(t, "version", "--json")); v["version"] != version {
		t.Errorf("%v", v)
	}
}

// Every verb explains itself with an example.
func TestHelp(t *testing.T) {
	for _, args := range []string{"train", "eval", "predict", "export", "bench", "graph dump", "graph check", "graph export", "runtime info", "runtime install", "version"} {
		o := succeed(t, append(strings.Fields(args), "--help")...)
		for _, s := range []string{"Example", "r3f-ort " + args, "DESCRIPTION"} {
			if !strings.Contains(o.stdout, s) {
				t.Errorf("the help of %s lacks %q:\n%s", args, s, o.stdout)
			}
		}
	}
	if o := succeed(t, "--help"); !strings.Contains(o.stdout, "COMMANDS") {
		t.Errorf("%s", o.stdout)
	}
}

// Without a terminal there is a line at least every tenth of the steps, and not one for each.
func TestPlainProgress(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, false)
	p.start(driver.Plan{Examples: 10, Steps: 1000, StepsPerEpoch: 500})
	for i := range 1000 {
		p.step(driver.StepRecord{Step: i + 1, Epoch: float64(i+1) / 500, Loss: 1})
	}
	p.eval(driver.EvalRecord{Step: 1000, Split: "dev", Metrics: map[string]float64{"f1": 0.5, "accuracy": 0.25}, Best: true})
	p.done()
	text := b.String()
	if n := strings.Count(text, "msg=step"); n < 10 || n > 12 {
		t.Errorf("%d lines about 1000 quick steps", n)
	}
	for _, s := range []string{"1000 steps", "of=1000", "left=", "step=1000", "dev accuracy 0.2500, f1 0.5000  (best so far)"} {
		if !strings.Contains(text, s) {
			t.Errorf("%q is missing:\n%s", s, text)
		}
	}
	// slow steps are each reported
	b.Reset()
	p.start(driver.Plan{Steps: 1000})
	for i := range 3 {
		p.said = time.Now().Add(-quiet)
		p.step(driver.StepRecord{Step: i + 1})
	}
	if n := strings.Count(b.String(), "msg=step"); n != 3 {
		t.Errorf("%d lines about 3 slow steps", n)
	}
}

// On a terminal there is a bar with the time left, and messages stand on lines of their own.
func TestProgressBar(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, true)
	p.start(driver.Plan{Examples: 10, Steps: 12, StepsPerEpoch: 5, FirstStep: 2})
	for i := 2; i < 12; i++ {
		time.Sleep(20 * time.Millisecond)
		p.step(driver.StepRecord{Step: i + 1, Epoch: float64(i+1) / 5, Loss: 0.5})
	}
	p.eval(driver.EvalRecord{Step: 12, Split: "dev", Metrics: map[string]float64{"accuracy": 1}})
	p.done()
	p.say("the end")
	text := b.String()
	for _, s := range []string{"from step 2", "loss 0.5000", "/10", "dev accuracy 1.0000\n", "the end\n", "s]"} {
		if !strings.Contains(text, s) {
			t.Errorf("%q is missing:\n%q", s, text)
		}
	}
	if strings.Contains(text, "msg=step") {
		t.Error("plain lines are printed beside the bar")
	}
}
