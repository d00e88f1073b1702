package graphs_test

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// goldens are what testdata/golden/r3f_reference.py and families_reference.py computed with PyTorch, λ = 0.7: loss,
// R3F term, logits and every gradient.
const (
	goldens         = "../testdata/golden"
	goldenLambda    = 0.7
	goldenDropout   = 0.3
	goldenTolerance = 1e-4 // of a gradient's largest element
	logitTolerance  = 1e-5 // of the largest logit, of the loss and of its R3F term
)

// goldenModel is a directory of goldens and the number of labels of its head.
type goldenModel struct {
	name   string
	labels int
}

// goldenModels lists the directories: BERT with a regression head besides, and one of every family.
func goldenModels(t *testing.T) []goldenModel {
	t.Helper()
	out := []goldenModel{{"tiny-bert-1", 1}}
	paths, err := filepath.Glob(filepath.Join(goldens, "tiny-*", "r3f.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if name := filepath.Base(filepath.Dir(path)); name != out[0].name {
			out = append(out, goldenModel{name, 3})
		}
	}
	return out
}

// Every family has goldens, but for CamemBERT, which is RoBERTa under another name.
func TestEveryFamilyHasGoldens(t *testing.T) {
	var have []string
	for _, g := range goldenModels(t) {
		c, err := graphs.ReadConfig(filepath.Join(goldens, g.name))
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, c.ModelType)
	}
	for _, name := range graphs.Families() {
		if !slices.Contains(have, name) && name != "camembert" {
			t.Errorf("no goldens of %s", name)
		}
	}
}

// readTensors reads a safetensors file.
func readTensors(t *testing.T, path string) map[string]eval.Tensor {
	t.Helper()
	file, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := map[string]eval.Tensor{}
	for _, name := range file.Names() {
		raw, _ := file.Tensor(name)
		x := eval.Tensor{Shape: slices.Clone(raw.Shape)}
		if raw.DType == safetensors.I64 {
			ints, err := raw.Int64s(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range ints {
				x.Data = append(x.Data, float64(v))
			}
		} else {
			floats, err := raw.Float32s(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range floats {
				x.Data = append(x.Data, float64(v))
			}
		}
		out[name] = x
	}
	return out
}

// lossGradient is a loss of B rows of K logits and its gradient; b is nil where there is no noised pass.
type lossGradient func(a, b [][]float64, labels []float64) (task, r3f float64, da, db [][]float64)

// classification is mean CE(a, y) + λ·KLs(a, b) with, for p = softmax a and q = softmax b,
//
//	KLs = 1/B Σ_b Σ_k (p − q)(log p − log q),
//	∂/∂aⱼ = 1/B (pⱼ(lⱼ − Σ p·l) + pⱼ − qⱼ),  l = log p − log q,  and for b with p and q exchanged.
func classification(a, b [][]float64, labels []float64) (task, r3f float64, da, db [][]float64) {
	n := float64(len(a))
	for i := range a {
		p, logP := logSoftmax(a[i])
		da = append(da, slices.Clone(p))
		y := int(labels[i])
		task -= logP[y] / n
		da[i][y]--
		for j := range da[i] {
			da[i][j] /= n
		}
		if b == nil {
			continue
		}
		q, logQ := logSoftmax(b[i])
		db = append(db, make([]float64, len(q)))
		meanP, meanQ := 0.0, 0.0
		for j := range p {
			l := logP[j] - logQ[j]
			r3f += (p[j] - q[j]) * l / n
			meanP += p[j] * l
			meanQ -= q[j] * l
		}
		for j := range p {
			l := logP[j] - logQ[j]
			da[i][j] += goldenLambda / n * (p[j]*(l-meanP) + p[j] - q[j])
			db[i][j] += goldenLambda / n * (q[j]*(-l-meanQ) + q[j] - p[j])
		}
	}
	return task, r3f, da, db
}

func logSoftmax(x []float64) (p, logP []float64) {
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - slices.Max(x))
	}
	for _, v := range x {
		l := v - slices.Max(x) - math.Log(sum)
		p, logP = append(p, math.Exp(l)), append(logP, l)
	}
	return p, logP
}

// regression is mean (a − y)²; the R3F term is dropped, as the reference does.
func regression(a, b [][]float64, labels []float64) (task, r3f float64, da, db [][]float64) {
	n := float64(len(a))
	for i := range a {
		d := a[i][0] - labels[i]
		task += d * d / n
		da = append(da, []float64{2 * d / n})
		if b != nil {
			db = append(db, []float64{0})
		}
	}
	return task, 0, da, db
}

func rows(x eval.Tensor) [][]float64 { return slices.Collect(slices.Chunk(x.Data, x.Shape[1])) }

// The loss gradients written out above, against finite differences.
func TestGoldenLossGradients(t *testing.T) {
	for name, loss := range map[string]lossGradient{"classification": classification, "regression": regression} {
		r := newRandom(5)
		width := map[string]int{"classification": 3, "regression": 1}[name]
		x := filled([]int{8, width}, r.NormFloat64)
		labels := []float64{0, 2, 1, 1}
		total := func(x eval.Tensor) eval.Tensor {
			task, r3f, _, _ := loss(rows(half(x, 0)), rows(half(x, 1)), labels)
			return eval.Tensor{Data: []float64{task + goldenLambda*r3f}}
		}
		_, _, da, db := loss(rows(half(x, 0)), rows(half(x, 1)), labels)
		gradient := eval.Tensor{Data: slices.Concat(slices.Concat(da...), slices.Concat(db...))}
		v := filled([]int{8, width}, r.NormFloat64)
		f := func(h float64) eval.Tensor { return total(plus(x, h, v)) }
		if d := directional(f, eval.Tensor{Data: []float64{1}}, dot(gradient, v)); !(d < 1e-6) {
			t.Errorf("seed 5, %s: off by %.2g", name, d)
		}
	}
}

// Logits, loss, R3F term and every gradient by name against PyTorch.
func TestGoldens(t *testing.T) {
	for _, g := range goldenModels(t) {
		for _, method := range []string{"standard", "r3f"} {
			for _, whole := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/whole=%v", g.name, method, whole), func(t *testing.T) {
					checkGolden(t, g, method, whole)
				})
			}
		}
		if !strings.HasPrefix(g.name, "tiny-bert-") { // those of r3f_reference.py know no dropout
			t.Run(g.name+"/dropout", func(t *testing.T) { checkGolden(t, g, "dropout", true) })
		}
	}
}

// goldenMask is what families_reference.py does with element i of dropout site s: 1 keeps, 0 drops.
func goldenMask(s, i int) float64 {
	if (7919*i+104729*s)%1009%10 >= 3 {
		return 1
	}
	return 0
}

func checkGolden(t *testing.T, g goldenModel, method string, whole bool) {
	m, err := graphs.Load(filepath.Join(goldens, g.name), g.labels, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Initialised) > 0 {
		t.Fatalf("the golden model lacks %v", m.Initialised)
	}
	checkModel(t, m, g, method, whole)
}

// checkModel runs a model of a golden's weights, wherever it comes from, on the golden's batch and compares logits,
// loss and every gradient, by the names that PyTorch has for them.
func checkModel(t *testing.T, m *graphs.Model, g goldenModel, method string, whole bool) {
	dir := filepath.Join(goldens, g.name)
	want, feeds := readTensors(t, filepath.Join(dir, method+".safetensors")), readTensors(t, filepath.Join(dir, "batch.safetensors"))
	for _, w := range m.Weights {
		x := eval.Tensor{Shape: w.Shape}
		for _, v := range w.Data {
			x.Data = append(x.Data, float64(v))
		}
		feeds[w.Name] = x
	}
	r3f, dropout := method != "standard", 0.0
	if method == "dropout" {
		dropout = goldenDropout
	}
	p := compile(t, m, graphs.Options{Doubled: r3f, Dropout: dropout, WholeSequence: whole}, false)
	for site, v := range p.Masks {
		i := 0
		feeds[v.Name] = fill(v.Shape, feeds["input_ids"].Shape[0], feeds["input_ids"].Shape[1], func() float64 {
			i++
			return goldenMask(site, i-1)
		})
	}
	logits := run(t, p.Forward, feeds)["logits"]

	loss := lossGradient(classification)
	if g.labels == 1 {
		loss = regression
	}
	got := map[string]eval.Tensor{"logits": logits, "noised": logits}
	var noised [][]float64
	if r3f {
		got["logits"], got["noised"] = half(logits, 0), half(logits, 1)
		noised = rows(got["noised"])
	}
	task, term, da, db := loss(rows(got["logits"]), noised, feeds["labels"].Data)
	got["loss"] = eval.Tensor{Data: []float64{task + goldenLambda*term}}
	got["r3f"] = eval.Tensor{Data: []float64{term}}
	dlogits := eval.Tensor{Shape: logits.Shape, Data: slices.Concat(slices.Concat(da...), slices.Concat(db...))}
	_, grads := backward(t, p, feeds, dlogits)
	gradients := map[string]bool{}
	for name, d := range grads {
		if c, ok := m.Checkpoint[name]; ok {
			if name = c.Name; c.Transposed {
				d = transpose(d)
			}
		}
		got[name], gradients[name] = d, true
	}
	sizes := []float64{}
	for name, x := range want {
		y, ok := got[name]
		if !ok {
			t.Errorf("PyTorch has %s, we have not", name)
			continue
		}
		d, tolerance := distance(y, x), goldenTolerance
		if !gradients[name] {
			tolerance = logitTolerance
		}
		if !(d <= tolerance) && !negligible(name, x, y) {
			t.Errorf("%s is off by %.2g of its size", name, d)
		}
		sizes = append(sizes, d)
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("we have %s, PyTorch has not", name)
		}
	}
	t.Logf("%d tensors, median distance %.1g", len(sizes), slices.Sorted(slices.Values(sizes))[len(sizes)/2])
}

// keyBias is what families call the bias of attention keys.
var keyBias = regexp.MustCompile(`(key(_proj)?|k_lin|attn\.k)\.bias$`)

// negligible reports tensors that hold rounding noise alone: the gradient of a key bias is 0, since a softmax
// does not change when all its scores shift.
func negligible(name string, x, y eval.Tensor) bool {
	return keyBias.MatchString(name) && largest(x) < 1e-6 && largest(y) < 1e-6
}

// transpose is a matrix with rows and columns exchanged.
func transpose(x eval.Tensor) eval.Tensor {
	y := eval.Tensor{Shape: []int{x.Shape[1], x.Shape[0]}}
	for j := range x.Shape[1] {
		for i := range x.Shape[0] {
			y.Data = append(y.Data, x.Data[i*x.Shape[1]+j])
		}
	}
	return y
}
