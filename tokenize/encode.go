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
	defer t.release(s)
	e, err := t.encode(s, Text{Text: text, Pair: pair}, maxLength)
	if err != nil {
		return Encoding{}, fmt.Errorf("tokenize: encoding a text: %w", err)
	}
	return e, nil
}

// release puts a scratch back for others.
func (t *Tokenizer) release(s *scratch) {
	s.trim()
	t.scratch.Put(s)
}

func (t *Tokenizer) encode(s *scratch, text Text, maxLength int) (Encoding, error) {
	if text.MaxLength != 0 {
		maxLength = text.MaxLength
	}
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

// appendIDs appends the ids of text, without special tokens, to dst.
func (t *Tokenizer) appendIDs(dst []int64, s *scratch, text string) ([]int64, error) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	s.text = append(s.text[:0], text...)
	s.arena = s.arena[:0]
	s.raw = t.vocabulary.raw.appendSegments(s.raw[:0], s.text)
	first := true
	for _, outer := range s.raw {
		if outer.id >= 0 {
			dst = append(dst, outer.id)
			first = false
			continue
		}
		norm, beheaded, err := t.normalizers.normalize(s, outer.text)
		if err != nil {
			return nil, err
		}
		first = first && !beheaded
		s.normalized = t.vocabulary.normalized.appendSegments(s.normalized[:0], norm)
		for _, inner := range s.normalized {
			if inner.id >= 0 {
				dst = append(dst, inner.id)
			} else if dst, err = t.appendWords(dst, s, word{inner.text, first}, 0); err != nil {
				return nil, err
			}
			first = false
		}
		first = false
	}
	return dst, nil
}

// appendWords appends the ids of w after the pre-tokenizers from number i on.
func (t *Tokenizer) appendWords(dst []int64, s *scratch, w word, i int) ([]int64, error) {
	if i == len(t.preTokenizers) {
		return t.appendWord(dst, s, w.text)
	}
	start := len(s.words)
	var err error
	if s.words, err = t.preTokenizers[i].appendWords(s.words, w, s); err != nil {
		return nil, err
	}
	end := len(s.words)
	for k := start; k < end; k++ {
		if dst, err = t.appendWords(dst, s, s.words[k], i+1); err != nil {
			return nil, err
		}
	}
	s.words = s.words[:start]
	return dst, nil
}

func (t *Tokenizer) appendWord(dst []int64, s *scratch, word []byte) ([]int64, error) {
	if ids, ok := s.known(word); ok {
		return append(dst, ids...), nil
	}
	start := len(dst)
	dst, err := t.vocabulary.model.appendIDs(dst, word, s)
	if err != nil {
		return nil, err
	}
	s.remember(word, dst[start:])
	return dst, nil
}
