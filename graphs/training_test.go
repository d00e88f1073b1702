package graphs_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// trainingFeeds are the feeds of a golden batch and of the golden model's weights, with λ and share.
func trainingFeeds(t *testing.T, dir string, m *graphs.Model, share float64) map[string]eval.Tensor {
	t.Helper()
	feeds := readTensors(t, filepath.Join(dir, "batch.safetensors"))
	for _, w := range m.Weights {
		x := eval.Tensor{Shape: w.Shape}
		for _, v := range w.Data {
			x.Data = append(x.Data, float64(v))
		}
		feeds[w.Name] = x
	}
	feeds[graphs.LambdaInput] = eval.Tensor{Shape: []int{1}, Data: []float64{goldenLambda}}
	feeds[graphs.ShareInput] = eval.Tensor{Shape: []int{1}, Data: []float64{share}}
	return feeds
}

func compileTraining(t *testing.T, m *graphs.Model, o graphs.TrainingOptions) *graphs.Training {
	t.Helper()
	out, err := m.CompileTraining(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The loss in the graph, the logits and every gradient by name against PyTorch, with and without the R3F term; share
// scales the loss and the gradients.
func TestTrainingGoldens(t *testing.T) {
	for _, g := range goldenModels(t) {
		for _, method := range []string{"standard", "r3f"} {
			t.Run(g.name+"/"+method, func(t *testing.T) { checkTrainingGolden(t, g, method, 0.25) })
		}
	}
}

func checkTrainingGolden(t *testing.T, g goldenModel, method string, share float64) {
	dir, labels := filepath.Join(goldens, g.name), g.labels
	m, err := graphs.Load(dir, labels, 0)
	if err != nil {
		t.Fatal(err)
	}
	feeds := trainingFeeds(t, dir, m, share)
	r3f := method == "r3f"
	if r3f && labels == 1 {
		feeds[graphs.LambdaInput].Data[0] = 0 // the golden, like the published code, has no term
	}
	training := compileTraining(t, m, graphs.TrainingOptions{R3F: r3f})
	got := run(t, training.Train, feeds)
	compared := 0
	for name, x := range readTensors(t, filepath.Join(dir, method+".safetensors")) {
		output := name
		switch {
		case name == "r3f", name == "noised" && !r3f: // no output of its own
			continue
		case name == "loss":
			x = scaled(x, share)
		case name == "logits", name == "noised":
		default:
			output, x = name+"_grad", scaled(x, share)
		}
		if d := distance(got[output], x); !(d <= goldenTolerance) && !negligible(name, x, got[output]) {
			t.Errorf("%s is off by %.2g of its size", name, d)
		}
		compared++
	}
	if compared != len(got) || len(training.Gradients) != len(m.Weights) {
		t.Errorf("%d outputs and %d gradients for %d parameters; %d outputs compared", len(got), len(training.Gradients), len(m.Weights), compared)
	}
	if method == "standard" {
		evaluated := run(t, training.Eval, feeds)
		if d := distance(evaluated["loss"], scaled(got["loss"], 1/share)); !(d < 1e-12) {
			t.Errorf("the evaluation graph's loss is off by %.2g", d)
		}
		if d := distance(evaluated["logits"], got["logits"]); !(d < 1e-12) {
			t.Errorf("the evaluation graph's logits are off by %.2g", d)
		}
	}
}

// Gradients of the R3F loss with dropout and noise of some size, against finite differences. The word embeddings stay
// out: the noised pass reads them detached, which a finite difference does not.
func TestTrainingGradients(t *testing.T) {
	for _, labels := range []int{1, 3} {
		t.Run(fmt.Sprint(labels, " labels"), func(t *testing.T) {
			dir := filepath.Join(goldens, fmt.Sprint("tiny-bert-", labels))
			m, err := graphs.Load(dir, labels, 0)
			if err != nil {
				t.Fatal(err)
			}
			feeds := trainingFeeds(t, dir, m, 0.5)
			training := compileTraining(t, m, graphs.TrainingOptions{R3F: true, Dropout: 0.25})
			r := newRandom(7)
			ids := feeds["input_ids"].Shape
			for _, mask := range training.Masks {
				feeds[mask.Name] = fill(mask.Shape, ids[0], ids[1], func() float64 { return float64(min(1, r.IntN(4))) })
			}
			feeds[graphs.NoiseInput] = filled(feeds[graphs.NoiseInput].Shape, func() float64 { return 0.3 * r.NormFloat64() })
			got := run(t, training.Train, feeds)
			if plain := run(t, training.Eval, feeds); !(got["loss"].Data[0] != plain["loss"].Data[0]) {
				t.Error("dropout, noise and share leave the loss as it is")
			}
			moved, product := map[string]eval.Tensor{}, 0.0
			for _, p := range training.Train.Parameters {
				if p.Name != m.WordEmbedding {
					moved[p.Name] = filled(feeds[p.Name].Shape, r.NormFloat64)
					product += dot(got[p.Name+"_grad"], moved[p.Name])
				}
			}
			f := func(h float64) eval.Tensor {
				at := maps.Clone(feeds)
				for name, v := range moved {
					at[name] = plus(feeds[name], h, v)
				}
				return run(t, training.Train, at)["loss"]
			}
			if d := directional(f, eval.Tensor{Data: []float64{1}}, product); !(d < 1e-6) {
				t.Errorf("seed 7: the gradient is off by %.2g of its size", d)
			}
		})
	}
}

// A word embedding of 1,024 rows or more, whose gradient the two-graph program hands out as rows, has a dense one here.
func TestTrainingGradientOfLargeTable(t *testing.T) {
	dir := filepath.Join(goldens, "tiny-bert-3")
	m, err := graphs.Load(dir, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	feeds := trainingFeeds(t, dir, m, 1)
	small := run(t, compileTraining(t, m, graphs.TrainingOptions{R3F: true}).Train, feeds)[m.WordEmbedding+"_grad"]

	config := *m.Config
	config.VocabSize = graphs.RowTableSize
	large, err := graphs.NewModel(&config, 3)
	if err != nil {
		t.Fatal(err)
	}
	table := feeds[m.WordEmbedding]
	grown := filled([]int{config.VocabSize, config.HiddenSize}, func() float64 { return 0 })
	copy(grown.Data, table.Data)
	feeds[m.WordEmbedding] = grown
	got := run(t, compileTraining(t, large, graphs.TrainingOptions{R3F: true}).Train, feeds)[m.WordEmbedding+"_grad"]
	if !slices.Equal(got.Shape, grown.Shape) || largest(eval.Tensor{Data: got.Data[len(small.Data):]}) != 0 {
		t.Errorf("shape %v, or rows that were not read have a gradient", got.Shape)
	}
	if d := distance(eval.Tensor{Data: got.Data[:len(small.Data)]}, small); !(d < 1e-12) {
		t.Errorf("off by %.2g from the gradient of a small table", d)
	}
}

func TestTrainingRefusesDropoutThatIsNoProbability(t *testing.T) {
	m, err := graphs.Load(filepath.Join(goldens, "tiny-bert-3"), 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.CompileTraining(graphs.TrainingOptions{Dropout: 1}); err == nil || !strings.Contains(err.Error(), "dropout 1") {
		t.Errorf("%v", err)
	}
}

func scaled(x eval.Tensor, by float64) eval.Tensor {
	y := eval.Tensor{Shape: x.Shape, Data: slices.Clone(x.Data)}
	for i := range y.Data {
		y.Data[i] *= by
	}
	return y
}
