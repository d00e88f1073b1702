package driver

import (
	"context"
	"fmt"
	"slices"
)

// Forwarder runs batches forward: what Predict needs of an Engine.
type Forwarder interface {
	Spec() Spec
	Forward(ctx context.Context, b *Batch) ([]float32, error)
}

// Predict returns the logits [N, K] of examples, in their order, with the engine's weights as they are.
func Predict(ctx context.Context, e Forwarder, examples []Example) ([]float32, error) {
	spec := e.Spec()
	order := make([]*Example, len(examples))
	at := make(map[*Example]int, len(examples))
	for i := range examples {
		if err := examples[i].validate(Spec{MaxTokens: spec.MaxTokens, VocabSize: spec.VocabSize}); err != nil {
			return nil, fmt.Errorf("predicting: %w", err)
		}
		order[i], at[&examples[i]] = &examples[i], i
	}
	slices.SortStableFunc(order, func(a, b *Example) int { return len(b.InputIDs) - len(a.InputIDs) })
	out := make([]float32, len(examples)*spec.Classes)
	var b Batch
	for len(order) > 0 {
		n := min(max(1, evaluateTokens/len(order[0].InputIDs)), len(order))
		b.fill(order[:n], spec.PadID)
		logits, err := e.Forward(ctx, &b)
		if err != nil {
			return nil, fmt.Errorf("predicting %d examples from %s: %w", n, order[0].ID, err)
		}
		for i, x := range order[:n] {
			k := at[x] * spec.Classes
			copy(out[k:k+spec.Classes], logits[i*spec.Classes:])
		}
		order = order[n:]
	}
	return out, nil
}

// evaluateTokens is the padded size of an evaluation batch, that of a micro-batch by default: evaluation then fits in
// the memory that training has taken.
const evaluateTokens = microTokens
