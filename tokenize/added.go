package tokenize

import (
	"bytes"
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token cut out of the text before the model sees it, such as
// a literal "[SEP]".
type addedToken struct {
	content             []byte
	id                  int64
	wholeWord           bool // only where no word character adjoins
	eatsLeft, eatsRight bool // swallows the white space on that side
}

// segment is a stretch of text, or an added token.
type segment struct {
	text []byte
	id   int64 // of the added token; -1 for text
}

// matcher finds added tokens, leftmost first and longest at the same place.
//
// It replaces the library's, which compiles its expressions again for every
// text and returns matches in the order of ids rather than places.
//
// Source: Hugging Face tokenizers, tokenizer/added_vocabulary.rs (find_matches).
type matcher struct {
	byFirst [256][]addedToken // by first byte, longest first
	empty   bool
}

func newMatcher(tokens []addedToken) *matcher {
	m := &matcher{empty: len(tokens) == 0}
	for _, token := range tokens {
		first := token.content[0]
		m.byFirst[first] = append(m.byFirst[first], token)
	}
	for _, same := range m.byFirst {
		slices.SortStableFunc(same, func(a, b addedToken) int { return cmp.Compare(len(b.content), len(a.content)) })
	}
	return m
}

// appendSegments appends the segments of text, which they cover, to dst.
func (m *matcher) appendSegments(dst []segment, text []byte) []segment {
	done := 0 // text before is covered
	for i := 0; i < len(text) && !m.empty; {
		token := m.at(text, i)
		if token == nil {
			i++
			continue
		}
		start, end := i, i+len(token.content)
		i = end
		if token.wholeWord && (endsInWord(text[:start]) || startsInWord(text[end:])) {
			continue
		}
		if token.eatsLeft {
			start = len(bytes.TrimRightFunc(text[:start], unicode.IsSpace))
		}
		if token.eatsRight {
			end = len(text) - len(bytes.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if done < start {
			dst = append(dst, segment{text[done:start], -1})
		}
		dst = append(dst, segment{nil, token.id})
		done = end
	}
	if done < len(text) {
		dst = append(dst, segment{text[done:], -1})
	}
	return dst
}

func (m *matcher) at(text []byte, i int) *addedToken {
	same := m.byFirst[text[i]]
	for k := range same {
		if bytes.HasPrefix(text[i:], same[k].content) {
			return &same[k]
		}
	}
	return nil
}

func endsInWord(text []byte) bool {
	r, size := utf8.DecodeLastRune(text)
	return size > 0 && isWordCharacter(r)
}

func startsInWord(text []byte) bool {
	r, size := utf8.DecodeRune(text)
	return size > 0 && isWordCharacter(r)
}
