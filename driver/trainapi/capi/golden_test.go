package capi

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// artifacts is the directory of official artifacts, beside the repository.
const artifacts = "../../../../shared/reference/golden/tiny-bert-3/artifacts"

// golden is losses.json: what onnxruntime.training.api, in Python, makes of five steps on one batch.
type golden struct {
	Inputs     []string `json:"inputs"`
	Parameters []string `json:"parameters"`
	Rows       []struct {
		Step         int       `json:"step"`
		LearningRate float32   `json:"learning_rate"`
		Loss         float64   `json:"loss"`
		Logits       []float64 `json:"logits_row0"`
		Noised       []float64 `json:"noised_row0"`
		EvalLoss     *float64  `json:"eval_loss"`
	} `json:"rows"`
}

func readGolden(t testing.TB) golden {
	t.Helper()
	var g golden
	data, err := os.ReadFile(filepath.Join(artifacts, "losses.json"))
	if err != nil {
		t.Skipf("no golden artifacts: %v", err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// goldenBatch is the batch of the golden, in the order of inputs.
func goldenBatch(t testing.TB, inputs []string) []Tensor {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(artifacts, "..", "batch.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []Tensor
	for _, name := range inputs {
		if name == "lambda" {
			out = append(out, Tensor{Data: []float32{0.7}})
			continue
		}
		source, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("the golden batch has no %q", name)
		}
		v := Tensor{}
		for _, d := range source.Shape {
			v.Shape = append(v.Shape, int64(d))
		}
		if name == "noise" {
			v.Data, err = source.Float32s(nil)
		} else {
			v.Data, err = source.Int64s(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if name == "attention_mask" {
			ints := v.Data.([]int64)
			floats := make([]float32, len(ints))
			for i, x := range ints {
				floats[i] = float32(x)
			}
			v.Data = floats
		}
		out = append(out, v)
	}
	return out
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, the golden says %v: %.1e apart", what, got, want, math.Abs(got-want))
	}
}

// open loads the library and makes a session on the golden artifacts.
func openSession(t testing.TB, fromBytes bool) (*Library, *Checkpoint, *Session) {
	t.Helper()
	l := openLibrary(t)
	var c *Checkpoint
	var s *Session
	var err error
	file := func(name string) string { return filepath.Join(artifacts, name) }
	if fromBytes {
		read := func(name string) []byte {
			data, err := os.ReadFile(file(name))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		if c, err = l.LoadCheckpointBytes(read("checkpoint")); err == nil {
			s, err = l.NewSessionBytes(c, Models{read("training_model.onnx"), read("eval_model.onnx"), read("optimizer_model.onnx")}, SessionOptions{Threads: 1})
		}
	} else if c, err = l.LoadCheckpoint(file("checkpoint")); err == nil {
		s, err = l.NewSession(c, Files{file("training_model.onnx"), file("eval_model.onnx"), file("optimizer_model.onnx")}, SessionOptions{Threads: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); c.Close(); l.Close() })
	return l, c, s
}

// The five steps and the evaluation of losses.json, from files and from memory.
func TestGoldenLosses(t *testing.T) {
	g := readGolden(t)
	for _, fromBytes := range []bool{false, true} {
		_, _, s := openSession(t, fromBytes)
		for _, row := range g.Rows {
			if row.EvalLoss != nil {
				out, err := s.EvalStep(goldenBatch(t, s.EvalInputs))
				if err != nil {
					t.Fatal(err)
				}
				near(t, "evaluation loss", float64(out[0].Data.([]float32)[0]), *row.EvalLoss, 1e-5)
				continue
			}
			if err := s.SetLearningRate(row.LearningRate); err != nil {
				t.Fatal(err)
			}
			out, err := s.TrainStep(goldenBatch(t, s.TrainInputs))
			if err != nil {
				t.Fatal(err)
			}
			near(t, "loss", float64(out[0].Data.([]float32)[0]), row.Loss, 1e-5)
			for i := range row.Logits {
				near(t, "logit", float64(out[1].Data.([]float32)[i]), row.Logits[i], 1e-5)
				near(t, "noised logit", float64(out[2].Data.([]float32)[i]), row.Noised[i], 1e-5)
			}
			if rate, err := s.LearningRate(); err != nil || rate != row.LearningRate {
				t.Errorf("the learning rate is %v (%v), not %v", rate, err, row.LearningRate)
			}
			if err := firstError(s.OptimizerStep(), s.LazyResetGrad()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
