package driver

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// ragged draws examples whose lengths are spread as those of sentences: most short, some long.
func ragged(n int, r *rand.Rand) []Example {
	out := make([]Example, n)
	for i := range out {
		out[i].InputIDs = make([]int64, 3+int(20*r.ExpFloat64())%120)
	}
	return out
}

// padding is the padded size of batches over their tokens, less 1.
func padding(batches [][]*Example) float64 {
	padded, tokens := 0, 0
	for _, b := range batches {
		longest := 0
		for _, x := range b {
			longest = max(longest, len(x.InputIDs))
			tokens += len(x.InputIDs)
		}
		padded += longest * len(b)
	}
	return float64(padded)/float64(tokens) - 1
}

// epochOf lists an epoch's batches.
func epochOf(s *sampler, epoch int) [][]*Example {
	var out [][]*Example
	for i := range s.stepsPerEpoch() {
		out = append(out, s.at(epoch*s.stepsPerEpoch()+i))
	}
	return out
}

// Every epoch holds every example once, in batches of the right size of which at most one is smaller; another epoch
// or seed has another order, the same ones the same.
func TestSamplerCoversEveryExampleOnce(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		n, batch := 2+r.IntN(1500), 1+r.IntN(20)
		examples := ragged(n, r)
		s := &sampler{examples: examples, batch: batch, shuffle: r.IntN(4) > 0, seed: r.Uint64()}
		for epoch := range 2 {
			seen, small := map[*Example]int{}, 0
			for _, b := range epochOf(s, epoch) {
				for _, x := range b {
					seen[x]++
				}
				if len(b) != batch {
					small++
				}
				if len(b) == 0 || len(b) > batch {
					t.Fatalf("seed %d: a batch of %d, not %d", seed, len(b), batch)
				}
			}
			want := 0
			if n%batch != 0 {
				want = 1
			}
			if len(seen) != n || small != want {
				t.Fatalf("seed %d: %d of %d examples, %d small batches of size under %d, want %d", seed, len(seen), n, small, batch, want)
			}
			for x, times := range seen {
				if times != 1 {
					t.Fatalf("seed %d: an example of %d tokens comes %d times an epoch", seed, len(x.InputIDs), times)
				}
			}
		}
	}
}

func TestSamplerIsAFunctionOfSeedAndStep(t *testing.T) {
	examples := ragged(333, rand.New(rand.NewPCG(12, 0)))
	at := func(seed uint64, step int) []*Example {
		return (&sampler{examples: examples, batch: 8, shuffle: true, seed: seed}).at(step)
	}
	walk := &sampler{examples: examples, batch: 8, shuffle: true, seed: 5}
	per := walk.stepsPerEpoch()
	for step := range 3 * per {
		if got, want := at(5, step), walk.at(step); !slices.Equal(got, want) {
			t.Fatalf("step %d depends on the steps before it", step)
		}
	}
	if slices.Equal(at(5, 1), at(6, 1)) || slices.Equal(at(5, 1), at(5, per+1)) {
		t.Error("another seed or epoch goes on with the same batch")
	}
}

// Every epoch begins with the batch that needs the most memory.
func TestSamplerLongestFirst(t *testing.T) {
	examples := ragged(900, rand.New(rand.NewPCG(16, 0)))
	s := &sampler{examples: examples, batch: 8, shuffle: true, seed: 2}
	length := func(x *Example) int { return len(x.InputIDs) }
	for epoch := range 3 {
		first := 0
		for _, x := range s.at(epoch * s.stepsPerEpoch()) {
			first = max(first, length(x))
		}
		for i := range examples {
			if n := length(&examples[i]); n > first {
				t.Fatalf("epoch %d begins with %d tokens; example %d has %d", epoch, first, i, n)
			}
		}
	}
}

// Buckets keep padding far below that of random batches; batches of long and of short examples are mixed.
func TestSamplerBuckets(t *testing.T) {
	const seed = 13
	r := rand.New(rand.NewPCG(seed, 0))
	examples := ragged(4000, r)
	s := &sampler{examples: examples, batch: 16, shuffle: true, seed: 1}
	batches := epochOf(s, 0)
	order := make([]*Example, len(examples))
	for i, k := range r.Perm(len(examples)) {
		order[i] = &examples[k]
	}
	random := padding(slices.Collect(slices.Chunk(order, 16)))
	if got := padding(batches); got > 0.1 || random < 5*got {
		t.Errorf("seed %d: padding is %.3f in buckets, %.3f in random batches", seed, got, random)
	}
	for epoch := range 3 { // memory is taken at its most at once
		longest := 0
		for _, x := range examples {
			longest = max(longest, len(x.InputIDs))
		}
		first := s.at(epoch * s.stepsPerEpoch())
		if !slices.ContainsFunc(first, func(x *Example) bool { return len(x.InputIDs) == longest }) {
			t.Errorf("seed %d: epoch %d does not begin with the longest example", seed, epoch)
		}
	}
	rises := 0
	for i, b := range batches[1:] {
		if len(b[0].InputIDs) > len(batches[i][0].InputIDs) {
			rises++
		}
	}
	if n := len(batches); rises < n/4 || rises > 3*n/4 {
		t.Errorf("seed %d: %d of %d batches are longer than the one before: their order is not random", seed, rises, n)
	}
}

func TestSamplerFileOrder(t *testing.T) {
	examples := ragged(21, rand.New(rand.NewPCG(14, 0)))
	s := &sampler{examples: examples, batch: 4}
	for epoch := range 2 {
		got := slices.Concat(epochOf(s, epoch)...)
		for i := range examples {
			if got[i] != &examples[i] {
				t.Fatalf("epoch %d: place %d does not hold example %d", epoch, i, i)
			}
		}
	}
	if last := s.at(5); len(last) != 1 {
		t.Errorf("the last batch has %d examples, want 1", len(last))
	}
}

// The cut covers every example, keeps within the budget unless one example is beyond it, in an order that does not
// depend on the budget, with parts about as large as each other where lengths are equal.
func TestMicroBatches(t *testing.T) {
	const seed = 15
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		examples := ragged(1+r.IntN(40), r)
		batch := make([]*Example, len(examples))
		for i := range examples {
			batch[i] = &examples[i]
		}
		budget := r.IntN(800)
		micro := microBatches(batch, budget)
		if whole := microBatches(batch, 1<<30); len(whole) != 1 || !slices.Equal(slices.Concat(micro...), whole[0]) {
			t.Fatalf("seed %d: a budget of %d changes the order of the examples", seed, budget)
		}
		seen := map[*Example]bool{}
		for _, m := range micro {
			for _, x := range m {
				seen[x] = true
			}
			if padded := len(m) * len(m[0].InputIDs); len(m) > 1 && padded > budget {
				t.Fatalf("seed %d: %d examples of up to %d tokens exceed a budget of %d", seed, len(m), len(m[0].InputIDs), budget)
			}
		}
		if len(seen) != len(batch) {
			t.Fatalf("seed %d: %d of %d examples", seed, len(seen), len(batch))
		}
	}
}

func TestMicroBatchesAreEven(t *testing.T) {
	for n := 1; n <= 40; n++ {
		for fit := 1; fit <= n; fit++ {
			batch := make([]*Example, n)
			for i := range batch {
				batch[i] = &Example{InputIDs: make([]int64, 10)}
			}
			micro := microBatches(batch, 10*fit)
			if want := (n + fit - 1) / fit; len(micro) != want {
				t.Errorf("%d examples, %d fitting: %d parts, want %d", n, fit, len(micro), want)
			}
			if largest, least := len(micro[0]), len(micro[len(micro)-1]); largest-least > 1 {
				t.Errorf("%d examples, %d fitting: parts of %d and of %d", n, fit, largest, least)
			}
		}
	}
}

func TestFill(t *testing.T) {
	var b Batch
	for _, c := range []struct {
		name             string
		examples         []*Example
		ids, mask, types []int64
	}{
		{"padded, one without types", []*Example{{InputIDs: []int64{1, 2, 3}, TypeIDs: []int64{0, 1, 1}}, {InputIDs: []int64{4}}},
			[]int64{1, 2, 3, 4, 9, 9}, []int64{1, 1, 1, 1, 0, 0}, []int64{0, 1, 1, 0, 0, 0}},
		{"smaller, reusing memory", []*Example{{InputIDs: []int64{5, 6}, TypeIDs: []int64{1, 0}}},
			[]int64{5, 6}, []int64{1, 1}, []int64{1, 0}},
	} {
		b.fill(c.examples, 9)
		if !slices.Equal(b.InputIDs, c.ids) || !slices.Equal(b.AttentionMask, c.mask) || !slices.Equal(b.TypeIDs, c.types) {
			t.Errorf("%s: ids %v, mask %v, types %v", c.name, b.InputIDs, b.AttentionMask, b.TypeIDs)
		}
		if b.Size != len(c.examples) || b.Size*b.Tokens != len(c.ids) {
			t.Errorf("%s: size %d, tokens %d", c.name, b.Size, b.Tokens)
		}
	}
}
