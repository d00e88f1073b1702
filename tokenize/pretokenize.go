package tokenize

import (
	"unicode"
	"unicode/utf8"
)

// word is a piece of text on its way to the model; it is never empty.
type word struct {
	text  []byte
	first bool // its first character is the first of the text that is encoded
}

// bertPreTokenizer cuts text at white space, which goes, and around every
// punctuation character, which is a word of its own.
//
// It replaces the library's BertPreTokenizer, which runs regular expressions
// over every piece and knows other punctuation.
//
// Source: Hugging Face tokenizers, pre_tokenizers/bert.rs.
type bertPreTokenizer struct{}

func newBertPreTokenizer(section) (preTokenizer, error) { return bertPreTokenizer{}, nil }

func (bertPreTokenizer) appendWords(dst []word, w word, _ *scratch) ([]word, error) {
	text := w.text
	start := 0 // of the word being read
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		space := unicode.IsSpace(r)
		if space || isPunctuation(r) {
			if start < i {
				dst = append(dst, word{text[start:i], w.first && start == 0})
			}
			if !space {
				dst = append(dst, word{text[i : i+size], w.first && i == 0})
			}
			start = i + size
		}
		i += size
	}
	if start < len(text) {
		dst = append(dst, word{text[start:], w.first && start == 0})
	}
	return dst, nil
}

// characters cuts text where a class of characters begins and ends.
type characters struct {
	in  func(rune) bool
	how behavior
}

// whitespaceSplit cuts text at white space.
var whitespaceSplit = characters{unicode.IsSpace, removed}

func newWhitespaceSplit(section) (preTokenizer, error) { return whitespaceSplit, nil }

// newPunctuation keeps punctuation in the way that "behavior" says.
func newPunctuation(s section) (preTokenizer, error) {
	config := struct {
		Behavior behavior `json:"behavior"`
	}{isolated}
	if err := s.decode(&config); err != nil {
		return nil, err
	}
	return characters{isPunctuation, config.Behavior}, config.Behavior.check(s.at("behavior", nil))
}

// newDigits sets digits apart, each or as numbers.
func newDigits(s section) (preTokenizer, error) {
	var config struct {
		Individual bool `json:"individual_digits"`
	}
	if err := s.decode(&config, "individual_digits"); err != nil {
		return nil, err
	}
	if config.Individual {
		return characters{isNumeric, isolated}, nil
	}
	return characters{isNumeric, contiguous}, nil
}

func (p characters) appendWords(dst []word, w word, s *scratch) ([]word, error) {
	s.stretches = s.stretches[:0]
	start := 0
	for i := 0; i < len(w.text); {
		r, size := rune(w.text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(w.text[i:])
		}
		if p.in(r) {
			if start < i {
				s.stretches = append(s.stretches, stretch{start, i, false})
			}
			start = i + size
			s.stretches = append(s.stretches, stretch{i, start, true})
		}
		i += size
	}
	if start < len(w.text) {
		s.stretches = append(s.stretches, stretch{start, len(w.text), false})
	}
	return p.how.appendWords(dst, w, s.stretches), nil
}

// whitespace cuts text into runs of word characters and runs of other
// characters that are not white space: \w+|[^\w\s]+.
type whitespace struct{}

func newWhitespace(section) (preTokenizer, error) { return whitespace{}, nil }

func (whitespace) appendWords(dst []word, w word, _ *scratch) ([]word, error) {
	const none, inWord, between = 0, 1, 2
	start, kind := 0, none // of the word being read
	for i := 0; i < len(w.text); {
		r, size := utf8.DecodeRune(w.text[i:])
		now := between
		switch {
		case unicode.IsSpace(r):
			now = none
		case isWordCharacter(r):
			now = inWord
		}
		if now != kind {
			if kind != none {
				dst = append(dst, word{w.text[start:i], w.first && start == 0})
			}
			start, kind = i, now
		}
		i += size
	}
	if kind != none {
		dst = append(dst, word{w.text[start:], w.first && start == 0})
	}
	return dst, nil
}
