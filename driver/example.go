package driver

import (
	"fmt"
	"math"
)

// Example is one encoded training or evaluation example.
type Example struct {
	ID       string  // names the example in errors: "train.tsv:17"
	InputIDs []int64 // token ids with special tokens, without padding
	TypeIDs  []int64 // segment of each token, same length; nil means all 0
	Label    int     // class index
	Target   float64 // regression target
}

// validate reports an example that the model cannot run, or learn from where the number of classes is given.
func (x *Example) validate(s Spec) error {
	switch {
	case len(x.InputIDs) == 0:
		return fmt.Errorf("example %s has no tokens", x.ID)
	case len(x.InputIDs) > s.MaxTokens:
		return fmt.Errorf("example %s has %d tokens; the model has positions for %d: truncate when tokenizing", x.ID, len(x.InputIDs), s.MaxTokens)
	case x.TypeIDs != nil && len(x.TypeIDs) != len(x.InputIDs):
		return fmt.Errorf("example %s has %d type ids for %d tokens", x.ID, len(x.TypeIDs), len(x.InputIDs))
	case s.Classes > 1 && (x.Label < 0 || x.Label >= s.Classes):
		return fmt.Errorf("example %s has label %d; the model has %d classes", x.ID, x.Label, s.Classes)
	case s.Classes == 1 && (math.IsNaN(x.Target) || math.IsInf(x.Target, 0)):
		return fmt.Errorf("example %s has target %v; a finite number is needed", x.ID, x.Target)
	}
	for _, id := range x.InputIDs {
		if id < 0 || id >= int64(s.VocabSize) {
			return fmt.Errorf("example %s has token id %d outside the vocabulary of %d: the tokenizer is not this model's", x.ID, id, s.VocabSize)
		}
	}
	return nil
}

// fill writes examples into the batch, padded to the longest.
func (b *Batch) fill(examples []*Example, padID int64) {
	b.Size, b.Tokens = len(examples), 0
	for _, x := range examples {
		b.Tokens = max(b.Tokens, len(x.InputIDs))
	}
	n := b.Size * b.Tokens
	b.InputIDs, b.AttentionMask, b.TypeIDs = resize(b.InputIDs, n), resize(b.AttentionMask, n), resize(b.TypeIDs, n)
	for i, x := range examples {
		row := i * b.Tokens
		for t := range b.Tokens {
			id, mask, kind := padID, int64(0), int64(0)
			if t < len(x.InputIDs) {
				id, mask = x.InputIDs[t], 1
				if x.TypeIDs != nil {
					kind = x.TypeIDs[t]
				}
			}
			b.InputIDs[row+t], b.AttentionMask[row+t], b.TypeIDs[row+t] = id, mask, kind
		}
	}
}

// resize returns a slice of length n, reusing s where it is large enough. Contents are unspecified.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
