package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// exportedMiniLM is a directory that holds MiniLM as one of the exporters writes it: the graph from the goldens, its
// tensors in the checkpoint that make setup fetched, beside it.
func exportedMiniLM(t *testing.T, exporter string) string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{"encoder.onnx": filepath.Join("../../testdata/golden/minilm", exporter+".onnx")}
	for _, name := range []string{"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"} {
		files[name] = filepath.Join("../../.r3f/models/minilm", name)
	}
	for name, from := range files {
		if os.Link(from, filepath.Join(dir, name)) == nil {
			continue
		}
		src, err := os.Open(from)
		if err != nil {
			t.Skipf("needs MiniLM (make setup): %v", err)
		}
		dst, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			_, err = io.Copy(dst, src)
		}
		if err != nil {
			t.Fatal(err)
		}
		src.Close()
		dst.Close()
	}
	return filepath.Join(dir, "encoder.onnx")
}

// TestImportedCurves trains MiniLM as both exporters write it and compares each loss with PyTorch's curve. The first
// five steps of the R3F curve, or, with R3F_ORT_CURVE_STEPS (20 at most), as many of all four.
func TestImportedCurves(t *testing.T) {
	needLibrary(t)
	_, data := needMiniLM(t)
	steps, curves := 5, []string{"r3f"}
	if n, err := strconv.Atoi(os.Getenv("R3F_ORT_CURVE_STEPS")); err == nil {
		steps, curves = n, []string{"standard", "r3f", "r4f", "r4f-head"}
	}
	flags := map[string][]string{
		"standard": {"--method", "standard"}, "r3f": {"--method", "r3f"},
		"r4f": {"--method", "r4f", "--r4f-scope", "out_proj"}, "r4f-head": {"--method", "r4f", "--r4f-scope", "head"},
	}
	for _, exporter := range []string{"script", "dynamo"} {
		model := exportedMiniLM(t, exporter)
		for _, curve := range curves {
			t.Run(exporter+"/"+curve, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "run")
				succeed(t, append([]string{"train", "--model", model, "--task", "rte", "--data", data,
					"--max-steps", fmt.Sprint(steps), "--batch-size", "8", "--max-length", "128", "--lr", "2e-5", "--schedule", "constant", "--warmup", "0",
					"--weight-decay", "0.01", "--dropout", "0", "--shuffle=false", "--head-init", "cosine", "--out", out}, flags[curve]...)...)
				compareCurve(t, out, steps, "minilm-rte-"+curve+".jsonl", 2e-3)
			})
		}
	}
}
