package tokenize

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// bertNormalizer cleans text as BERT does, in this order: control characters
// go and white space becomes a space (cleanText); ideographs get spaces around
// them (spaceIdeographs); text is decomposed (NFD) and loses its nonspacing
// marks (stripAccents); capitals become small letters (lowercase).
//
// It replaces the library's BertNormalizer, which does not decompose, so that
// "é" keeps its accent, panics on "İ" and others while it tracks offsets, which
// nothing here reads, and is slow.
//
// Source: Hugging Face tokenizers, normalizers/bert.rs.
type bertNormalizer struct {
	cleanText, spaceIdeographs, stripAccents, lowercase bool
}

func newBertNormalizer(s section) (normalizer, error) {
	var config struct {
		CleanText    bool  `json:"clean_text"`
		Ideographs   bool  `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"`
		Lowercase    bool  `json:"lowercase"`
	}
	if err := s.decode(&config, "clean_text", "handle_chinese_chars", "lowercase"); err != nil {
		return nil, err
	}
	n := bertNormalizer{config.CleanText, config.Ideographs, config.Lowercase, config.Lowercase}
	if config.StripAccents != nil { // corrected: null follows lowercase
		n.stripAccents = *config.StripAccents
	}
	return n, nil
}

func (n bertNormalizer) appendNormalized(dst, text []byte) ([]byte, error) {
	var marks []mark
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		char := text[i : i+size]
		i += size

		if n.cleanText {
			switch {
			case r == '\t' || r == '\n' || r == '\r':
				r = ' '
			case r < utf8.RuneSelf:
				if r < ' ' || r == 0x7F {
					continue
				}
			case r == utf8.RuneError || isOther(r):
				continue
			case unicode.IsSpace(r):
				r = ' '
			}
		}
		if r < utf8.RuneSelf {
			dst = n.appendMarks(dst, marks)
			marks = marks[:0]
			dst = n.appendLower(dst, r)
			continue
		}
		spaced := n.spaceIdeographs && isIdeograph(r)
		if spaced {
			dst = append(n.appendMarks(dst, marks), ' ')
			marks = marks[:0]
		}
		if n.stripAccents {
			dst, marks = n.appendStripped(dst, marks, r, char)
		} else {
			dst = n.appendLower(dst, r)
		}
		if spaced {
			dst = append(dst, ' ')
		}
	}
	return n.appendMarks(dst, marks), nil
}

// appendStripped appends the canonical decomposition of r, encoded as char,
// without its nonspacing marks. Other combining characters wait in marks.
//
// Text is decomposed one character at a time because norm.NFD on whole text
// breaks runs of more than thirty combining characters (stream-safe format),
// which Hugging Face tokenizers does not.
func (n bertNormalizer) appendStripped(dst []byte, marks []mark, r rune, char []byte) ([]byte, []mark) {
	known := unicode.Is(unicode9, r)
	var hangul [9]byte
	switch {
	case !known:
	case isSyllable(r): // which norm.Properties leaves out
		char = appendHangul(hangul[:0], r)
	default:
		if d := norm.NFD.Properties(char).Decomposition(); d != nil {
			char = d
		}
	}
	for len(char) > 0 {
		d, size := utf8.DecodeRune(char)
		class := uint8(0)
		if known {
			class = norm.NFD.Properties(char).CCC()
		}
		char = char[size:]
		if class == 0 {
			dst = n.appendMarks(dst, marks)
			marks = marks[:0]
		}
		switch {
		case isNonspacingMark(d):
		case class == 0:
			dst = n.appendLower(dst, d)
		default:
			marks = append(marks, mark{d, class})
		}
	}
	return dst, marks
}

// appendMarks appends the waiting marks in canonical order.
func (n bertNormalizer) appendMarks(dst []byte, marks []mark) []byte {
	if len(marks) == 0 {
		return dst
	}
	slices.SortStableFunc(marks, func(a, b mark) int { return cmp.Compare(a.class, b.class) })
	for _, m := range marks {
		dst = n.appendLower(dst, m.r)
	}
	return dst
}

func (n bertNormalizer) appendLower(dst []byte, r rune) []byte {
	if n.lowercase {
		return appendLower(dst, r)
	}
	return utf8.AppendRune(dst, r)
}

// beheads reports whether text begins with a character that goes: all other
// normalizations keep something of it in its place.
func (n bertNormalizer) beheads(text []byte) bool {
	_, size := utf8.DecodeRune(text)
	first, err := n.appendNormalized(nil, text[:size])
	return err == nil && len(first) == 0
}
