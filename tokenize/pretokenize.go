package tokenize

import (
	"unicode"
	"unicode/utf8"
)

// bertPreTokenizer cuts text at white space, which goes, and around every
// punctuation character, which is a word of its own.
//
// It replaces the library's BertPreTokenizer, which runs regular expressions
// over every piece and knows other punctuation.
//
// Source: Hugging Face tokenizers, pre_tokenizers/bert.rs.
type bertPreTokenizer struct{}

func newBertPreTokenizer(section) (preTokenizer, error) { return bertPreTokenizer{}, nil }

func (bertPreTokenizer) appendWords(dst [][]byte, text []byte) [][]byte {
	start := 0 // of the word being read
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		space := unicode.IsSpace(r)
		if space || isPunctuation(r) {
			if start < i {
				dst = append(dst, text[start:i])
			}
			if !space {
				dst = append(dst, text[i:i+size])
			}
			start = i + size
		}
		i += size
	}
	if start < len(text) {
		dst = append(dst, text[start:])
	}
	return dst
}
