package tokenize

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Encoding is a tokenized text or pair of texts. Its slices have the same
// length T, special tokens included; nothing is padded.
type Encoding struct {
	IDs           []int64 // token ids, shape [T]
	TypeIDs       []int64 // segment of each token, 0 or 1, shape [T]
	AttentionMask []int64 // all ones, shape [T]
	Truncated     bool    // tokens were dropped to fit the maximum length
}

// Encode tokenizes text, or text and pair, with special tokens, into at most
// maxLength tokens; 0 is no limit. What is too long loses tokens at its end, of
// a pair the longer sequence first (Hugging Face's longest_first). Bytes that
// are not UTF-8 are read as U+FFFD.
//
// It fails where maxLength does not even hold the special tokens.
func (t *Tokenizer) Encode(text string, pair *string, maxLength int) (Encoding, error) {
	s := t.scratch.Get().(*scratch)
	defer t.scratch.Put(s)
	e, err := t.encode(s, Text{text, pair}, maxLength)
	if err != nil {
		return Encoding{}, fmt.Errorf("tokenize: encoding a text: %w", err)
	}
	return e, nil
}

func (t *Tokenizer) encode(s *scratch, text Text, maxLength int) (Encoding, error) {
	template := t.templates.single
	if text.Pair != nil {
		template = t.templates.pair
	}
	if added := specials(template); maxLength < 0 || 0 < maxLength && maxLength < added {
		return Encoding{}, fmt.Errorf("maximum length %d does not hold the %d special tokens; use %d or more, or 0 for no limit",
			maxLength, added, added+1)
	}
	var sequences [2][]int64
	var err error
	if s.ids[0], err = t.appendIDs(s.ids[0][:0], s, text.Text); err != nil {
		return Encoding{}, err
	}
	sequences[0] = s.ids[0]
	if text.Pair != nil {
		if s.ids[1], err = t.appendIDs(s.ids[1][:0], s, *text.Pair); err != nil {
			return Encoding{}, err
		}
		sequences[1] = s.ids[1]
	}
	truncated := false
	if maxLength > 0 {
		n1, n2 := longestFirst(len(sequences[0]), len(sequences[1]), maxLength-specials(template))
		truncated = n1 < len(sequences[0]) || n2 < len(sequences[1])
		sequences[0], sequences[1] = sequences[0][:n1], sequences[1][:n2]
	}
	e := fill(template, sequences)
	e.Truncated = truncated
	return e, nil
}

// scratch is the memory one goroutine encodes with. It is kept between texts:
// words repeat, so most are found among those met before and never reach the
// model, where each costs a microsecond or more.
type scratch struct {
	text, norm      []byte
	raw, normalized []segment
	pieces          [][]byte
	ids             [2][]int64
	words           map[string][]int64 // ids of words met before
}

// A scratch remembers this many words of this many bytes before it starts anew.
const (
	maxWords     = 1 << 14
	maxWordBytes = 1 << 7
)

// appendIDs appends the ids of text, without special tokens, to dst.
func (t *Tokenizer) appendIDs(dst []int64, s *scratch, text string) ([]int64, error) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	s.text = append(s.text[:0], text...)
	s.raw = t.vocabulary.raw.appendSegments(s.raw[:0], s.text)
	for _, outer := range s.raw {
		if outer.id >= 0 {
			dst = append(dst, outer.id)
			continue
		}
		norm := outer.text
		if t.normalizer != nil {
			s.norm = t.normalizer.appendNormalized(s.norm[:0], outer.text)
			norm = s.norm
		}
		s.normalized = t.vocabulary.normalized.appendSegments(s.normalized[:0], norm)
		for _, inner := range s.normalized {
			if inner.id >= 0 {
				dst = append(dst, inner.id)
				continue
			}
			s.pieces = append(s.pieces[:0], inner.text)
			if t.preTokenizer != nil {
				s.pieces = t.preTokenizer.appendWords(s.pieces[:0], inner.text)
			}
			for _, word := range s.pieces {
				var err error
				if dst, err = t.appendWord(dst, s, word); err != nil {
					return nil, err
				}
			}
		}
	}
	return dst, nil
}

func (t *Tokenizer) appendWord(dst []int64, s *scratch, word []byte) ([]int64, error) {
	if ids, ok := s.words[string(word)]; ok {
		return append(dst, ids...), nil
	}
	tokens, err := t.vocabulary.model.Tokenize(string(word))
	if err != nil {
		return nil, fmt.Errorf("word %q: %w", word, err)
	}
	start := len(dst)
	for _, token := range tokens {
		dst = append(dst, int64(token.Id))
	}
	if len(word) <= maxWordBytes {
		if len(s.words) == maxWords {
			clear(s.words)
		}
		s.words[string(word)] = append([]int64(nil), dst[start:]...)
	}
	return dst, nil
}
