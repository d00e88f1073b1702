package main

import (
	"context"
	le "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// TestRecord trains and writes down all that the run drew: the first weights, and of each micro-batch its tokens, labels,
// noise and dropout masks. With R3F_ORT_RECORD it does so in that new directory and trains as R3F_ORT_RECORD_FLAGS say;
// testdata/golden/r3f_reference.py replay then trains PyTorch on the record, so that one seed's run can be compared step
// by step, whatever is random in it.
func TestRecord(t *testing.T) {
	dir, flags := os.Getenv("R3F_ORT_RECORD"), strings.Fields(os.Getenv("R3F_ORT_RECORD_FLAGS"))
	if dir != "" {
		record(t, dir, append([]string{"train"}, flags...)...)
		return
	}
	needLibrary(t)
	dir = filepath.Join(t.TempDir(), "record")
	record(t, dir, newFixture(t).withoutDev("--max-steps", "2", "--batch-size", "4", "--dropout", "0.1")...)
	for _, step := range []string{"step.1", "step.2"} {
		f, err := safetensors.Open(filepath.Join(dir, step, "batch.0.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		x, _ := f.Tensor("labels")
		labels, err := x.Float32s(nil)
		if err != nil || len(labels) != 4 || slices.ContainsFunc(labels, func(v float32) bool { return v < 0 || v != v }) {
			t.Errorf("%s: labels %v, error %v", step, labels, err)
		}
		for _, name := range []string{"input_ids", "noise", "mask.0"} {
			if _, ok := f.Tensor(name); !ok {
				t.Errorf("%s: no %s", step, name)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplayedCurve trains MiniLM for 20 steps with all that is random, head, order, noise and dropout, and compares each
// loss with what PyTorch got from the record of such a run:
//
//	R3F_ORT_RECORD=/tmp/record R3F_ORT_RECORD_FLAGS="…" go test ./cmd/r3f-ort -run TestRecord
//	python testdata/golden/r3f_reference.py replay /tmp/record --task cola --method r3f …
func TestReplayedCurve(t *testing.T) {
	needLibrary(t)
	model, data := needMiniLM(t)
	out := filepath.Join(t.TempDir(), "run")
	succeed(t, "train", "--model", model, "--task", "cola", "--data", data, "--method", "r3f", "--max-steps", "20", "--lr", "1e-4", "--seed", "1", "--out", out)
	compareCurve(t, out, 20, "minilm-cola-r3f-replayed.jsonl", 1e-4)
}

// record trains on an engine that writes to a new directory, with the run in it.
func record(t *testing.T, dir string, args ...string) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	app := newApp()
	app.Command("train").Action = func(c *cli.Context) error {
		j := &trainJob{ctx: c.Context, flags: c, progress: newProgress(os.Stderr, false)}
		engine, err := j.open()
		if err != nil {
			return err
		}
		r, err := newRecorder(engine, dir, j.training.examples)
		if err == nil {
			err = j.run(r)
		}
		return errors.Join(err, engine.Close())
	}
	args = slices.Concat([]string{"r3f-ort"}, args, []string{"--out", filepath.Join(dir, "run")})
	if err := app.RunContext(t.Context(), args); err != nil {
		t.Fatal(err)
	}
}

// recorder is an engine that writes down what it is given.
type recorder struct {
	driver.Engine
	dir      string
	examples map[string][]driver.Example // by token ids
	batch    *driver.Batch               // of the last Forward
	logits   []float32                   // that it returned
	batches  int                         // since the last Update
}

func newRecorder(e driver.Engine, dir string, examples []driver.Example) (*recorder, error) {
	r := &recorder{Engine: e, dir: dir, examples: map[string][]driver.Example{}}
	for _, x := range examples {
		key := fmt.Sprint(x.InputIDs)
		r.examples[key] = append(r.examples[key], x)
	}
	var weights []safetensors.Tensor
	for _, p := range e.Spec().Parameters {
		data, err := driver.Tensor(e, driver.Value, p)
		if err != nil {
			return nil, err
		}
		weights = append(weights, safetensors.FromFloat32s(p.Name, p.Shape, data))
	}
	return r, safetensors.WriteFile(filepath.Join(dir, "first.safetensors"), weights, nil)
}

func (r *recorder) Forward(ctx context.Context, b *driver.Batch) ([]float32, error) {
	logits, err := r.Engine.Forward(ctx, b)
	r.batch, r.logits = b, append(r.logits[:0], logits...)
	return logits, err
}

// label is the label or target of row i of the batch. Where examples have the same tokens and other labels, it is the
// one that the gradient tells of.
func (r *recorder) label(i int, dlogits []float32) float64 {
	b, classes := r.batch, r.Spec().Classes
	var ids []int64
	for t := range b.Tokens {
		if k := i*b.Tokens + t; b.AttentionMask[k] == 1 {
			ids = append(ids, b.InputIDs[k])
		}
	}
	best, least := math.NaN(), math.Inf(1)
	for _, x := range r.examples[fmt.Sprint(ids)] {
		label, off := float64(x.Label), float64(dlogits[i*classes+x.Label])
		if classes == 1 {
			label = x.Target
			off = math.Abs(float64(r.logits[i]) - x.Target - float64(b.Size)/2*float64(dlogits[i]))
		}
		if off < least {
			best, least = label, off
		}
	}
	return best
}

func (r *recorder) Backward(ctx context.Context, dlogits []float32) error {
	b := r.batch
	shape := []int{b.Size, b.Tokens}
	labels := make([]float32, b.Size)
	for i := range labels {
		labels[i] = float32(r.label(i, dlogits))
	}
	tensors := []safetensors.Tensor{
		safetensors.FromFloat32s("labels", []int{b.Size}, labels),
		int64s("input_ids", shape, b.InputIDs), int64s("attention_mask", shape, b.AttentionMask), int64s("token_type_ids", shape, b.TypeIDs),
	}
	if b.Variant == driver.Doubled {
		tensors = append(tensors, safetensors.FromFloat32s("noise", []int{b.Size, b.Tokens, r.Spec().EmbeddingSize}, b.Noise))
	}
	for i, mask := range b.Masks {
		tensors = append(tensors, safetensors.Tensor{Name: fmt.Sprintf("mask.%d", i), DType: safetensors.U8, Shape: []int{len(mask)}, Data: mask})
	}
	name := filepath.Join(r.dir, fmt.Sprintf("batch.%d.safetensors", r.batches))
	r.batches++
	if err := safetensors.WriteFile(name, tensors, nil); err != nil {
		return err
	}
	return r.Engine.Backward(ctx, dlogits)
}

// Update gives the micro-batches of the step a directory.
func (r *recorder) Update(u driver.Update) error {
	step := filepath.Join(r.dir, fmt.Sprintf("step.%d", u.Step))
	if err := os.Mkdir(step, 0o755); err != nil {
		return err
	}
	for i := range r.batches {
		name := fmt.Sprintf("batch.%d.safetensors", i)
		if err := os.Rename(filepath.Join(r.dir, name), filepath.Join(step, name)); err != nil {
			return err
		}
	}
	data, err := json.Marshal(u.LearningRate)
	if err != nil {
		return err
	}
	r.batches = 0
	return errors.Join(os.WriteFile(filepath.Join(step, "lr.json"), data, 0o644), r.Engine.Update(u))
}

func int64s(name string, shape []int, v []int64) safetensors.Tensor {
	data := make([]byte, 0, 8*len(v))
	for _, x := range v {
		data = le.LittleEndian.AppendUint64(data, uint64(x))
	}
	return safetensors.Tensor{Name: name, DType: safetensors.I64, Shape: shape, Data: data}
}
