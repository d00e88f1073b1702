package tokenize

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/rangetable"
)

// Hugging Face tokenizers reads character classes from three Unicode versions:
// categories from 8.0 (crate unicode_categories), decompositions and combining
// classes from 9.0 (crate unicode-normalization-alignments), lower case and
// white space from Rust's standard library (17.0). A character these versions
// do not know is an ordinary letter to them. Go and golang.org/x/text know other
// versions, so their tables are cut back to what was assigned then; the few
// characters whose category changed since are listed. A test compares every
// code point with tokenizers 0.23.3.
var (
	unicode8 = rangetable.Assigned("8.0.0")
	unicode9 = rangetable.Assigned("9.0.0")
)

// isOther reports whether r is of category C: control, format or private use.
func isOther(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && unicode.Is(unicode8, r)
}

// isNonspacingMark reports whether r is of category Mn.
func isNonspacingMark(r rune) bool {
	switch r {
	case 0x1734: // now Mc
		return true
	case 0x1885, 0x1886, 0xA9BD, 0x111C9: // were Lo, Lo, Mc, Po
		return false
	}
	return unicode.Is(unicode.Mn, r) && unicode.Is(unicode8, r)
}

// isMark reports whether r is of category M, in Unicode 9.
func isMark(r rune) bool { return unicode.Is(unicode.M, r) && unicode.Is(unicode9, r) }

// isLetter and isNumber report whether r is of category L or N.
func isLetter(r rune) bool { return unicode.IsLetter(r) }
func isNumber(r rune) bool { return unicode.IsNumber(r) }

// isNumeric is isNumber of Rust's standard library.
func isNumeric(r rune) bool { return unicode.IsNumber(r) }

// isPunctuation reports whether r stands alone as a word: all of ASCII that is
// printable and neither letter, digit nor space, and category P beyond.
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	switch r {
	case 0x166D, 0x111C9: // now So, Mn
		return true
	}
	return unicode.Is(unicode.P, r) && unicode.Is(unicode8, r)
}

// isIdeograph reports whether r is one of the characters BERT surrounds with
// spaces: the unified and compatibility ideographs. Extension E begins at
// 2B920 as in Hugging Face tokenizers, not at 2B820 as in Unicode and the library.
func isIdeograph(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF ||
		0x3400 <= r && r <= 0x4DBF ||
		0xF900 <= r && r <= 0xFAFF ||
		0x20000 <= r && r <= 0x2A6DF ||
		0x2A700 <= r && r <= 0x2B81F ||
		0x2B920 <= r && r <= 0x2CEAF ||
		0x2F800 <= r && r <= 0x2FA1F
}

// isWordCharacter reports whether r is \w of Unicode regular expressions
// (UTS 18, annex C).
func isWordCharacter(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control)
}

// toLower returns the lower case of r where it is one character; U+0130, the
// only one where it is two, is the caller's.
func toLower(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}
	return lowerSince16.ToLower(r)
}

// appendLower appends the lower case of r.
func appendLower(dst []byte, r rune) []byte {
	if r == 0x130 {
		return append(dst, "i\u0307"...)
	}
	return utf8.AppendRune(dst, toLower(r))
}

// lowerSince16 holds the capitals added by Unicode 16 and 17.
var lowerSince16 = unicode.SpecialCase{
	{Lo: 0x1C89, Hi: 0x1C89, Delta: lowerBy(1)},
	{Lo: 0xA7CB, Hi: 0xA7CB, Delta: lowerBy(0x264 - 0xA7CB)},
	{Lo: 0xA7CC, Hi: 0xA7CC, Delta: lowerBy(1)},
	{Lo: 0xA7CE, Hi: 0xA7CE, Delta: lowerBy(1)},
	{Lo: 0xA7D2, Hi: 0xA7D2, Delta: lowerBy(1)},
	{Lo: 0xA7D4, Hi: 0xA7D4, Delta: lowerBy(1)},
	{Lo: 0xA7DA, Hi: 0xA7DA, Delta: lowerBy(1)},
	{Lo: 0xA7DC, Hi: 0xA7DC, Delta: lowerBy(0x19B - 0xA7DC)},
	{Lo: 0x10D50, Hi: 0x10D65, Delta: lowerBy(0x20)},
	{Lo: 0x16EA0, Hi: 0x16EB8, Delta: lowerBy(0x1B)},
}

func lowerBy(delta rune) [unicode.MaxCase]rune {
	return [unicode.MaxCase]rune{unicode.LowerCase: delta}
}
