package driver

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

// drawn is a copy of what the feed prepared for one micro-batch.
type drawn struct {
	step, place, whole int
	last               bool
	lengths            []int
	tokens             int
	noise              []float32
	masks              [][]uint8
}

// draw collects what a feed prepares for the steps [first, end).
func draw(t *testing.T, e Engine, o Options, v Variant, first, end int) []drawn {
	t.Helper()
	options, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &sampler{examples: ToyExamples(100, 1), batch: o.BatchSize, shuffle: true, seed: o.Seed}
	f := newFeed(t.Context(), e, s, options, v, first, end)
	defer f.stop()
	var out []drawn
	for sh := range f.ready {
		d := drawn{step: sh.step, place: sh.place, whole: sh.whole, last: sh.last, tokens: sh.Tokens, noise: slices.Clone(sh.Noise)}
		for _, x := range sh.examples {
			d.lengths = append(d.lengths, len(x.InputIDs))
		}
		for _, m := range sh.Masks {
			d.masks = append(d.masks, bytes.Clone(m))
		}
		out = append(out, d)
		f.spare <- sh
	}
	if f.failed != nil {
		t.Fatal(f.failed)
	}
	return out
}

func (d drawn) equal(e drawn) bool {
	return d.step == e.step && d.place == e.place && d.last == e.last && slices.Equal(d.lengths, e.lengths) &&
		slices.Equal(d.noise, e.noise) && slices.EqualFunc(d.masks, e.masks, bytes.Equal)
}

// moments returns mean, standard deviation and kurtosis.
func moments(x []float32) (mean, deviation, kurtosis float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += float64(v) / n
	}
	square, fourth := 0.0, 0.0
	for _, v := range x {
		d := float64(v) - mean
		square += d * d / n
		fourth += d * d * d * d / n
	}
	return mean, math.Sqrt(square), fourth / (square * square)
}

func TestNoise(t *testing.T) {
	const eps = 3e-4
	for _, c := range []struct {
		noise               Noise
		deviation, kurtosis float64
	}{{Uniform, eps / math.Sqrt(3), 1.8}, {Normal, eps, 3}} {
		var all []float32
		for _, d := range draw(t, NewToy(3, 0), Options{BatchSize: 20, Noise: c.noise, Epsilon: eps}, Doubled, 0, 50) {
			all = append(all, d.noise...)
		}
		n := float64(len(all))
		if n < 50*20*5*8 {
			t.Fatalf("%s: only %v elements of noise", c.noise, n)
		}
		mean, deviation, kurtosis := moments(all)
		if math.Abs(mean) > 5*c.deviation/math.Sqrt(n) || math.Abs(deviation/c.deviation-1) > 0.02 || math.Abs(kurtosis-c.kurtosis) > 0.15 {
			t.Errorf("%s: mean %g, deviation %g (want %g), kurtosis %g (want %g) of %v elements", c.noise, mean, deviation, c.deviation, kurtosis, c.kurtosis, n)
		}
		lo, hi := slices.Min(all), slices.Max(all)
		if inside := -eps <= float64(lo) && float64(hi) <= eps; inside != (c.noise == Uniform) {
			t.Errorf("%s: noise in [%g, %g] for ε %g", c.noise, lo, hi, eps)
		}
	}
}

// Methods that compare dropout masks alone read unperturbed embeddings; a single clean pass has no noise at all.
func TestNoNoise(t *testing.T) {
	for _, d := range draw(t, NewToy(3, 0.1), Options{BatchSize: 8, Method: "rdrop"}, Doubled, 0, 3) {
		if len(d.noise) == 0 || slices.Min(d.noise) != 0 || slices.Max(d.noise) != 0 {
			t.Errorf("rdrop at step %d: noise in [%v, %v]", d.step, slices.Min(d.noise), slices.Max(d.noise))
		}
	}
	for _, d := range draw(t, NewToy(3, 0.1), Options{BatchSize: 8, Method: "standard"}, Clean, 0, 3) {
		if len(d.noise) > 0 {
			t.Errorf("standard: %d elements of noise", len(d.noise))
		}
	}
}

func TestMasks(t *testing.T) {
	const drop = 0.3
	for _, kind := range []Masks{Shared, Independent} {
		dropped, total := 0, 0
		for _, d := range draw(t, NewToy(3, drop), Options{BatchSize: 16, DropoutMasks: kind}, Doubled, 0, 20) {
			if len(d.masks) != 2 {
				t.Fatalf("%d masks for 2 sites", len(d.masks))
			}
			for site, m := range d.masks {
				clean, noised := m[:len(m)/2], m[len(m)/2:]
				if bytes.Equal(clean, noised) != (kind == Shared) {
					t.Errorf("%s masks of site %d at step %d: equal halves: %v", kind, site, d.step, kind != Shared)
				}
				total += len(m)
				dropped += bytes.Count(m, []byte{0})
			}
		}
		share := float64(dropped) / float64(total)
		if sd := math.Sqrt(2 * drop * (1 - drop) / float64(total)); math.Abs(share-drop) > 5*sd {
			t.Errorf("%s: %.4f of %d elements are dropped, want %v", kind, share, total, drop)
		}
	}
}

// tabled has a third site, on a table that both passes read: its mask does not grow with the examples.
type tabled struct{ *Toy }

func (e tabled) MaskSizes(v Variant, size, tokens int) ([]int, error) {
	sizes, err := e.Toy.MaskSizes(v, size, tokens)
	return append(sizes, 64), err
}

func TestSharedMasksOfATable(t *testing.T) {
	for _, d := range draw(t, tabled{NewToy(3, 0.3)}, Options{BatchSize: 1, DropoutMasks: Shared}, Doubled, 0, 20) {
		for site, m := range d.masks {
			if bytes.Equal(m[:len(m)/2], m[len(m)/2:]) != (site < 2) {
				t.Errorf("step %d: halves of site %d of 3 are equal: %v", d.step, site, site == 2)
			}
		}
	}
}

// What a step draws is a function of seed and step: a resumed run draws what the uninterrupted one did.
func TestDrawsDoNotDependOnTheFirstStep(t *testing.T) {
	o := Options{BatchSize: 16, MicroTokens: 160, Seed: 4}
	all := draw(t, NewToy(3, 0.1), o, Doubled, 0, 20)
	for _, first := range []int{1, 7, 13, 19} {
		rest := all[slices.IndexFunc(all, func(d drawn) bool { return d.step == first }):]
		if got := draw(t, NewToy(3, 0.1), o, Doubled, first, 20); !slices.EqualFunc(got, rest, drawn.equal) {
			t.Errorf("starting at step %d draws something else", first)
		}
	}
	if len(all) < 40 {
		t.Errorf("%d micro-batches in 20 steps: none was cut", len(all))
	}
	o.Seed = 5
	other := draw(t, NewToy(3, 0.1), o, Doubled, 0, 1)
	if slices.Equal(other[0].noise, all[0].noise) || bytes.Equal(other[0].masks[0], all[0].masks[0]) {
		t.Error("another seed draws the same")
	}
	if slices.Equal(all[0].noise[:8], all[1].noise[:8]) || bytes.Equal(all[0].masks[1], all[1].masks[1]) {
		t.Error("two micro-batches of a step share their draws")
	}
}

// An example's noise does not depend on how its step is cut, and no two examples share it.
func TestNoiseDoesNotDependOnTheCut(t *testing.T) {
	const width = 8
	byPlace := func(micro int) (out [][]float32) {
		for _, d := range draw(t, NewToy(3, 0), Options{BatchSize: 16, MicroTokens: micro, Seed: 4}, Doubled, 0, 3) {
			if d.whole != 16 {
				t.Fatalf("a step of %d examples", d.whole)
			}
			if got := len(out) - 16*d.step; d.place != got {
				t.Fatalf("step %d: place %d, want %d", d.step, d.place, got)
			}
			for i, n := range d.lengths {
				row := d.noise[i*d.tokens*width:]
				out = append(out, row[:n*width])
			}
		}
		return out
	}
	whole := byPlace(1 << 20)
	for _, micro := range []int{1, 60, 200} {
		if cut := byPlace(micro); !slices.EqualFunc(cut, whole, slices.Equal) {
			t.Errorf("noise with micro-batches of %d tokens differs from that of whole batches", micro)
		}
	}
	for i, row := range whole[1:] {
		if slices.Equal(row[:width], whole[i][:width]) {
			t.Errorf("examples %d and %d have the same noise", i, i+1)
		}
	}
}

// stuck is an engine whose masks cannot be sized.
type stuck struct {
	*Toy
	after int
}

var errStuck = errors.New("no mask sizes")

func (s *stuck) MaskSizes(v Variant, size, tokens int) ([]int, error) {
	if s.after--; s.after < 0 {
		return nil, errStuck
	}
	return s.Toy.MaskSizes(v, size, tokens)
}

func TestFeedErrorsSurface(t *testing.T) {
	for _, method := range []string{"r3f", "r4f"} {
		o := Options{Method: method, BatchSize: 8}
		e := &stuck{NewToy(3, 0.1), 4} // one call of Train itself, three steps
		result, err := Train(t.Context(), e, sequence(ToyExamples(32, 1)), o)
		if !errors.Is(err, errStuck) || result == nil || result.Steps != 3 {
			t.Errorf("%s: result %+v, error %v; want three steps and the engine's error", method, result, err)
		}
		want := NewToy(3, 0.1)
		o.OnStep = stopAt(3)
		if _, err := Train(t.Context(), want, sequence(ToyExamples(32, 1)), o); !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		if !slices.Equal(e.snapshot(), want.snapshot()) {
			t.Errorf("%s: the engine does not hold the state after three steps", method)
		}
	}
}

// A stopped feed leaves no goroutine behind, wherever it was stopped.
func TestFeedStops(t *testing.T) {
	before := runtime.NumGoroutine()
	s := &sampler{examples: ToyExamples(64, 1), batch: 4, shuffle: true}
	o, err := Options{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for take := range 6 {
		f := newFeed(t.Context(), NewToy(3, 0.1), s, o, Doubled, 0, 1000)
		for range take {
			sh := <-f.ready
			if take%2 == 0 {
				f.spare <- sh
			} else if len(f.spare) == 0 {
				break // all are taken: the feed waits for one
			}
		}
		f.stop()
	}
	settled(t, before)
}

// settled waits for goroutines to end.
func settled(t *testing.T, want int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), want)
}
