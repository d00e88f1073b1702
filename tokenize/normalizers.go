package tokenize

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// The small normalizers. Source: Hugging Face tokenizers, normalizers/.

// beheader is a normalizer that may take away the beginning of a text.
type beheader interface {
	// beheads reports whether the normalized text begins with something else
	// than what became of the first character of text.
	beheads(text []byte) bool
}

// mapper rewrites text character by character. It answers for every character
// which to put in its place, and whether to put one at all.
type mapper func(r rune) (rune, bool)

func (m mapper) appendNormalized(dst, text []byte) ([]byte, error) {
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		i += size
		if r, ok := m(r); ok {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst, nil
}

func (m mapper) beheads(text []byte) bool {
	r, size := utf8.DecodeRune(text)
	_, ok := m(r)
	return size > 0 && !ok
}

// stripAccents removes all combining marks. It does not decompose: it follows a
// normalizer that does.
var stripAccents = mapper(func(r rune) (rune, bool) { return r, !isMark(r) })

func newStripAccents(section) (normalizer, error) { return stripAccents, nil }

// nmt makes spaces of what is white or invisible and removes controls.
var nmt = mapper(func(r rune) (rune, bool) {
	switch {
	case 0x01 <= r && r <= 0x08, r == 0x0B, 0x0E <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		return r, false
	case r == 0x09, r == 0x0A, r == 0x0C, r == 0x0D, r == 0x1680, 0x200B <= r && r <= 0x200F,
		r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
		return ' ', true
	}
	return r, true
})

func newNmt(section) (normalizer, error) { return nmt, nil }

// lowercase writes small letters, character by character: a final sigma is as any.
type lowercase struct{}

func newLowercase(section) (normalizer, error) { return lowercase{}, nil }

func (lowercase) appendNormalized(dst, text []byte) ([]byte, error) {
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		i += size
		dst = appendLower(dst, r)
	}
	return dst, nil
}

// strip removes white space at the ends.
type strip struct{ left, right bool }

func newStrip(s section) (normalizer, error) {
	var config struct {
		Left  bool `json:"strip_left"`
		Right bool `json:"strip_right"`
	}
	if err := s.decode(&config, "strip_left", "strip_right"); err != nil {
		return nil, err
	}
	return strip{config.Left, config.Right}, nil
}

func (n strip) appendNormalized(dst, text []byte) ([]byte, error) {
	if n.left {
		text = bytes.TrimLeftFunc(text, unicode.IsSpace)
	}
	if n.right {
		text = bytes.TrimRightFunc(text, unicode.IsSpace)
	}
	return append(dst, text...), nil
}

func (n strip) beheads(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return n.left && unicode.IsSpace(r)
}

// prepend puts a string before every text that is not empty.
type prepend struct{ before string }

func newPrepend(s section) (normalizer, error) {
	var config struct {
		Prepend string `json:"prepend"`
	}
	if err := s.decode(&config, "prepend"); err != nil {
		return nil, err
	}
	return prepend{config.Prepend}, nil
}

func (n prepend) appendNormalized(dst, text []byte) ([]byte, error) {
	if len(text) > 0 {
		dst = append(dst, n.before...)
	}
	return append(dst, text...), nil
}

// replace puts content in the place of every match of a pattern.
type replace struct {
	pattern pattern
	content string
}

func newReplace(s section) (normalizer, error) {
	var config struct {
		Pattern rawPattern `json:"pattern"`
		Content string     `json:"content"`
	}
	if err := s.decode(&config, "pattern", "content"); err != nil {
		return nil, err
	}
	p, err := newPattern(s.at("pattern", nil), config.Pattern)
	if err != nil {
		return nil, err
	}
	return replace{p, config.Content}, nil
}

func (n replace) appendNormalized(dst, text []byte) ([]byte, error) {
	done := 0
	err := n.pattern.each(text, func(start, end int) {
		dst = append(append(dst, text[done:start]...), n.content...)
		done = end
	})
	if err != nil {
		return nil, fmt.Errorf("normalizer Replace: %w", err)
	}
	return append(dst, text[done:]...), nil
}

// beheads follows Hugging Face tokenizers, where the replacement stands where
// the last character of the match stood.
func (n replace) beheads(text []byte) bool {
	beheaded, first := false, true
	_ = n.pattern.each(text, func(start, end int) {
		if first && start == 0 {
			beheaded = utf8.RuneCount(text[:end]) > 1
		}
		first = false
	})
	return beheaded
}

// byteNormalizer writes the bytes of a text as characters (see [byteLevel]).
type byteNormalizer struct{}

func newByteNormalizer(section) (normalizer, error) { return byteNormalizer{}, nil }

func (byteNormalizer) appendNormalized(dst, text []byte) ([]byte, error) {
	return appendByteCharacters(dst, text), nil
}
