package tokenize

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Text is an input of [Tokenizer.EncodeAll]: a text, or a pair of texts.
type Text struct {
	Text      string
	Pair      *string // nil for a single text
	MaxLength int     // of this text; 0 for that of the call
}

// TextError reports which text could not be encoded.
type TextError struct {
	Index int // place among the texts, from 0
	Err   error
}

func (e *TextError) Error() string { return fmt.Sprintf("text %d: %v", e.Index, e.Err) }
func (e *TextError) Unwrap() error { return e.Err }

// EncodeAll is [Tokenizer.Encode] for many texts, on all cores. The encodings
// are in the order of the texts. When ctx ends, it stops and returns its cause;
// a text that cannot be encoded gives a [*TextError].
func (t *Tokenizer) EncodeAll(ctx context.Context, texts []Text, maxLength int) ([]Encoding, error) {
	const share = 64 // texts a goroutine takes at a time
	encodings := make([]Encoding, len(texts))
	var taken atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), (len(texts)+share-1)/share) {
		group.Go(func() error {
			s := t.scratch.Get().(*scratch)
			defer t.release(s)
			for {
				start := int(taken.Add(share)) - share
				if start >= len(texts) {
					return nil
				}
				for i := start; i < min(start+share, len(texts)); i++ {
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					var err error
					if encodings[i], err = t.encode(s, texts[i], maxLength); err != nil {
						return &TextError{i, err}
					}
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("tokenize: encoding %d texts: %w", len(texts), err)
	}
	return encodings, nil
}
