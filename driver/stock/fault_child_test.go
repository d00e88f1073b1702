package stock_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/faultfs"
)

// childEnv makes this test binary a process that trains, as its value, a child in JSON, says.
const childEnv = "R3F_ORT_FAULT_CHILD"

func TestMain(m *testing.M) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		os.Exit(m.Run())
	}
	var c child
	err := json.Unmarshal([]byte(spec), &c)
	if err == nil {
		err = c.train()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a training in a process of its own: a tiny random BERT on the stock engine, with dropout and noise, two
// micro-batches or more in each of two accumulated batches, evaluations, exports and checkpoints within epochs.
type child struct {
	Dir    string
	Seed   uint64
	Noise  driver.Noise
	KillAt int     // operation on the run directory before which the process kills itself, -1 for none
	Power  float64 // share that is then left of what was not synced; below 0 all of it
	Steps  int     // instead of childSteps; then it tells about its resources
}

const childSteps = 24

func (c child) train() error {
	words := 97
	m, err := randomBERT(words, 5)
	if err != nil {
		return err
	}
	e, err := stock.New(m, stock.Options{Threads: 1, Dropout: 0.1})
	if err != nil {
		return err
	}
	fs := &faultfs.FS{}
	fs.Before = func(op faultfs.Op) error {
		if op.N == c.KillAt {
			if c.Power >= 0 {
				fs.LosePower(c.Power)
			}
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Kill()
			}
			time.Sleep(time.Hour)
			return err
		}
		return nil
	}
	mode := driver.Resume
	if _, err := os.Stat(filepath.Join(c.Dir, "config.json")); err != nil {
		mode = driver.Overwrite
	}
	run, err := driver.OpenRunOn(fs, c.Dir, mode, map[string]any{"seed": c.Seed, "noise": c.Noise})
	if err != nil {
		return err
	}
	o := driver.Options{
		Method: "r3f", Noise: c.Noise, Epsilon: 0.01, BatchSize: 4, Accumulate: 2, MicroTokens: 100, LearningRate: 1e-2, Clip: 1, Seed: c.Seed,
		MaxSteps: childSteps, EvalEvery: 3, CheckpointEvery: 5, Keep: 2, Run: run, Resume: mode == driver.Resume,
		Dev: sentences(12, 2), Score: accuracy, Primary: "accuracy",
		OnStep: func(r driver.StepRecord) error {
			if c.Steps == 0 || r.Step%1000 == 0 {
				c.tell(r.Step, e)
			}
			return nil
		},
		OnBest: func(r driver.EvalRecord) error { return c.export(e, m, r.Step) },
	}
	if c.Steps > 0 {
		o.MaxSteps, o.EvalEvery, o.CheckpointEvery = c.Steps, 250, 500
	}
	_, err = driver.Train(context.Background(), e, all(sentences(60, 1)), o)
	err = errors.Join(err, run.Close(), e.Close())
	fmt.Println("operations", fs.Count())
	return err
}

func (c child) export(e driver.Engine, m *graphs.Model, step int) error {
	var weights []graphs.Weight
	for _, p := range e.Spec().Parameters {
		data, err := driver.Tensor(e, driver.Value, p)
		if err != nil {
			return err
		}
		weights = append(weights, graphs.Weight{Name: p.Name, Shape: p.Shape, Data: data})
	}
	return export.Write(filepath.Join(c.Dir, "model"), m, weights, export.Options{Task: "fault", Labels: []string{"a", "b", "c"}, MaxLength: 24, Step: step})
}

// tell prints a step, and in a long training what the process holds.
func (c child) tell(step int, e *stock.Engine) {
	if c.Steps == 0 {
		fmt.Println("step", step)
		return
	}
	debug.FreeOSMemory()
	var pages, resident int
	data, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(data), &pages, &resident)
	files, _ := os.ReadDir("/proc/self/fd")
	fmt.Println("holds", step, resident*os.Getpagesize(), runtime.NumGoroutine(), len(files), e.LiveValues())
}

// accuracy is a driver.Options.Score.
func accuracy(logits []float32, classes int, examples []driver.Example) (map[string]float64, error) {
	right := 0.0
	for i, x := range examples {
		best := 0
		for k, z := range logits[i*classes : (i+1)*classes] {
			if z > logits[i*classes+best] {
				best = k
			}
		}
		if best == x.Label {
			right++
		}
	}
	return map[string]float64{"accuracy": right / float64(len(examples))}, nil
}

// left is what a finished run leaves, by name, less what a clock has to do with.
func left(dir string) (map[string]string, error) {
	out := map[string]string{}
	last := filepath.Join("checkpoints", fmt.Sprintf("step-%d", childSteps))
	for _, name := range []string{filepath.Join(last, "model.safetensors"), filepath.Join(last, "moments.safetensors"), "config.json",
		"model/model.onnx", "model/model.safetensors", "model/config.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		out[name] = string(data)
	}
	for name, clocks := range map[string][]string{"metrics.jsonl": {"seconds", "examples_per_second"}, filepath.Join(last, "state.json"): {"metrics_file"}} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		for d := json.NewDecoder(strings.NewReader(string(data))); d.More(); {
			var fields map[string]any
			if err := d.Decode(&fields); err != nil {
				return nil, err
			}
			for _, c := range clocks {
				delete(fields, c)
			}
			out[name] += fmt.Sprintln(fields)
		}
	}
	for _, below := range []string{"", "checkpoints"} {
		entries, err := os.ReadDir(filepath.Join(dir, below))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			out["names"] += e.Name() + "\n"
		}
	}
	return out, nil
}
