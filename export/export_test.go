package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// golden is a BertForSequenceClassification that transformers wrote.
func golden(labels int) string { return fmt.Sprintf("../testdata/golden/tiny-bert-%d", labels) }

// load reads the golden model of 3 classes or 1 number.
func load(t testing.TB, labels int) *graphs.Model {
	t.Helper()
	m, err := graphs.Load(golden(labels), labels, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var classification = export.Options{
	Task: "mood", Method: "r4f", BaseModel: "tiny", Labels: []string{"sad", "so \"so\"", "frohgemüt"}, MaxLength: 32,
	Step: 7, Metrics: map[string]float64{"accuracy": 0.75}, Version: "1.2.3",
}

func write(t testing.TB, dir string, m *graphs.Model, o export.Options) {
	t.Helper()
	if err := export.Write(dir, m, m.Weights, o); err != nil {
		t.Fatal(err)
	}
}

func TestReadReturnsWhatWriteWasGiven(t *testing.T) {
	regression := classification
	regression.Labels, regression.Metrics = nil, nil
	for labels, o := range map[int]export.Options{3: classification, 1: regression} {
		m, dir := load(t, labels), filepath.Join(t.TempDir(), "deep", "model")
		write(t, dir, m, o)
		info, err := export.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := export.Options{Task: info.Task, Method: info.Method, BaseModel: info.BaseModel, Labels: info.Labels, MaxLength: info.MaxLength,
			Step: info.Step, Metrics: info.Metrics, Version: o.Version}
		if !reflect.DeepEqual(got, o) || info.Regression() != (labels == 1) || info.Config.NumLabels != labels {
			t.Errorf("%d labels: wrote %+v, read %+v", labels, o, info)
		}
	}
}

// The weights file has the names, shapes, values and metadata of the one that transformers wrote for this model.
func TestWeightsAreThoseOfTransformers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	write(t, dir, load(t, 3), classification)
	want, err := os.ReadFile(filepath.Join(golden(3), export.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, export.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a, _ := safetensors.Parse(got)
		b, _ := safetensors.Parse(want)
		t.Errorf("%s differs:\n%v %v\n%v %v", export.WeightsFile, a.Names(), a.Metadata(), b.Names(), b.Metadata())
	}
}

// config.json keeps what the base model's says and changes what fine-tuning changes.
func TestConfigIsTheBaseModelsWithLabels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	m := load(t, 3)
	write(t, dir, m, classification)
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a number is written as it was
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	changed := map[string]any{"num_labels": json.Number("3"), "problem_type": "single_label_classification"}
	id2label, label2id := map[string]any{}, map[string]any{}
	for i, l := range classification.Labels {
		id2label[fmt.Sprint(i)], label2id[l] = l, json.Number(fmt.Sprint(i))
	}
	changed["id2label"], changed["label2id"], changed["architectures"] = id2label, label2id, []any{"BertForSequenceClassification"}
	want := m.Config.Fields()
	maps.Copy(want, changed)
	delete(got, "r3f_ort")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("config.json is\n%v\nwant\n%v", got, want)
	}
}

// An original in half precision must not make transformers load the float32 weights as such.
func TestConfigSaysFloat32(t *testing.T) {
	base := t.TempDir()
	data, err := os.ReadFile(filepath.Join(golden(3), "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	half := bytes.Replace(data, []byte(`"dtype": "float32"`), []byte(`"dtype": "float16"`), 1)
	if bytes.Equal(half, data) {
		t.Fatal("the golden configuration has no dtype to change")
	}
	if err := os.WriteFile(filepath.Join(base, "config.json"), half, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := graphs.ReadConfig(base)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graphs.NewModel(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := export.Write(dir, m, load(t, 3).Weights, classification); err != nil {
		t.Fatal(err)
	}
	info, err := export.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Config.Fields()["dtype"]; got != "float32" {
		t.Errorf("dtype is %v", got)
	}
}

// model.onnx carries the metadata, and its bytes depend on nothing but the arguments.
func TestModelFile(t *testing.T) {
	var files [2][]byte
	for i := range files {
		dir := filepath.Join(t.TempDir(), "model")
		write(t, dir, load(t, 3), classification)
		var err error
		if files[i], err = os.ReadFile(filepath.Join(dir, export.ModelFile)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same export twice gives different bytes")
	}
	labels, _ := json.Marshal(classification.Labels)
	want := map[string]string{"task": "mood", "labels": string(labels), "base_model": "tiny", "method": "r4f", "max_length": "32", "r3f_ort": "1.2.3"}
	if got := metadata(t, files[0]); !maps.Equal(got, want) {
		t.Errorf("metadata is %v, want %v", got, want)
	}
}

// metadata reads metadata_props, field 14 of an ONNX ModelProto.
func metadata(t *testing.T, model []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	fields(t, model, func(n protowire.Number, entry []byte) {
		if n != 14 {
			return
		}
		pair := map[protowire.Number]string{}
		fields(t, entry, func(n protowire.Number, v []byte) { pair[n] = string(v) })
		out[pair[1]] = pair[2]
	})
	return out
}

func fields(t *testing.T, message []byte, visit func(protowire.Number, []byte)) {
	t.Helper()
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(n, kind, message); size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		if kind == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(message)
			visit(n, v)
		}
		message = message[size:]
	}
}

func TestTokenizerFilesAreCopied(t *testing.T) {
	source := filepath.Join(t.TempDir(), "tokenizer.json")
	const content = `{"any": "bytes"}`
	if err := os.WriteFile(source, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	o := classification
	o.TokenizerFiles = []string{source}
	dir := filepath.Join(t.TempDir(), "model")
	write(t, dir, load(t, 3), o)
	if got, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); string(got) != content {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCopy(t *testing.T) {
	root := t.TempDir()
	src, dst := filepath.Join(root, "a"), filepath.Join(root, "b")
	write(t, src, load(t, 3), classification)
	if err := export.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, dst), contents(t, src); !maps.Equal(got, want) {
		t.Errorf("the copy has %v, the original %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if err := export.Copy(dst, golden(3)); !errors.Is(err, graphs.ErrModel) {
		t.Errorf("copying what is no export: %v", err)
	}
}

// contents maps the files of a directory to their bytes.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

// Whatever fails, the directory is as it was and nothing else is left beside it.
func TestFailureChangesNothing(t *testing.T) {
	m := load(t, 3)
	missing := classification
	missing.TokenizerFiles = []string{filepath.Join(t.TempDir(), "absent")}
	twice := classification
	twice.Labels = []string{"a", "b", "a"}
	two := classification
	two.Labels = []string{"a", "b"}
	for name, c := range map[string]struct {
		weights []graphs.Weight
		options export.Options
		says    string
	}{
		"weight missing":       {m.Weights[1:], classification, m.Weights[0].Name},
		"tokenizer missing":    {m.Weights, missing, "absent"},
		"label twice":          {m.Weights, twice, "not all different"},
		"two labels for three": {m.Weights, two, "2 labels for a model of 3 outputs"},
	} {
		for _, before := range []bool{false, true} {
			parent := t.TempDir()
			dir := filepath.Join(parent, "model")
			want := map[string]string{}
			if before {
				write(t, dir, m, classification)
				want = contents(t, dir)
			}
			err := export.Write(dir, m, c.weights, c.options)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: %v", name, err)
			}
			entries, _ := os.ReadDir(parent)
			if before != (len(entries) == 1) || before && !maps.Equal(contents(t, dir), want) {
				t.Errorf("%s: %v is left", name, entries)
			}
		}
	}
}

func TestOnlyExportsAreReplaced(t *testing.T) {
	m := load(t, 3)
	root := t.TempDir()
	note := filepath.Join(root, "work", "note.txt")
	if err := errors.Join(os.Mkdir(filepath.Dir(note), 0o755), os.WriteFile(note, []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(note), note} {
		if err := export.Write(dir, m, m.Weights, classification); err == nil {
			t.Errorf("%s was replaced", dir)
		}
	}
	if got, err := os.ReadFile(note); string(got) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
	empty := filepath.Join(root, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, empty, m, classification)
}

func TestReadRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	write(t, dir, load(t, 3), classification)
	config := contents(t, dir)["config.json"]
	for name, c := range map[string]struct{ old, new, says string }{
		"no export":         {`"r3f_ort"`, `"other"`, "no export of r3f-ort"},
		"length":            {`"max_length": 32`, `"max_length": 41`, "max_length is 41"},
		"hole in id2label":  {`"2": "frohgem`, `"3": "frohgem`, "id2label"},
		"same label twice":  {`"0": "sad"`, `"0": "frohgemüt"`, "id2label"},
		"problem":           {`"single_label_classification"`, `"multi_label_classification"`, "multi_label"},
		"regression of 3":   {`"single_label_classification"`, `"regression"`, "3 labels"},
		"labels no strings": {`"0": "sad"`, `"0": 3`, "config.json"},
		"architecture":      {`"bert"`, `"llama"`, "llama"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := t.TempDir()
			changed := strings.Replace(config, c.old, c.new, 1)
			if changed == config {
				t.Fatalf("%q is not in config.json", c.old)
			}
			if err := os.WriteFile(filepath.Join(bad, "config.json"), []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := export.Read(bad); !errors.Is(err, graphs.ErrModel) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), bad) {
				t.Errorf("%v", err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "model")
	write(f, dir, load(f, 3), classification)
	for _, d := range []string{dir, golden(1)} {
		data, err := os.ReadFile(filepath.Join(d, "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
			t.Fatal(err)
		}
		info, err := export.Read(dir)
		if err != nil {
			if !errors.Is(err, graphs.ErrModel) {
				t.Errorf("the error is not about the model: %v", err)
			}
			return
		}
		different := slices.Compact(slices.Sorted(slices.Values(info.Labels)))
		if info.MaxLength < 1 || info.MaxLength > info.Config.MaxPositions || len(different) != len(info.Labels) || len(info.Labels) == 1 {
			t.Errorf("accepted %+v", info)
		}
	})
}
