package stock_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// A call out of turn or with tensors of the wrong size is an error that says what is wrong, and the engine works on.
func TestMisuse(t *testing.T) {
	const seed = 61
	r := rand.New(rand.NewPCG(seed, 0))
	e := newEngine(t, tiny(t), stock.Options{Dropout: 0.1})
	ctx := t.Context()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	dlogits := normals(r, 12, 1)
	forward := func(change func(*driver.Batch)) func() error {
		return func() error {
			b := randomBatch(t, e, driver.Doubled, 2, 5, r)
			change(b)
			_, err := e.Forward(ctx, b)
			return err
		}
	}
	after := func(v driver.Variant, dlogits []float32) func() error {
		return func() error {
			if _, err := e.Forward(ctx, randomBatch(t, e, v, 2, 5, r)); err != nil {
				t.Fatal(err)
			}
			return e.Backward(ctx, dlogits)
		}
	}
	for _, c := range []struct {
		name, words string
		call        func() error
	}{
		{"Backward first", "no training batch has run forward", func() error { return e.Backward(ctx, dlogits) }},
		{"Backward of an evaluation", "no training batch", after(driver.Evaluate, dlogits[:6])},
		{"too few dlogits", "11 elements of ∂L/∂logits for 12", after(driver.Doubled, dlogits[:11])},
		{"Backward after such a failure", "no training batch", func() error { return e.Backward(ctx, dlogits) }},
		{"Backward twice", "no training batch", func() error {
			return errors.Join(after(driver.Doubled, dlogits)(), e.Backward(ctx, dlogits))
		}},
		{"no masks", "0 dropout masks; the model has", forward(func(b *driver.Batch) { b.Masks = nil })},
		{"a mask too many", "dropout masks; the model has", forward(func(b *driver.Batch) { b.Masks = append(b.Masks, nil) })},
		{"a short mask", "dropout.1", forward(func(b *driver.Batch) { b.Masks[1] = b.Masks[1][1:] })},
		{"no noise", "noise", forward(func(b *driver.Batch) { b.Noise = nil })},
		{"no examples", "0 × 5", forward(func(b *driver.Batch) { b.Size = 0 })},
		{"no tokens", "2 × 0", forward(func(b *driver.Batch) { b.Tokens = 0 })},
		{"too many tokens", "1 to 40 tokens", forward(func(b *driver.Batch) { b.Tokens = 41 })},
		{"few ids", "input_ids", forward(func(b *driver.Batch) { b.InputIDs = b.InputIDs[1:] })},
		{"few types", "token_type_ids", forward(func(b *driver.Batch) { b.TypeIDs = nil })},
		{"an id beyond the vocabulary", "97", forward(func(b *driver.Batch) { b.InputIDs[3] = 97 })},
		{"a negative id", "-1 at 3", forward(func(b *driver.Batch) { b.InputIDs[3] = -1 })},
		{"a type beyond its table", "out of data bounds", forward(func(b *driver.Batch) { b.TypeIDs[0] = 2 })},
		{"cancelled", "canceled", func() error { _, err := e.Forward(cancelled, &driver.Batch{}); return err }},
		{"cancelled Backward", "canceled", func() error { return e.Backward(cancelled, dlogits) }},
		{"Update of nothing", "no gradients", func() error {
			return errors.Join(e.ZeroGradients(), e.Update(driver.Update{Step: 1}))
		}},
		{"reading an unknown tensor", `"nothing"`, func() error { return e.Read(driver.Value, "nothing", nil) }},
		{"reading into the wrong size", "1 elements for shape [3 32]", func() error { return e.Read(driver.Value, "classifier.weight", make([]float32, 1)) }},
		{"writing the wrong size", "2 elements for shape [3]", func() error { return e.Write(driver.Value, "classifier.bias", make([]float32, 2)) }},
		{"no noise gradient", "NoiseGradient", func() error { _, err := e.NoiseGradient(); return err }},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.words)
		}
		run(t, e, randomBatch(t, e, driver.Doubled, 2, 5, r), dlogits)
	}
}

func TestNewErrors(t *testing.T) {
	m := tiny(t)
	for _, p := range []float64{-0.1, 1, 2, math.NaN()} {
		_, err := stock.New(m, stock.Options{Dropout: p})
		var bad *driver.OptionError
		if !errors.As(err, &bad) || bad.Option != "dropout" {
			t.Errorf("dropout %v: error %v", p, err)
		}
	}
	for name, change := range map[string]func(*graphs.Model){
		"none":          func(m *graphs.Model) { m.Weights = nil },
		"one missing":   func(m *graphs.Model) { m.Weights = m.Weights[:len(m.Weights)-1] },
		"one more":      func(m *graphs.Model) { m.Weights = append(slices.Clone(m.Weights), m.Weights[0]) },
		"another order": func(m *graphs.Model) { m.Weights = slices.Clone(m.Weights); slices.Reverse(m.Weights) },
		"empty": func(m *graphs.Model) {
			m.Weights = slices.Clone(m.Weights)
			m.Weights[0].Data = nil
		},
	} {
		other := *m
		change(&other)
		if _, err := stock.New(&other, stock.Options{}); err == nil || !strings.Contains(err.Error(), "weight") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSpec(t *testing.T) {
	m := tiny(t)
	s := newEngine(t, m, stock.Options{Dropout: 0.25}).Spec()
	if s.Classes != 3 || s.EmbeddingSize != 32 || s.VocabSize != 97 || s.MaxTokens != 40 || s.PadID != 0 || s.Dropout != 0.25 || !slices.Equal(s.Head, m.Head) {
		t.Errorf("%+v", s)
	}
	for i, p := range s.Parameters {
		if w := m.Weights[i]; p.Name != w.Name || !slices.Equal(p.Shape, w.Shape) || p.Decay != (len(w.Shape) == 2) {
			t.Errorf("%+v", p)
		}
	}
}

// Two engines share the library; closing one, even twice, leaves the other at work.
func TestTwoEngines(t *testing.T) {
	const seed = 62
	r := rand.New(rand.NewPCG(seed, 0))
	m := tiny(t)
	a, b := newEngine(t, m, stock.Options{Dropout: 0.1}), newEngine(t, m, stock.Options{Dropout: 0.1})
	batch, dlogits := randomBatch(t, a, driver.Doubled, 3, 6, r), normals(r, 18, 1)
	library := a.Library()
	for range 3 { // alternating
		if x, y := run(t, a, batch, dlogits), run(t, b, batch, dlogits); !slices.Equal(x, y) {
			t.Fatal("two engines of one model disagree")
		}
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := library.Close(); err != nil { // a description, not a user
			t.Error(err)
		}
	}
	run(t, b, batch, dlogits)
	if _, err := a.Forward(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Forward after Close: error %v", err)
	}
	if _, err := a.MaskSizes(driver.Clean, 1, 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("MaskSizes after Close: error %v", err)
	}
	if err := a.Read(driver.Value, "classifier.bias", make([]float32, 3)); err == nil {
		t.Error("Read after Close: no error")
	}
	if got := a.Library(); got.Path != library.Path || got.Version == "" {
		t.Errorf("library %+v after Close, %+v before", got, library)
	}
}

// resident returns the process's memory in bytes.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("the process's memory is not known here: %v", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// Rounds of varying shape leave nothing behind: memory does not grow once the largest has run.
func TestNoLeak(t *testing.T) {
	const seed = 63
	e := newEngine(t, tiny(t), stock.Options{Dropout: 0.1, NoiseGradient: true})
	rounds := func(n int) {
		r := rand.New(rand.NewPCG(seed, 0))
		for i := range n {
			v := []driver.Variant{driver.Doubled, driver.Clean, driver.Noised}[i%3]
			b := randomBatch(t, e, v, 1+r.IntN(16), 1+r.IntN(40), r)
			run(t, e, b, make([]float32, 2*16*3))
			if i%10 == 0 {
				if err := e.ZeroGradients(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, 1))
	run(t, e, randomBatch(t, e, driver.Doubled, 16, 40, r), make([]float32, 2*16*3))
	rounds(60)
	before := resident(t)
	rounds(300)
	if grown := resident(t) - before; grown > 2<<20 {
		t.Errorf("seed %d: 300 rounds left %d KB", seed, grown>>10)
	}
}
