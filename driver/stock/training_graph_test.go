package stock_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// The training graph, run in one piece, gives the loss, logits and gradients that this engine gets from two graphs
// and a loss in Go: with noise, dropout masks, padding, and a word table whose gradient is a sum of rows.
func TestTrainingGraphAgreesWithTheEngine(t *testing.T) {
	const dropout, size, tokens, share = 0.1, 6, 9, 0.75
	for _, method := range []string{"standard", "r3f"} {
		t.Run(method, func(t *testing.T) {
			m := wide(t, 11)
			training, err := m.CompileTraining(graphs.TrainingOptions{R3F: method == "r3f", Dropout: dropout})
			if err != nil {
				t.Fatal(err)
			}
			e := newEngine(t, m, stock.Options{Dropout: dropout})
			r := rand.New(rand.NewPCG(12, 0))
			variant := driver.Clean
			if method == "r3f" {
				variant = driver.Doubled
			}
			b := randomBatch(t, e, variant, size, tokens, r)
			var classes []int64
			var labels []int
			for range size {
				y := r.IntN(3)
				classes, labels = append(classes, int64(y)), append(labels, y)
			}
			lambda := 2.0
			want, logits, err := driver.Gradients(t.Context(), e, b, labels, nil, driver.Options{Method: method, Lambda: &lambda})
			if err != nil {
				t.Fatal(err)
			}
			feeds := map[string]any{
				"input_ids": b.InputIDs, "attention_mask": b.AttentionMask, "token_type_ids": b.TypeIDs, graphs.NoiseInput: b.Noise,
				graphs.LabelsInput: classes, graphs.LambdaInput: []float32{float32(lambda)}, graphs.ShareInput: []float32{share},
			}
			for i, mask := range training.Masks {
				feeds[mask.Name] = b.Masks[i]
			}
			for _, w := range m.Weights {
				feeds[w.Name] = w.Data
			}
			got := runGraph(t, training.Train, feeds, size, tokens)
			check := func(name string, got, want, scale []float32) {
				t.Helper()
				if len(got) != len(want) || !(worst(got, want, scale) <= 1e-5) {
					t.Errorf("%s is off by %.2g of its largest value", name, worst(got, want, scale))
				}
			}
			value := []float32{float32(share * want.Loss)}
			check("loss", got[graphs.LossOutput], value, value)
			check("logits", got[graphs.LogitsOutput], logits[:3*size], logits)
			if method == "r3f" {
				check("noised logits", got[graphs.NoisedOutput], logits[3*size:], logits)
				inside := (float64(got[graphs.LossOutput][0])/share - want.Task) / lambda
				if !(math.Abs(inside-want.Regulariser) <= 1e-5) || want.Regulariser < 1e-4 {
					t.Errorf("the R3F term is %v in the graph, %v in Go", inside, want.Regulariser)
				}
			}
			dense := gradients(t, e)
			for name, d := range dense {
				for i := range d {
					d[i] *= share
				}
				// A key bias has no gradient but for rounding: see compareGolden.
				check("gradient of "+name, got[name+"_grad"], d, dense[strings.Replace(name, "self.key.bias", "self.query.bias", 1)])
			}
		})
	}
}

// One session takes batches of any shape, and an update may be cut into shares: their gradients add up.
func TestTrainingGraphAddsUp(t *testing.T) {
	m := wide(t, 13)
	training, err := m.CompileTraining(graphs.TrainingOptions{R3F: true})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, m, stock.Options{})
	r := rand.New(rand.NewPCG(14, 0))
	const size, tokens = 5, 7
	whole := randomBatch(t, e, driver.Doubled, size, tokens, r)
	feeds := func(from, to int) map[string]any {
		n := to - from
		out := map[string]any{
			graphs.LabelsInput: make([]int64, n), graphs.LambdaInput: []float32{1}, graphs.ShareInput: []float32{float32(n) / size},
			"input_ids": whole.InputIDs[from*tokens : to*tokens], "attention_mask": whole.AttentionMask[from*tokens : to*tokens],
			"token_type_ids":  whole.TypeIDs[from*tokens : to*tokens],
			graphs.NoiseInput: whole.Noise[from*tokens*16 : to*tokens*16],
		}
		for _, w := range m.Weights {
			out[w.Name] = w.Data
		}
		return out
	}
	want := runGraph(t, training.Train, feeds(0, size), size, tokens)
	first, second := runGraph(t, training.Train, feeds(0, 2), 2, tokens), runGraph(t, training.Train, feeds(2, size), size-2, tokens)
	for name, w := range want {
		if name == graphs.LogitsOutput || name == graphs.NoisedOutput {
			continue
		}
		sum := make([]float32, len(w))
		for i := range sum {
			sum[i] = first[name][i] + second[name][i]
		}
		if d := worst(sum, w, want[training.Gradients[0].Name]); !(d <= 1e-5) {
			t.Errorf("%s: the shares add up to what is off by %.2g", name, d)
		}
	}
}

// A label that is no class has no task loss, and its gradient is nought, not that of another.
func TestTrainingGraphLabels(t *testing.T) {
	m := tiny(t)
	newEngine(t, m, stock.Options{}) // opens the library
	training, err := m.CompileTraining(graphs.TrainingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	logits := []float64{}
	for _, label := range []int64{0, 1, 2, 3, -1} {
		feeds := map[string]any{
			"input_ids": []int64{2, 9, 3}, "attention_mask": []int64{1, 1, 1}, "token_type_ids": []int64{0, 0, 0},
			graphs.LabelsInput: []int64{label},
		}
		for _, w := range m.Weights {
			feeds[w.Name] = w.Data
		}
		got := runGraph(t, training.Eval, feeds, 1, 3)
		if len(logits) == 0 {
			for _, v := range got[graphs.LogitsOutput] {
				logits = append(logits, float64(v))
			}
		}
		want := 0.0
		if label >= 0 && label < 3 {
			row := []float32{float32(logits[0]), float32(logits[1]), float32(logits[2])}
			r, err := loss.Objective{Method: loss.Methods()[0]}.Evaluate(row, 3, []int{int(label)}, nil, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			want = r.Loss
		}
		if d := math.Abs(float64(got[graphs.LossOutput][0]) - want); !(d <= 1e-5*max(1, want)) {
			t.Errorf("label %d: loss %v, want %v", label, got[graphs.LossOutput], want)
		}
	}
}

// runGraph runs a graph in ONNX Runtime on feeds by name and returns its outputs by name.
func runGraph(t *testing.T, g *graphs.Graph, feeds map[string]any, size, tokens int) map[string][]float32 {
	t.Helper()
	data, err := g.ONNX(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names, outputs []string
	var in []ort.Value
	for _, list := range [][]*graphs.Value{g.Inputs, g.Parameters} {
		for _, v := range list {
			names, in = append(names, v.Name), append(in, ortTensor(t, feeds[v.Name], v.Shape.Sizes(size, tokens)))
		}
	}
	for _, v := range g.Outputs {
		outputs = append(outputs, v.Name)
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(data, names, outputs, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Destroy()
	out := make([]ort.Value, len(outputs))
	if err := s.Run(in, out); err != nil {
		t.Fatal(err)
	}
	result := map[string][]float32{}
	for i, v := range out {
		result[outputs[i]] = append([]float32(nil), v.(*ort.Tensor[float32]).GetData()...)
		v.Destroy()
	}
	return result
}

// ortTensor wraps data for the duration of a test.
func ortTensor(t *testing.T, data any, sizes []int64) ort.Value {
	t.Helper()
	var v ort.Value
	var err error
	shape := ort.NewShape(sizes...)
	switch x := data.(type) {
	case []int64:
		v, err = ort.NewTensor(shape, x)
	case []float32:
		v, err = ort.NewTensor(shape, x)
	case []uint8:
		v, err = ort.NewTensor(shape, x)
	default:
		err = fmt.Errorf("%T cannot be fed", data)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Destroy() })
	return v
}
