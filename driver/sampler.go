package driver

import (
	"slices"

	"github.com/r3f-ort/r3f-ort/internal/rng"
)

// sampler decides which examples make up which step. It keeps no state besides the current epoch's plan: the
// batch of a step is a function of (seed, step).
type sampler struct {
	examples []Example
	batch    int // examples a step
	shuffle  bool
	seed     uint64
	epoch    int
	plan     [][]int // batches of the planned epoch, by example index
}

// bucketBatches is how many batches' worth of shuffled examples are sorted by length together. Batches then hold
// examples of similar length and carry 2–4 % padding, while the order of batches stays random.
const bucketBatches = 50

// stepsPerEpoch is the number of batches that cover every example once, one of them possibly smaller.
func (s *sampler) stepsPerEpoch() int { return (len(s.examples) + s.batch - 1) / s.batch }

// at returns the examples of a step, counted from 0.
func (s *sampler) at(step int) []*Example {
	per := s.stepsPerEpoch()
	if epoch := step / per; s.plan == nil || epoch != s.epoch {
		s.epoch, s.plan = epoch, s.planEpoch(epoch)
	}
	indices := s.plan[step%per]
	out := make([]*Example, len(indices))
	for i, k := range indices {
		out[i] = &s.examples[k]
	}
	return out
}

func (s *sampler) planEpoch(epoch int) [][]int {
	if !s.shuffle {
		order := make([]int, len(s.examples))
		for i := range order {
			order[i] = i
		}
		return slices.Collect(slices.Chunk(order, s.batch))
	}
	order := rng.New(s.seed, uint64(epoch), "order").Perm(len(s.examples))
	var batches [][]int
	for bucket := range slices.Chunk(order, s.batch*bucketBatches) {
		slices.SortStableFunc(bucket, func(a, b int) int {
			return len(s.examples[a].InputIDs) - len(s.examples[b].InputIDs)
		})
		batches = slices.AppendSeq(batches, slices.Chunk(bucket, s.batch))
	}
	out := make([][]int, len(batches))
	longest, length := 0, 0
	for i, k := range rng.New(s.seed, uint64(epoch), "batches").Perm(len(batches)) {
		out[i] = batches[k]
		for _, x := range out[i] {
			if n := len(s.examples[x].InputIDs); n > length {
				longest, length = i, n
			}
		}
	}
	// The batch with the longest example goes first: what memory a run needs it takes at once, in pieces that all
	// later tensors fit in.
	out[0], out[longest] = out[longest], out[0]
	return out
}

// microBatches cuts a step's examples into runs of similar length whose padded size stays within budget tokens,
// at least one example each. Examples are ordered by length first, which changes no sum but the order of terms.
func microBatches(examples []*Example, budget int) [][]*Example {
	sorted := slices.Clone(examples)
	slices.SortStableFunc(sorted, func(a, b *Example) int { return len(b.InputIDs) - len(a.InputIDs) })
	var out [][]*Example
	for len(sorted) > 0 {
		n := min(max(1, budget/len(sorted[0].InputIDs)), len(sorted))
		// even out: two micro-batches of 8 rather than 15 and 1
		parts := (len(sorted) + n - 1) / n
		n = (len(sorted) + parts - 1) / parts
		out = append(out, sorted[:n])
		sorted = sorted[n:]
	}
	return out
}
