package stock_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/importer"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// goldens is where testdata/golden/r3f_reference.py and families_reference.py write what PyTorch computes.
const goldens = "../../testdata/golden"

// needLibrary skips a test where no ONNX Runtime is installed.
func needLibrary(t testing.TB) {
	t.Helper()
	if _, err := ortlib.Find(""); err != nil {
		t.Skipf("no ONNX Runtime: %v", err)
	}
}

// openSafetensors opens a golden file for the duration of a test.
func openSafetensors(t *testing.T, path ...string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("the golden file has no tensor %q", name)
	}
	v, err := x.Float32s(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func integers(t *testing.T, f *safetensors.File, name string) []int64 {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("the golden file has no tensor %q", name)
	}
	v, err := x.Int64s(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// worst is the largest difference between got and want, relative to the largest value of scale.
func worst(got, want, scale []float32) float64 {
	largest, diff := 1e-30, 0.0
	for i, w := range want {
		diff = max(diff, math.Abs(float64(got[i]-w)))
	}
	for _, s := range scale {
		largest = max(largest, math.Abs(float64(s)))
	}
	return diff / largest
}

// TestPyTorchGoldens compares loss, R3F term, logits and every gradient by name with PyTorch's, for a tiny random
// BERT for regression and a tiny random model of every family with three classes.
func TestPyTorchGoldens(t *testing.T) {
	needLibrary(t)
	lambda := 0.7
	type goldenCase struct {
		model, golden string
		options       driver.Options
	}
	cases := []goldenCase{
		{"tiny-bert-3", "r4f", driver.Options{Method: "r4f", R4FScope: driver.OutputOnly}},
		{"tiny-bert-3", "r4f-head", driver.Options{Method: "r4f", R4FScope: driver.WholeHead}},
		{"tiny-bert-1", "standard", driver.Options{Method: "standard"}},
		{"tiny-bert-1", "r3f", driver.Options{Method: "r3f"}},
	}
	files, err := filepath.Glob(filepath.Join(goldens, "tiny-*", "r3f.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, file := range files {
		if model := filepath.Base(filepath.Dir(file)); model != "tiny-bert-1" {
			cases = append(cases, goldenCase{model, "standard", driver.Options{Method: "standard"}}, goldenCase{model, "r3f", driver.Options{Method: "r3f"}})
			if !strings.HasPrefix(model, "tiny-bert-") { // those of r3f_reference.py know no dropout
				cases = append(cases, goldenCase{model, "dropout", driver.Options{Method: "r3f"}})
			}
		}
	}
	for _, c := range cases {
		t.Run(c.model+"/"+c.golden, func(t *testing.T) {
			c.options.Lambda = &lambda
			dir := filepath.Join(goldens, c.model)
			m, err := graphs.Load(dir, goldenClasses(dir), 0)
			if err != nil {
				t.Fatal(err)
			}
			if c.golden != "dropout" { // whose masks are those of whole sequences
				compareGolden(t, m, dir, c.golden, c.options, false)
			}
			if strings.HasPrefix(c.model, "tiny-bert") || c.golden == "dropout" { // the pass is compared on every family in graphs
				compareGolden(t, m, dir, c.golden, c.options, true)
			}
		})
	}
}

// queryOf turns a key bias's name into the query bias's, as the families call them.
var queryOf = strings.NewReplacer(".key.bias", ".query.bias", ".key_proj.bias", ".query_proj.bias", ".pos_key_proj.bias", ".query_proj.bias", ".k_lin.bias", ".q_lin.bias", ".attn.k.bias", ".attn.q.bias")

// goldenClasses is the number of classes of a golden model, 1 for the regression.
func goldenClasses(dir string) int {
	if filepath.Base(dir) == "tiny-bert-1" {
		return 1
	}
	return 3
}

// goldenDropout is the drop probability of the goldens called dropout.
const goldenDropout = 0.3

// goldenMask is the mask of n elements that families_reference.py has at a dropout site.
func goldenMask(site, n int) []uint8 {
	mask := make([]uint8, n)
	for i := range mask {
		if (7919*i+104729*site)%1009%10 >= 3 {
			mask[i] = 1
		}
	}
	return mask
}

// compareGolden trains a golden's weights, wherever the graph comes from, on the golden's batch.
func compareGolden(t *testing.T, m *graphs.Model, dir, golden string, options driver.Options, wholeSequence bool) {
	batchFile, want := openSafetensors(t, dir, "batch.safetensors"), openSafetensors(t, dir, golden+".safetensors")
	classes := goldenClasses(dir)
	dropout := 0.0
	if golden == "dropout" {
		dropout = goldenDropout
	}
	e, err := stock.New(m, stock.Options{WholeSequence: wholeSequence, Dropout: dropout})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := &driver.Batch{Variant: driver.Clean, InputIDs: integers(t, batchFile, "input_ids"), AttentionMask: integers(t, batchFile, "attention_mask")}
	if m.Graph.Input("token_type_ids") != nil {
		b.TypeIDs = integers(t, batchFile, "token_type_ids")
	}
	ids, _ := batchFile.Tensor("input_ids")
	b.Size, b.Tokens = ids.Shape[0], ids.Shape[1]
	if golden != "standard" && classes > 1 {
		b.Variant, b.Noise = driver.Doubled, floats(t, batchFile, "noise")
	}
	sizes, err := e.MaskSizes(b.Variant, b.Size, b.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	for site, n := range sizes {
		b.Masks = append(b.Masks, goldenMask(site, n))
	}
	var labels []int
	var targets []float64
	if classes > 1 {
		for _, y := range integers(t, batchFile, "labels") {
			labels = append(labels, int(y))
		}
	} else {
		for _, y := range floats(t, batchFile, "labels") {
			targets = append(targets, float64(y))
		}
	}
	result, logits, err := driver.Gradients(context.Background(), e, b, labels, targets, options)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, got, want, scale []float32, tolerance float64) {
		t.Helper()
		if d := worst(got, want, scale); !(d <= tolerance) {
			t.Errorf("%s differs from PyTorch by %.2g of its largest value, over %g", name, d, tolerance)
		}
	}
	same := func(name string, got, want []float32) { t.Helper(); check(name, got, want, want, 1e-5) }
	same("loss", []float32{float32(result.Loss)}, floats(t, want, "loss"))
	if classes > 1 && golden != "standard" {
		same("R3F term", []float32{float32(result.Regulariser)}, floats(t, want, "r3f"))
	}
	rows := b.Size * classes
	same("logits", logits[:rows], floats(t, want, "logits"))
	if b.Variant == driver.Doubled {
		same("noised logits", logits[rows:], floats(t, want, "noised"))
	}
	compared := 0
	for _, p := range e.Spec().Parameters {
		got := make([]float32, p.Size())
		if err := e.Read(driver.Gradient, p.Name, got); err != nil {
			t.Fatal(err)
		}
		// A key bias shifts all scores of a row alike, which the softmax ignores: its gradient is zero but for
		// rounding, on both sides, so it is measured against the query bias's.
		name := p.Name
		if c, ok := m.Checkpoint[name]; ok {
			if name = c.Name; c.Transposed {
				got = turned(got, p.Shape[0], p.Shape[1])
			}
		}
		scale := floats(t, want, queryOf.Replace(name))
		check("gradient of "+name, got, floats(t, want, name), scale, 1e-4)
		compared++
	}
	if compared < 30 {
		t.Errorf("only %d gradients were compared", compared)
	}
}

// turned is a [rows, columns] matrix as [columns, rows].
func turned(x []float32, rows, columns int) []float32 {
	out := make([]float32, 0, len(x))
	for j := range columns {
		for i := range rows {
			out = append(out, x[i*columns+j])
		}
	}
	return out
}

// TestImportedGoldens trains exported encoders of the golden models, with the models' heads, as TestPyTorchGoldens
// does the native ones.
func TestImportedGoldens(t *testing.T) {
	needLibrary(t)
	files, err := filepath.Glob(filepath.Join(goldens, "tiny-*", "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no exported goldens: %v", err)
	}
	lambda := 0.7
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir)+"/"+filepath.Base(file), func(t *testing.T) {
			m, err := importer.File(file, importer.Options{Labels: goldenClasses(dir)})
			if err != nil {
				t.Fatal(err)
			}
			saved := openSafetensors(t, dir, "model.safetensors")
			for i, w := range m.Weights {
				if slices.Contains(m.Initialised, w.Name) {
					m.Weights[i].Data = floats(t, saved, m.Checkpoint[w.Name].Name)
				}
			}
			compareGolden(t, m, dir, "r3f", driver.Options{Method: "r3f", Lambda: &lambda}, false)
		})
	}
}
