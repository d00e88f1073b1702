package tokenize

import (
	"slices"
	"sync"
)

// Tokenizer turns text into token ids. It is immutable and safe for concurrent use.
type Tokenizer struct {
	normalizers   chain
	preTokenizers []preTokenizer // none: a text is one word
	vocabulary    *vocabulary
	templates     *templates
	padID         int64
	files         []string
	scratch       sync.Pool // of *scratch
}

func newTokenizer() *Tokenizer {
	t := &Tokenizer{}
	t.scratch.New = func() any { return newScratch() }
	return t
}

// PadID returns the id of the padding token, which fills batches up: the one
// tokenizer_config.json, special_tokens_map.json or tokenizer.json name, else
// that of "[PAD]" or "<pad>". It is 0 where there is none; padding is masked,
// so any id serves.
func (t *Tokenizer) PadID() int64 { return t.padID }

// VocabSize returns the number of rows an embedding table needs for the ids:
// the largest, added tokens included, and one.
func (t *Tokenizer) VocabSize() int { return t.vocabulary.size }

// Files returns the paths of the tokenizer's files that exist in its directory,
// to be copied beside an export: tokenizer.json, tokenizer_config.json,
// special_tokens_map.json and vocab.txt.
func (t *Tokenizer) Files() []string { return slices.Clone(t.files) }
