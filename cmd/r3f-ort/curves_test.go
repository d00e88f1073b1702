package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestPyTorchCurves trains MiniLM for 20 steps on real data and compares each loss with what PyTorch got from the
// same weights and batches (testdata/golden/r3f_reference.py curve).
func TestPyTorchCurves(t *testing.T) {
	needLibrary(t)
	model, data := needMiniLM(t)
	for _, c := range []struct{ task, golden, method, scope string }{
		{"rte", "standard", "standard", "head"},
		{"rte", "r3f", "r3f", "head"},
		{"rte", "r4f", "r4f", "out_proj"},
		{"rte", "r4f-head", "r4f", "head"},
		{"cola", "standard", "standard", "head"},
		{"sts-b", "standard", "standard", "head"},
	} {
		t.Run(c.task+"/"+c.golden, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			succeed(t, "train", "--model", model, "--task", c.task, "--data", data, "--method", c.method, "--r4f-scope", c.scope,
				"--max-steps", "20", "--batch-size", "8", "--max-length", "128", "--lr", "2e-5", "--schedule", "constant", "--warmup", "0",
				"--weight-decay", "0.01", "--dropout", "0", "--shuffle=false", "--head-init", "cosine", "--out", out)
			compareCurve(t, out, 20, "minilm-"+c.task+"-"+c.golden+".jsonl", 2e-3)
		})
	}
}

// needMiniLM skips a test where MiniLM or the GLUE data are not there, and returns their directories.
func needMiniLM(t *testing.T) (model, data string) {
	t.Helper()
	if testing.Short() {
		t.Skip("trains MiniLM; not with -short")
	}
	model, data = "../../.r3f/models/minilm", "../../../shared/data/glue"
	for _, path := range []string{model, data} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("needs MiniLM (make setup) and the GLUE data: %v", err)
		}
	}
	return model, data
}

// compareCurve compares the losses of a run of so many steps with the first of PyTorch's 20.
func compareCurve(t *testing.T, run string, steps int, golden string, tolerance float64) {
	t.Helper()
	got, want := losses(t, filepath.Join(run, "metrics.jsonl")), losses(t, filepath.Join("../../testdata/golden/curves", golden))
	if len(got) != steps || len(want) != 20 || steps > len(want) {
		t.Fatalf("%d losses in %d steps, PyTorch has %d; want one a step, 20 at most, and 20", len(got), steps, len(want))
	}
	worst := 0.0
	for i := range got {
		worst = max(worst, math.Abs(got[i]-want[i]))
	}
	if !(worst <= tolerance) {
		t.Errorf("losses differ by up to %.2g: %v, PyTorch %v", worst, got, want)
	}
	t.Logf("largest difference of %d losses: %.2g", steps, worst)
}

// losses reads the field "loss" of the lines that have one together with "r3f".
func losses(t *testing.T, path string) []float64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []float64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct{ Loss, R3F *float64 }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if line.Loss != nil && line.R3F != nil {
			out = append(out, *line.Loss)
		}
	}
	return out
}
