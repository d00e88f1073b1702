package stock_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/driver/stock"
)

// near fails where gradients differ by more than rounding, relative to the largest of the parameter.
func near(t *testing.T, what string, got, want map[string][]float32) {
	t.Helper()
	for name := range want {
		if d := worst(got[name], want[name], want[name]); !(d <= 1e-5) {
			t.Errorf("%s: gradient of %s differs by %.2g of its largest", what, name, d)
		}
	}
}

// Two Backward calls give the sum of each alone, for dense gradients and for rows; ZeroGradients forgets them, and
// what a later Backward leaves does not depend on what was forgotten.
func TestAccumulation(t *testing.T) {
	const seed = 51
	m := wide(t, seed)
	for _, v := range []driver.Variant{driver.Clean, driver.Doubled} {
		r := rand.New(rand.NewPCG(seed, uint64(v)))
		e := newEngine(t, m, stock.Options{Dropout: 0.1})
		batches := []*driver.Batch{randomBatch(t, e, v, 4, 9, r), randomBatch(t, e, v, 2, 5, r)}
		batches[1].InputIDs[0] = batches[0].InputIDs[0] // a row that both touch
		dlogits := normals(r, 2*4*3, 1)
		var alone []map[string][]float32
		for _, b := range batches {
			if err := e.ZeroGradients(); err != nil {
				t.Fatal(err)
			}
			run(t, e, b, dlogits)
			alone = append(alone, gradients(t, e))
			touched := map[int64]bool{}
			for _, id := range b.InputIDs {
				touched[id] = true
			}
			for i, x := range alone[len(alone)-1][m.WordEmbedding] {
				if x != 0 && !touched[int64(i/16)] {
					t.Fatalf("seed %d: row %d has a gradient without being looked up", seed, i/16)
				}
			}
		}
		if err := e.ZeroGradients(); err != nil {
			t.Fatal(err)
		}
		for name, g := range gradients(t, e) {
			if slices.ContainsFunc(g, func(x float32) bool { return x != 0 }) {
				t.Errorf("seed %d: gradient of %s is not 0 after ZeroGradients", seed, name)
			}
		}
		if norm, err := e.GradientNorm(); norm != 0 || err != nil {
			t.Errorf("seed %d: norm %v of no gradient, %v", seed, norm, err)
		}
		for _, b := range batches {
			run(t, e, b, dlogits)
		}
		got, want, square := gradients(t, e), map[string][]float32{}, 0.0
		for name := range got {
			for i := range got[name] {
				want[name] = append(want[name], alone[0][name][i]+alone[1][name][i])
				square += float64(got[name][i]) * float64(got[name][i])
			}
		}
		near(t, "accumulated", got, want)
		if norm, err := e.GradientNorm(); err != nil || math.Abs(norm-math.Sqrt(square)) > 1e-9*norm {
			t.Errorf("seed %d: norm %v, want %v, %v", seed, norm, math.Sqrt(square), err)
		}
	}
}

// Update is AdamW on every parameter, to the bit, rows or not, with decay of matrices alone; moments written back, as
// a resumed run does, go on the same.
func TestUpdate(t *testing.T) {
	const seed = 52
	r := rand.New(rand.NewPCG(seed, 0))
	e := newEngine(t, wide(t, seed), stock.Options{})
	type kept struct{ p, g, m, v []float32 }
	want := map[string]*kept{}
	for name, w := range tensors(t, e, driver.Value) {
		want[name] = &kept{w, nil, make([]float32, len(w)), make([]float32, len(w))}
	}
	a := optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.1}
	for step := 1; step <= 5; step++ {
		if step == 4 {
			other := newEngine(t, wide(t, seed+1), stock.Options{})
			for _, k := range []driver.Kind{driver.Value, driver.FirstMoment, driver.SecondMoment} {
				for name, x := range tensors(t, e, k) {
					if err := other.Write(k, name, x); err != nil {
						t.Fatal(err)
					}
				}
			}
			e = other
		}
		if err := e.ZeroGradients(); err != nil {
			t.Fatal(err)
		}
		run(t, e, randomBatch(t, e, driver.Clean, 4, 9, r), normals(r, 12, 1))
		g := gradients(t, e)
		if err := e.Update(driver.Update{AdamW: a, LearningRate: 0.01, Step: step, Scale: 0.5}); err != nil {
			t.Fatal(err)
		}
		for _, p := range e.Spec().Parameters {
			k := want[p.Name]
			a.Apply(k.p, g[p.Name], k.m, k.v, optim.Step{T: step, LR: 0.01, Scale: 0.5, Decay: len(p.Shape) > 1})
			for kind, x := range map[driver.Kind][]float32{driver.Value: k.p, driver.FirstMoment: k.m, driver.SecondMoment: k.v} {
				if !slices.Equal(tensors(t, e, kind)[p.Name], x) {
					t.Fatalf("seed %d, step %d: tensor %d of %s is not what AdamW gives", seed, step, kind, p.Name)
				}
			}
		}
	}
}

// A view is the engine's memory: what Read copies, and what the next Update changes.
func TestView(t *testing.T) {
	const seed = 55
	r := rand.New(rand.NewPCG(seed, 0))
	e := newEngine(t, wide(t, seed), stock.Options{})
	views := map[string][]float32{}
	same := func(when string) {
		t.Helper()
		for _, kind := range []driver.Kind{driver.Value, driver.Gradient, driver.FirstMoment, driver.SecondMoment} {
			for name, want := range tensors(t, e, kind) {
				got, err := e.View(kind, name)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("seed %d, %s: the view of %s, tensor %d, is not what Read copies, %v", seed, when, name, kind, err)
				}
				if kind == driver.Value {
					views[name] = got
				}
			}
		}
	}
	same("new")
	for step := 1; step <= 2; step++ {
		run(t, e, randomBatch(t, e, driver.Clean, 4, 9, r), normals(r, 12, 1))
		same("after Backward")
		before := tensors(t, e, driver.Value)
		if err := e.Update(driver.Update{LearningRate: 0.1, Step: step}); err != nil {
			t.Fatal(err)
		}
		for name, now := range views {
			if slices.Equal(now, before[name]) {
				t.Errorf("seed %d: the view of %s did not change with Update", seed, name)
			}
		}
		if err := e.ZeroGradients(); err != nil {
			t.Fatal(err)
		}
		same("after ZeroGradients")
	}
	if _, err := e.View(driver.Value, "nothing"); err == nil {
		t.Error("viewing an unknown tensor: no error")
	}
}

// A gradient that is written counts as one that was computed; the others are then 0, whatever they held before.
func TestWriteGradient(t *testing.T) {
	const seed = 53
	r := rand.New(rand.NewPCG(seed, 0))
	m := wide(t, seed)
	for _, name := range []string{"classifier.weight", m.WordEmbedding} {
		e := newEngine(t, m, stock.Options{})
		run(t, e, randomBatch(t, e, driver.Clean, 4, 9, r), normals(r, 12, 1))
		if err := e.ZeroGradients(); err != nil {
			t.Fatal(err)
		}
		g := make([]float32, len(gradients(t, e)[name]))
		g[0], g[len(g)-1] = 3, 4
		if err := e.Write(driver.Gradient, name, g); err != nil {
			t.Fatal(err)
		}
		if norm, err := e.GradientNorm(); norm != 5 || err != nil {
			t.Errorf("%s: norm %v, want 5, %v", name, norm, err)
		}
		for other, x := range gradients(t, e) {
			if other == name && !slices.Equal(x, g) || other != name && slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) {
				t.Errorf("writing the gradient of %s: that of %s is wrong", name, other)
			}
		}
		if err := e.Update(driver.Update{LearningRate: 1, Step: 1}); err != nil {
			t.Error(err)
		}
	}
}

// The R3F term is exactly 0 without noise and with shared masks, and its gradient adds nothing to the plain one.
func TestNoNoiseNoTerm(t *testing.T) {
	const seed = 54
	r := rand.New(rand.NewPCG(seed, 0))
	e := newEngine(t, tiny(t), stock.Options{Dropout: 0.1})
	doubled := randomBatch(t, e, driver.Doubled, 5, 11, r)
	clear(doubled.Noise)
	plain := *doubled
	plain.Variant, plain.Noise, plain.Masks = driver.Clean, nil, nil
	for _, mask := range doubled.Masks {
		half := mask[:len(mask)/2]
		copy(mask[len(half):], half)
		plain.Masks = append(plain.Masks, half)
	}
	labels := []int{0, 1, 2, 0, 1}
	with, logits, err := driver.Gradients(context.Background(), e, doubled, labels, nil, driver.Options{Method: "r3f"})
	if err != nil {
		t.Fatal(err)
	}
	got := gradients(t, e)
	without, _, err := driver.Gradients(context.Background(), e, &plain, labels, nil, driver.Options{Method: "standard"})
	if err != nil {
		t.Fatal(err)
	}
	if with.Regulariser != 0 || !slices.Equal(logits[:15], logits[15:]) || math.Abs(with.Loss-without.Loss) > 1e-6 {
		t.Errorf("seed %d: term %v, loss %v and %v", seed, with.Regulariser, with.Loss, without.Loss)
	}
	near(t, "zero noise", got, gradients(t, e))
}
