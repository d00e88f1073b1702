package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// official are the artifacts that onnxruntime.training.artifacts made of the golden BERT of three classes.
const official = "../../shared/reference/golden/tiny-bert-3/artifacts"

func needOfficial(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(official); err != nil {
		t.Skipf("needs the official artifacts: %v", err)
	}
}

func writeTraining(t testing.TB, m *graphs.Model, o export.TrainingOptions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "artifacts")
	if err := export.WriteTraining(dir, m, m.Weights, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What the training API reads from names: user inputs, parameters, a buffer for each, then lazy_reset_grad; user
// outputs, then a flag for each; one accumulation of a computed gradient a parameter.
func TestTrainingModel(t *testing.T) {
	for _, r3f := range []bool{false, true} {
		m := load(t, 3)
		dir := writeTraining(t, m, export.TrainingOptions{TrainingOptions: graphs.TrainingOptions{R3F: r3f, Dropout: 0.1}})
		model := readONNX(t, dir, artifacts.TrainingModel)
		users, results := []string{"input_ids", "attention_mask", "token_type_ids"}, []string{"loss", "logits"}
		if r3f {
			users, results = append(users, "noise", "labels", "lambda", "share"), append(results, "noised")
		} else {
			users = append(users, "labels", "share")
		}
		manifest, err := artifacts.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, manifest.Inputs.Masks...)
		if len(manifest.Inputs.Masks) == 0 {
			t.Error("there are no dropout masks")
		}
		var parameters, buffers, flags []string
		produced := map[string]bool{}
		accumulated := map[string][]string{}
		for _, n := range model.nodes {
			for _, o := range n.outputs {
				produced[o] = true
			}
			if n.domain != "" {
				if n.domain != "com.microsoft" || n.op != "InPlaceAccumulatorV2" || len(n.inputs) != 3 || !produced[n.inputs[1]] || n.inputs[2] != "lazy_reset_grad" {
					t.Errorf("%+v", n)
				}
				accumulated[n.inputs[0]] = n.outputs
			}
		}
		for _, w := range m.Weights {
			buffer, flag := w.Name+"_grad.accumulation.buffer", w.Name+"_grad.accumulation.out"
			parameters, buffers, flags = append(parameters, w.Name), append(buffers, buffer), append(flags, flag)
			if model.types[buffer] != model.types[w.Name] || model.types[w.Name] != "1"+fmt.Sprint(w.Shape) || model.types[flag] != "9[1]" {
				t.Errorf("%s is %s, its buffer %s, its flag %s", w.Name, model.types[w.Name], model.types[buffer], model.types[flag])
			}
			if !slices.Equal(accumulated[buffer], []string{flag}) {
				t.Errorf("%s is accumulated into %v", w.Name, accumulated[buffer])
			}
		}
		if want := slices.Concat(users, parameters, buffers, []string{"lazy_reset_grad"}); !slices.Equal(model.inputs, want) {
			t.Errorf("R3F %v: inputs\n%v, want\n%v", r3f, model.inputs, want)
		}
		if want := slices.Concat(results, flags); !slices.Equal(model.outputs, want) {
			t.Errorf("R3F %v: outputs\n%v, want\n%v", r3f, model.outputs, want)
		}
		if want := map[string]uint64{"": graphs.Opset, "com.microsoft": 1}; !maps.Equal(model.opsets, want) {
			t.Errorf("opsets %v", model.opsets)
		}
		eval := readONNX(t, dir, artifacts.EvalModel)
		if want := slices.Concat([]string{"input_ids", "attention_mask", "token_type_ids", "labels"}, parameters); !slices.Equal(eval.inputs, want) {
			t.Errorf("inputs of the evaluation graph: %v", eval.inputs)
		}
		if !slices.Equal(eval.outputs, []string{"loss", "logits"}) || len(eval.opsets) != 1 {
			t.Errorf("the evaluation graph has outputs %v, opsets %v", eval.outputs, eval.opsets)
		}
	}
}

// The optimiser has the inputs of the official one and the constants asked for.
func TestOptimizerModel(t *testing.T) {
	for _, a := range []optim.AdamW{{}, {Beta1: 0.8, Beta2: 0.99, Eps: 1e-7, WeightDecay: 0.5}} {
		model := readONNX(t, writeTraining(t, load(t, 3), export.TrainingOptions{AdamW: a}), artifacts.OptimizerModel)
		if len(model.nodes) != 1 || model.nodes[0].op != "AdamWOptimizer" || model.nodes[0].domain != "com.microsoft" {
			t.Fatalf("%+v", model.nodes)
		}
		a = a.OrDefault()
		want := map[string]any{"alpha": float32(a.Beta1), "beta": float32(a.Beta2), "epsilon": float32(a.Eps), "weight_decay": float32(a.WeightDecay),
			"correct_bias": int64(1), "adam_mode": int64(0)}
		if got := model.nodes[0].attributes; !maps.Equal(got, want) {
			t.Errorf("attributes %v, want %v", got, want)
		}
		if _, err := os.Stat(official); err != nil {
			t.Logf("not compared with the official one: %v", err)
			continue
		}
		theirs := readONNX(t, official, artifacts.OptimizerModel)
		for _, name := range theirs.inputs {
			if model.types[name] != theirs.types[name] {
				t.Errorf("%s is %s, officially %s", name, model.types[name], theirs.types[name])
			}
		}
		if !slices.Equal(model.inputs, theirs.inputs) || !slices.Equal(model.nodes[0].inputs, theirs.nodes[0].inputs) || len(model.outputs) != len(theirs.outputs) ||
			model.types[model.outputs[0]] != theirs.types[theirs.outputs[0]] {
			t.Errorf("inputs %v, outputs %v; officially %v, %v", model.inputs, model.outputs, theirs.inputs, theirs.outputs)
		}
		if got, want := slices.Sorted(maps.Keys(model.nodes[0].attributes)), slices.Sorted(maps.Keys(theirs.nodes[0].attributes)); !slices.Equal(got, want) {
			t.Errorf("attributes %v, officially %v", got, want)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	for _, labels := range []int{1, 3} {
		m := load(t, labels)
		names, tensors := readCheckpoint(t, writeTraining(t, m, export.TrainingOptions{}), artifacts.Checkpoint)
		if len(names) != len(m.Weights) {
			t.Errorf("%d parameters, want %d", len(names), len(m.Weights))
		}
		for i, w := range m.Weights {
			got := tensors[w.Name]
			if names[i] != w.Name || !slices.Equal(got.dims, w.Shape) || !slices.Equal(got.data, w.Data) {
				t.Errorf("parameter %d is %s %v, want %s %v with its values", i, names[i], got.dims, w.Name, w.Shape)
			}
		}
	}
}

// The reader of TestCheckpoint understands an official checkpoint: the slots are right.
func TestOfficialCheckpoint(t *testing.T) {
	needOfficial(t)
	var losses struct{ Parameters []string }
	data, err := os.ReadFile(filepath.Join(official, "losses.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &losses); err != nil {
		t.Fatal(err)
	}
	_, tensors := readCheckpoint(t, official, artifacts.Checkpoint)
	if got, want := slices.Sorted(maps.Keys(tensors)), slices.Sorted(slices.Values(losses.Parameters)); !slices.Equal(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
	for _, w := range load(t, 3).Weights {
		if got, ok := tensors["m."+w.Name]; ok && !slices.Equal(got.data, w.Data) { // others are stored transposed
			t.Errorf("%s has other values", w.Name)
		}
	}
}

func TestTrainingManifest(t *testing.T) {
	for _, labels := range []int{1, 3} {
		for _, r3f := range []bool{false, true} {
			m := load(t, labels)
			dir := writeTraining(t, m, export.TrainingOptions{TrainingOptions: graphs.TrainingOptions{R3F: r3f, Dropout: 0.25}})
			got, err := artifacts.ReadManifest(dir)
			if err != nil {
				t.Fatal(err)
			}
			c := m.Config
			want := artifacts.Model{Classes: labels, HiddenSize: c.HiddenSize, VocabSize: c.VocabSize, MaxTokens: c.MaxPositions, PadID: int64(c.PadTokenID), Dropout: 0.25, SpareVectors: true}
			if !reflect.DeepEqual(got.Model, want) {
				t.Errorf("model %+v, want %+v", got.Model, want)
			}
			train, eval := readONNX(t, dir, artifacts.TrainingModel), readONNX(t, dir, artifacts.EvalModel)
			for _, c := range []struct {
				role, name, kind string
				evaluated        bool
				there            bool
			}{
				{"input_ids", got.Inputs.InputIDs, "7[B T]", true, true},
				{"attention_mask", got.Inputs.AttentionMask, "7[B T]", true, true},
				{"token_type_ids", got.Inputs.TokenTypeIDs, "7[B T]", true, true},
				{"noise", got.Inputs.Noise, "1[B T 32]", false, r3f},
				{"labels", got.Inputs.Labels, map[int]string{1: "1[B]", 3: "7[B]"}[labels], true, true},
				{"lambda", got.Inputs.Lambda, "1[1]", false, r3f},
				{"share", got.Inputs.Share, "1[1]", false, true},
				{"loss", got.Outputs.Loss, "1[1]", true, true},
				{"logits", got.Outputs.Logits, fmt.Sprintf("1[B %d]", labels), true, true},
				{"noised_logits", got.Outputs.NoisedLogits, fmt.Sprintf("1[B %d]", labels), false, r3f},
			} {
				if !c.there {
					c.kind = ""
				}
				if train.types[c.name] != c.kind || c.evaluated && eval.types[c.name] != c.kind || c.there != (c.name != "") {
					t.Errorf("%d labels, R3F %v: %s is %q, %q in training and %q in evaluation; want %q", labels, r3f, c.role, c.name, train.types[c.name], eval.types[c.name], c.kind)
				}
			}
			for _, mask := range got.Inputs.Masks {
				if kind := train.types[mask]; !strings.HasPrefix(kind, "2[") || r3f != strings.HasPrefix(kind, "2[2*B") {
					t.Errorf("mask %s is %q", mask, kind)
				}
			}
			if config, err := graphs.ReadConfig(filepath.Join(dir, filepath.Dir(got.Config))); err != nil || config.HiddenSize != c.HiddenSize {
				t.Errorf("the encoder's configuration: %v", err)
			}
		}
	}
}

// Equal arguments give equal bytes; another artifact directory is replaced, anything else is left alone.
func TestTrainingArtifactsAreReplaced(t *testing.T) {
	m := load(t, 3)
	tokenizer := filepath.Join(t.TempDir(), "tokenizer.json")
	o := export.TrainingOptions{TrainingOptions: graphs.TrainingOptions{R3F: true, Dropout: 0.1}, TokenizerFiles: []string{tokenizer}}
	if err := os.WriteFile(tokenizer, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := writeTraining(t, m, o)
	first := contents(t, dir)
	if len(first) != 7 || first["tokenizer.json"] != "{}" {
		t.Errorf("files %v", slices.Sorted(maps.Keys(first)))
	}
	if err := export.WriteTraining(dir, m, m.Weights, o); err != nil {
		t.Fatal(err)
	}
	if second := contents(t, dir); !maps.Equal(first, second) {
		t.Error("the second export has other bytes")
	}
	for name, c := range map[string]struct {
		weights []graphs.Weight
		change  func(*export.TrainingOptions)
		says    string
	}{
		"weight missing":    {m.Weights[1:], func(*export.TrainingOptions) {}, m.Weights[0].Name},
		"tokenizer missing": {m.Weights, func(o *export.TrainingOptions) { o.TokenizerFiles = []string{"absent"} }, "absent"},
		"dropout":           {m.Weights, func(o *export.TrainingOptions) { o.Dropout = 1 }, "dropout 1"},
		"weight decay": {m.Weights, func(o *export.TrainingOptions) {
			o.AdamW = optim.AdamW{Beta1: 0.9, Beta2: 0.9, Eps: 1, WeightDecay: -1}
		}, "weight decay"},
	} {
		bad := o
		c.change(&bad)
		err := export.WriteTraining(dir, m, c.weights, bad)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(filepath.Dir(dir)); len(entries) != 1 || !maps.Equal(contents(t, dir), first) {
			t.Errorf("%s: %v is left, or the artifacts have changed", name, entries)
		}
	}
	model := filepath.Join(t.TempDir(), "model")
	write(t, model, m, classification)
	before := contents(t, model)
	if err := export.WriteTraining(model, m, m.Weights, o); err == nil || !maps.Equal(contents(t, model), before) {
		t.Errorf("an export of another kind was replaced: %v", err)
	}
}

// A checkpoint is written from the weights' memory: apart from the tables, nothing is allocated.
func TestCheckpointIsStreamed(t *testing.T) {
	parameters, weights := vectors(4, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	written := int64(0)
	if err := export.WriteCheckpoint(counter{&written}, parameters, weights); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<18 || written < 4<<22 {
		t.Errorf("%d bytes are allocated to write %d", allocated, written)
	}
}

// counter counts what is written.
type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) {
	*c.n += int64(len(p))
	return len(p), nil
}

// What a flatbuffer cannot hold is refused before anything is written.
func TestCheckpointTooLarge(t *testing.T) {
	parameters, weights := vectors(33, 1<<24)
	var file bytes.Buffer
	if err := export.WriteCheckpoint(&file, parameters, weights); err == nil || !strings.Contains(err.Error(), "2³¹") || file.Len() > 0 {
		t.Errorf("%d bytes, %v", file.Len(), err)
	}
}

// vectors are n parameters of one memory.
func vectors(n, size int) ([]*graphs.Value, []graphs.Weight) {
	data := make([]float32, size)
	var parameters []*graphs.Value
	var weights []graphs.Weight
	for i := range n {
		name := fmt.Sprint("w", i)
		parameters = append(parameters, &graphs.Value{Name: name, Kind: graphs.Parameter, DType: graphs.Float32, Shape: graphs.StaticShape(size)})
		weights = append(weights, graphs.Weight{Name: name, Shape: []int{size}, Data: data})
	}
	return parameters, weights
}
