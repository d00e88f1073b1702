package trainapi

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// needStock skips a test where there is no stock library to compare with.
func needStock(t *testing.T) {
	t.Helper()
	if _, err := ortlib.Find(""); err != nil {
		t.Skipf("no ONNX Runtime: %v", err)
	}
}

// small is a random BERT with so many words that their gradient is one of rows, and 128 positions.
func small(t *testing.T, labels int) *graphs.Model {
	t.Helper()
	m, err := graphs.NewModel(&graphs.Config{
		ModelType: "bert", VocabSize: 1500, HiddenSize: 32, NumLayers: 2, NumHeads: 2, IntermediateSize: 48, MaxPositions: 128,
		TypeVocabSize: 2, HiddenAct: "gelu", LayerNormEps: 1e-12, InitializerRange: 0.02,
	}, labels)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(labels), 2))
	for _, p := range m.Graph.Parameters {
		w := graphs.Weight{Name: p.Name, Data: make([]float32, p.Shape.Product().Coef)}
		for _, d := range p.Shape {
			w.Shape = append(w.Shape, d.Coef)
		}
		for i := range w.Data {
			w.Data[i] = float32(0.2 * r.NormFloat64())
		}
		m.Weights = append(m.Weights, w)
	}
	return m
}

// exported writes a model as training artifacts and opens them.
func exported(t *testing.T, m *graphs.Model, o export.TrainingOptions) *Engine {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "artifacts")
	if err := export.WriteTraining(dir, m, m.Weights, o); err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

// texts are n random texts of up to length tokens with classes and targets.
func texts(n, length, vocabulary, classes int, seed uint64) []driver.Example {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([]driver.Example, n)
	for i := range out {
		x := driver.Example{ID: fmt.Sprint("x", i), InputIDs: make([]int64, 1+r.IntN(length))}
		for k := range x.InputIDs {
			x.InputIDs[k] = 1 + r.Int64N(int64(vocabulary-1))
		}
		x.Label = int(x.InputIDs[0]) % classes
		x.Target = float64(x.Label)
		out[i] = x
	}
	return out
}

// records trains on an engine and returns its steps.
func records(t *testing.T, e driver.Engine, data []driver.Example, o driver.Options) []driver.StepRecord {
	t.Helper()
	var out []driver.StepRecord
	o.OnStep = func(r driver.StepRecord) error { out = append(out, r); return nil }
	if _, err := driver.Train(t.Context(), e, sequence(data), o); err != nil {
		t.Fatal(err)
	}
	return out
}

// Our own artifacts train like the stock engine: the same order, noise and dropout masks give the same losses, step by
// step, in batches of every length, cut into micro-batches. The weight decay is so strong that it would show where it
// must not be, on biases and LayerNorm weights.
func TestOwnArtifactsTrainLikeTheStockEngine(t *testing.T) {
	needStock(t)
	a := optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 20}
	for name, c := range map[string]struct {
		classes int
		options driver.Options
	}{
		"r3f":             {3, driver.Options{Method: "r3f", Epsilon: 0.1}},
		"shared masks":    {3, driver.Options{Method: "r3f", Epsilon: 0.1, DropoutMasks: driver.Shared}},
		"standard":        {3, driver.Options{Method: "standard"}},
		"regression":      {1, driver.Options{Method: "r3f", Epsilon: 0.1}},
		"regression, mse": {1, driver.Options{Method: "r3f", Epsilon: 0.1, RegressionTerm: "mse"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.options
			o.AdamW, o.BatchSize, o.Accumulate, o.LearningRate, o.MaxSteps, o.Seed = a, 6, 2, 1e-3, 20, 5
			compareLosses(t, small(t, c.classes), o.Method == "r3f" && (c.classes > 1 || o.RegressionTerm == "mse"), o)
		})
	}
}

// compareLosses trains both engines for 20 steps. term says whether the objective compares two passes.
func compareLosses(t *testing.T, m *graphs.Model, term bool, o driver.Options) {
	t.Helper()
	const dropout = 0.1
	ours := exported(t, m, export.TrainingOptions{TrainingOptions: graphs.TrainingOptions{R3F: term, Dropout: dropout}, AdamW: o.AdamW})
	reference, err := stock.New(m, stock.Options{Threads: 1, Dropout: dropout})
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	data := texts(60, 30, m.Config.VocabSize, max(m.Config.NumLabels, 2), 4)
	got, want := records(t, ours, data, o), records(t, reference, data, o)
	if len(got) != 20 || len(want) != 20 {
		t.Fatalf("%d and %d steps", len(got), len(want))
	}
	worst, inside := 0.0, 0.0
	for i := range got {
		worst, inside = max(worst, math.Abs(got[i].Loss-want[i].Loss)), max(inside, math.Abs(got[i].Loss-got[i].GraphLoss))
		if term != (got[i].R3F > 0) {
			t.Errorf("step %d: R3F term %v", i+1, got[i].R3F)
		}
	}
	t.Logf("losses differ from the stock engine's by up to %.1e, inside the graph from outside by %.1e", worst, inside)
	if !(worst <= 1e-5) || !(inside <= 1e-5*max(1, got[0].Loss)) {
		t.Errorf("20 losses differ by up to %.2g from the stock engine's, and by %.2g from those inside the graph", worst, inside)
	}
}

// A decay that would take all of a weight, or more, cannot be undone.
func TestSparedDecayIsBelowOne(t *testing.T) {
	e := exported(t, small(t, 3), export.TrainingOptions{AdamW: optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 20}})
	p := e.Spec().Parameters[slices.IndexFunc(e.Spec().Parameters, func(p driver.Parameter) bool { return !p.Decay })]
	before := read(t, e, driver.Value, p)
	if err := e.Update(driver.Update{LearningRate: 0.05, Scale: 1, Step: 1}); err == nil || !strings.Contains(err.Error(), "weight decay 20") {
		t.Errorf("%v", err)
	}
	if !slices.Equal(read(t, e, driver.Value, p), before) {
		t.Errorf("%s was changed", p.Name)
	}
}

// The gradients are the stock engine's by name, position embeddings included, for 32 × 128 tokens, where official
// artifacts write outside their memory.
func TestOwnGradientsAreTheStockEngines(t *testing.T) {
	needStock(t)
	compareGradients(t, small(t, 3), 32, 128)
}

// MiniLM, 22 million parameters: gradients, and the losses of 20 steps.
func TestOwnMiniLMTrainsLikeTheStockEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("trains MiniLM; not with -short")
	}
	needStock(t)
	const path = "../../.r3f/models/minilm"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs MiniLM (make setup): %v", err)
	}
	m, err := graphs.Load(path, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	compareGradients(t, m, 4, 24)
	a := optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.01}
	compareLosses(t, m, true, driver.Options{Method: "r3f", AdamW: a, BatchSize: 4, LearningRate: 5e-5, MaxSteps: 20, Seed: 5})
}

// compareGradients takes the gradients of both engines for a random batch with noise, dropout and padding. The training
// API keeps its own to itself, but one update of an optimiser whose ε is far above every gradient is plain gradient
// descent, and shows them.
func compareGradients(t *testing.T, m *graphs.Model, size, tokens int) {
	t.Helper()
	const dropout, rate = 0.1, 1e3
	descent := optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e6}
	ours := exported(t, m, export.TrainingOptions{TrainingOptions: graphs.TrainingOptions{R3F: true, Dropout: dropout}, AdamW: descent})
	reference, err := stock.New(m, stock.Options{Threads: 1, Dropout: dropout})
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	r := rand.New(rand.NewPCG(6, 7))
	b := &driver.Batch{Variant: driver.Doubled, Size: size, Tokens: tokens}
	var labels []int
	for range size {
		labels = append(labels, r.IntN(m.Config.NumLabels))
		length := 1 + r.IntN(tokens)
		for i := range tokens {
			id, mask := r.Int64N(int64(m.Config.VocabSize)), int64(1)
			if i >= length {
				id, mask = 0, 0
			}
			b.InputIDs, b.AttentionMask, b.TypeIDs = append(b.InputIDs, id), append(b.AttentionMask, mask), append(b.TypeIDs, r.Int64N(2))
		}
	}
	for range size * tokens * m.Config.EmbeddingSize {
		b.Noise = append(b.Noise, float32(0.1*r.NormFloat64()))
	}
	sizes, err := reference.MaskSizes(driver.Doubled, size, tokens)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := ours.MaskSizes(driver.Doubled, size, tokens); err != nil || !slices.Equal(own, sizes) {
		t.Fatalf("masks of %v bytes, the stock engine has %v (%v)", own, sizes, err)
	}
	for _, n := range sizes {
		mask := make([]uint8, n)
		for i := range mask {
			mask[i] = uint8(min(1, r.IntN(10)))
		}
		b.Masks = append(b.Masks, mask)
	}
	lambda := 0.7
	want, _, err := driver.Gradients(t.Context(), reference, b, labels, nil, driver.Options{Method: "r3f", Lambda: &lambda})
	if err != nil {
		t.Fatal(err)
	}
	if err := ours.ZeroGradients(); err != nil {
		t.Fatal(err)
	}
	_, loss, err := ours.TrainStep(t.Context(), b, driver.Goal{Labels: labels, Lambda: lambda, Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	if d := math.Abs(loss - want.Loss); !(d <= 1e-5*max(1, want.Loss)) {
		t.Errorf("the loss is %v, the stock engine's %v", loss, want.Loss)
	}
	if err := ours.Update(driver.Update{LearningRate: rate * descent.Eps, Scale: 1, Step: 1}); err != nil {
		t.Fatal(err)
	}
	gradients := map[string][]float32{}
	for _, p := range reference.Spec().Parameters {
		gradients[p.Name] = read(t, reference, driver.Gradient, p)
	}
	worst := 0.0
	for _, p := range ours.Spec().Parameters {
		w := m.Weights[slices.IndexFunc(m.Weights, func(w graphs.Weight) bool { return w.Name == p.Name })]
		got := read(t, ours, driver.Value, p)
		scale, off := float64(largest(gradients[scaleOf(p.Name)])), 0.0
		for i := range got {
			off = max(off, math.Abs(float64(w.Data[i]-got[i])/rate-float64(gradients[p.Name][i])))
		}
		if !(off <= 1e-4*scale) {
			t.Errorf("the gradient of %s is off by %.2g of its largest value", p.Name, off/scale)
		}
		worst = max(worst, off/scale)
	}
	if names := slices.Sorted(maps.Keys(gradients)); len(names) != len(ours.Spec().Parameters) {
		t.Errorf("%d parameters, the stock engine has %d", len(ours.Spec().Parameters), len(names))
	}
	t.Logf("the largest difference of a gradient is %.1e of its largest value", worst)
}

func read(t *testing.T, e driver.Engine, kind driver.Kind, p driver.Parameter) []float32 {
	t.Helper()
	out := make([]float32, p.Size())
	if err := e.Read(kind, p.Name, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func largest(x []float32) float32 {
	m := float32(0)
	for _, v := range x {
		m = max(m, v, -v)
	}
	return m
}

// scaleOf names the parameter whose gradient a difference is measured against: a key bias has none but for rounding,
// since a softmax does not change when all its scores shift, so it is the query bias's.
func scaleOf(name string) string { return strings.Replace(name, "self.key.bias", "self.query.bias", 1) }
