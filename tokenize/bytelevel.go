package tokenize

import (
	"unicode"
	"unicode/utf8"
)

// byteLevel cuts text as GPT-2 does and writes every byte of the words as a
// character of its own, so that a vocabulary of 256 characters spells all text.
//
// The cut is that of the regular expression
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// It replaces the library's ByteLevel, whose expression lacks the lookahead.
//
// Source: Radford et al. 2019 (GPT-2), encoder.py; Hugging Face tokenizers,
// pre_tokenizers/byte_level.rs.
type byteLevel struct {
	prefixSpace bool // a text that does not begin with a space gets one
	cut         bool
}

func newByteLevel(s section) (preTokenizer, error) {
	var config struct {
		PrefixSpace bool  `json:"add_prefix_space"`
		UseRegex    *bool `json:"use_regex"`
	}
	if err := s.decode(&config, "add_prefix_space"); err != nil {
		return nil, err
	}
	return byteLevel{config.PrefixSpace, config.UseRegex == nil || *config.UseRegex}, nil
}

func (p byteLevel) appendWords(dst []word, w word, s *scratch) ([]word, error) {
	text := w.text
	if p.prefixSpace && text[0] != ' ' {
		start := len(s.arena)
		s.arena = append(append(s.arena, ' '), text...)
		text = s.arena[start:]
	}
	for i := 0; i < len(text); {
		end := len(text)
		if p.cut {
			end = i + gptWord(text[i:])
		}
		start := len(s.arena)
		s.arena = appendByteCharacters(s.arena, text[i:end])
		dst = append(dst, word{s.arena[start:len(s.arena):len(s.arena)], w.first && i == 0})
		i = end
	}
	return dst, nil
}

// class is what GPT-2's expression tells apart.
type class uint8

const (
	other class = iota
	letter
	number
	white
)

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		return asciiClasses[r]
	case isLetter(r):
		return letter
	case isNumber(r):
		return number
	case unicode.IsSpace(r):
		return white
	}
	return other
}

var asciiClasses = func() (classes [utf8.RuneSelf]class) {
	for r := range classes {
		switch c := rune(r); {
		case unicode.IsLetter(c):
			classes[r] = letter
		case unicode.IsNumber(c):
			classes[r] = number
		case unicode.IsSpace(c):
			classes[r] = white
		}
	}
	return classes
}()

// gptWord returns the length of the word that text, not empty, begins with.
func gptWord(text []byte) int {
	if n := contraction(text); n > 0 {
		return n
	}
	first, _ := classAt(text)
	if first != white {
		return run(text, first)
	}
	if text[0] == ' ' && len(text) > 1 {
		if next, _ := classAt(text[1:]); next != white {
			return 1 + run(text[1:], next)
		}
	}
	// All white space to the end of the text; before a word all but the last.
	end := run(text, white)
	_, last := utf8.DecodeLastRune(text[:end])
	if end < len(text) && end > last {
		return end - last
	}
	return end
}

func contraction(text []byte) int {
	if text[0] != '\'' || len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(text) > 2 {
		switch string(text[1:3]) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

func classAt(text []byte) (class, int) {
	if text[0] < utf8.RuneSelf {
		return asciiClasses[text[0]], 1
	}
	r, size := utf8.DecodeRune(text)
	return classOf(r), size
}

// run returns the length of the characters of class c that text begins with.
func run(text []byte, c class) int {
	i := 0
	for i < len(text) {
		have, size := classAt(text[i:])
		if have != c {
			break
		}
		i += size
	}
	return i
}

// byteCharacters holds the character for every byte, encoded: the printable
// characters of Latin-1 for themselves, those from U+0100 for the other bytes in order.
var byteCharacters = func() (table [256]string) {
	next := rune(0x100)
	for b := range table {
		r := rune(b)
		if !('!' <= r && r <= '~' || 0xA1 <= r && r <= 0xAC || 0xAE <= r) {
			r = next
			next++
		}
		table[b] = string(r)
	}
	return table
}()

func appendByteCharacters(dst, text []byte) []byte {
	for _, b := range text {
		if '!' <= b && b <= '~' {
			dst = append(dst, b)
		} else {
			dst = append(dst, byteCharacters[b]...)
		}
	}
	return dst
}
