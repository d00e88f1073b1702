package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// importFixture is a training on an exported encoder of a golden model, with config.json and tokenizer beside it.
func importFixture(t *testing.T, model, file string) fixture {
	t.Helper()
	f := newFixture(t)
	dir := goldenModel(t, filepath.Join("../../testdata/golden", model))
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join("../../testdata/golden", model, file))
	if err != nil {
		t.Fatal(err)
	}
	f.model = filepath.Join(dir, "encoder.onnx")
	if err := os.WriteFile(f.model, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

// Exported encoders train, are exported, and what is exported is a Hugging Face directory of the family.
func TestImportedModels(t *testing.T) {
	library := needLibrary(t)
	for _, c := range []struct{ model, file string }{
		{"tiny-bert-3", "encoder-opset14.onnx"},
		{"tiny-bert-3", "encoder-script-opset15-eager-train.onnx"},
		{"tiny-roberta", "classifier-dynamo-opset20-eager-eval.onnx"},
		{"tiny-distilbert", "classifier-dynamo-opset20-sdpa-eval.onnx"},
	} {
		t.Run(c.model+"/"+c.file, func(t *testing.T) { trainAndReload(t, importFixture(t, c.model, c.file), library) })
	}
}

// A model of a type that no family knows, and one without a config.json, is scored, predicts and is exported again.
func TestImportOfUnknownType(t *testing.T) {
	needLibrary(t)
	f := importFixture(t, "tiny-bert-3", "encoder-opset17.onnx")
	config := filepath.Join(filepath.Dir(f.model), "config.json")
	for _, content := range []string{`{"model_type": "of-our-own", "pad_token_id": 0}`, ""} {
		if err := os.WriteFile(config, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if content == "" {
			if err := os.Remove(config); err != nil {
				t.Fatal(err)
			}
		}
		out := succeed(t, f.args("--overwrite", "--max-steps", "2", "--max-length", "16", "--embedding", "bert.embeddings.word_embeddings.weight")...)
		if !strings.Contains(out.stderr, "dropout on 2 × attention probabilities") {
			t.Errorf("nothing is said of restored dropout: %s", out.stderr)
		}
		var scored struct{ Metrics map[string]float64 }
		report := succeed(t, "eval", "--model", f.out, "--dev", f.dev, "--json")
		if err := json.Unmarshal([]byte(report.stdout), &scored); err != nil || len(scored.Metrics) == 0 {
			t.Errorf("eval: %v, %s", err, report.stdout)
		}
		if got := succeed(t, "predict", "--model", f.out, "--text", "a fine day"); !strings.Contains(got.stdout, "label") {
			t.Errorf("predict: %s", got.stdout)
		}
		again := filepath.Join(t.TempDir(), "again")
		succeed(t, "export", "--run", f.out, "--checkpoint", "newest", "--out", again)
		sameFiles(t, filepath.Join(f.out, "model"), again, "model.onnx", "model.safetensors")
	}
}

// Flags that do not go with the model are refused.
func TestImportFlags(t *testing.T) {
	f := newFixture(t)
	if o := r3f(t, f.args("--embedding", "word.weight")...); o.code != exitUsage || !strings.Contains(o.stderr, "--embedding names a table of an ONNX file") {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}
