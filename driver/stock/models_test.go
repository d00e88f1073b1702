package stock_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// tiny loads the golden tiny BERT: 2 layers of 32 channels, 97 words, three classes.
func tiny(t testing.TB) *graphs.Model {
	t.Helper()
	needLibrary(t)
	m, err := graphs.Load(goldens+"/tiny-bert-3", 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wide is a random BERT of one layer of 16 channels with so many words that their gradient comes as rows.
func wide(t testing.TB, seed uint64) *graphs.Model {
	t.Helper()
	needLibrary(t)
	m, err := randomBERT(1500, seed)
	if err != nil {
		t.Fatal(err)
	}
	if tables := m.RowTables(); len(tables) != 1 || tables[0] != m.WordEmbedding {
		t.Fatalf("the row tables are %v", tables)
	}
	return m
}

// randomBERT is a BERT of one layer of 16 channels, for three classes.
func randomBERT(words int, seed uint64) (*graphs.Model, error) {
	m, err := graphs.NewModel(&graphs.Config{
		ModelType: "bert", VocabSize: words, HiddenSize: 16, NumLayers: 1, NumHeads: 2, IntermediateSize: 32, MaxPositions: 24,
		TypeVocabSize: 2, HiddenAct: "gelu", LayerNormEps: 1e-12, InitializerRange: 0.02,
	}, 3)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for _, p := range m.Graph.Parameters {
		w := graphs.Weight{Name: p.Name, Data: make([]float32, p.Shape.Product().Coef)}
		for _, d := range p.Shape {
			w.Shape = append(w.Shape, d.Coef)
		}
		for i := range w.Data {
			w.Data[i] = float32(0.3 * r.NormFloat64())
		}
		m.Weights = append(m.Weights, w)
	}
	return m, nil
}

// newEngine opens an engine, on one thread where o does not say, for the duration of a test.
func newEngine(t testing.TB, m *graphs.Model, o stock.Options) *stock.Engine {
	t.Helper()
	o.Threads = max(1, o.Threads)
	e, err := stock.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// randomBatch draws a batch with padding, noise and dropout masks as the variant has them.
func randomBatch(t testing.TB, e driver.Engine, v driver.Variant, size, tokens int, r *rand.Rand) *driver.Batch {
	t.Helper()
	spec := e.Spec()
	b := &driver.Batch{Variant: v, Size: size, Tokens: tokens}
	for range size {
		length := 1 + r.IntN(tokens)
		for i := range tokens {
			id, mask := r.Int64N(int64(spec.VocabSize)), int64(1)
			if i >= length {
				id, mask = spec.PadID, 0
			}
			b.InputIDs, b.AttentionMask, b.TypeIDs = append(b.InputIDs, id), append(b.AttentionMask, mask), append(b.TypeIDs, r.Int64N(2))
		}
	}
	if v == driver.Noised || v == driver.Doubled {
		b.Noise = normals(r, size*tokens*spec.EmbeddingSize, 0.1)
	}
	sizes, err := e.MaskSizes(v, size, tokens)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range sizes {
		mask := make([]uint8, n)
		for i := range mask {
			mask[i] = uint8(min(1, r.IntN(10)))
		}
		b.Masks = append(b.Masks, mask)
	}
	return b
}

func normals(r *rand.Rand, n int, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(scale * r.NormFloat64())
	}
	return out
}

// gradients reads all gradients by name.
func gradients(t testing.TB, e driver.Engine) map[string][]float32 {
	return tensors(t, e, driver.Gradient)
}

// tensors reads all tensors of a kind by name.
func tensors(t testing.TB, e driver.Engine, kind driver.Kind) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, p := range e.Spec().Parameters {
		out[p.Name] = make([]float32, p.Size())
		if err := e.Read(kind, p.Name, out[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// run is Forward and Backward, returning a copy of the logits.
func run(t testing.TB, e driver.Engine, b *driver.Batch, dlogits []float32) []float32 {
	t.Helper()
	logits, err := e.Forward(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	logits = append([]float32(nil), logits...)
	if err := e.Backward(t.Context(), dlogits[:len(logits)]); err != nil {
		t.Fatal(err)
	}
	return logits
}

// sentences draws labelled examples of the tiny BERT's vocabulary: class k has words of the k-th third.
func sentences(n int, seed uint64) []driver.Example {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([]driver.Example, n)
	for i := range out {
		out[i] = driver.Example{ID: fmt.Sprint("sentence:", i+1), Label: i % 3}
		for range 3 + r.IntN(12) {
			out[i].InputIDs = append(out[i].InputIDs, int64(1+32*out[i].Label)+r.Int64N(32))
		}
	}
	return out
}

// all yields examples as a pipeline would.
func all(examples []driver.Example) func(func(driver.Example, error) bool) {
	return func(yield func(driver.Example, error) bool) {
		for _, x := range examples {
			if !yield(x, nil) {
				return
			}
		}
	}
}
