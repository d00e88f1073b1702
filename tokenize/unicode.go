package tokenize

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/rangetable"
)

// Hugging Face tokenizers reads character classes from several Unicode versions:
// categories from 8.0 (crate unicode_categories), decompositions, combining
// classes and marks from 9.0 (crate unicode-normalization-alignments), classes
// of regular expressions from 16.0 (Oniguruma, crate regex), lower case, white
// space and numbers from Rust's standard library (17.0), grapheme clusters from
// 17.0 (crate unicode-segmentation). A character these versions do not know is
// an ordinary letter to them. Go and golang.org/x/text know 15.0, so their
// tables are cut back to what was assigned then, or added to; the few characters
// whose category changed since are listed. A test compares every code point with
// tokenizers 0.23.3.
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
func isMark(r rune) bool {
	switch r {
	case 0x1CF2, 0x1CF3: // now Lo
		return true
	case 0x111C9: // was Po
		return false
	}
	return unicode.Is(unicode.M, r) && unicode.Is(unicode9, r)
}

// isLetter and isNumber report whether r is of category L or N, in Unicode 16.
func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.Is(letters16, r) }
func isNumber(r rune) bool { return unicode.IsNumber(r) || unicode.Is(digits16, r) }

// isNumeric reports whether r is of category N, in Unicode 17.
func isNumeric(r rune) bool {
	return isNumber(r) || 0x11DE0 <= r && r <= 0x11DE9 || 0x16FF4 <= r && r <= 0x16FF6
}

// extends reports whether Unicode 16 or 17 added r to the characters that extend
// a grapheme cluster, as far as they are shorter than four bytes.
func extends(r rune) bool {
	return r == 0x897 || 0x1ACF <= r && r <= 0x1ADD || 0x1AE0 <= r && r <= 0x1AEB
}

// The characters of category L and Nd that Unicode 15.1 and 16 added, and those
// that they added to \w besides.
var (
	letters16 = &unicode.RangeTable{
		R16: []unicode.Range16{{0x1C89, 0x1C8A, 1}, {0xA7CB, 0xA7CD, 1}, {0xA7DA, 0xA7DC, 1}},
		R32: []unicode.Range32{
			{0x105C0, 0x105F3, 1}, {0x10D4A, 0x10D65, 1}, {0x10D6F, 0x10D85, 1}, {0x10EC2, 0x10EC4, 1}, {0x11380, 0x11389, 1},
			{0x1138B, 0x1138B, 1}, {0x1138E, 0x1138E, 1}, {0x11390, 0x113B5, 1}, {0x113B7, 0x113B7, 1}, {0x113D1, 0x113D1, 1},
			{0x113D3, 0x113D3, 1}, {0x11BC0, 0x11BE0, 1}, {0x13460, 0x143FA, 1}, {0x16100, 0x1611D, 1}, {0x16D40, 0x16D6C, 1},
			{0x18CFF, 0x18CFF, 1}, {0x1E5D0, 0x1E5ED, 1}, {0x1E5F0, 0x1E5F0, 1}, {0x2EBF0, 0x2EE5D, 1},
		},
	}
	digits16 = &unicode.RangeTable{R32: []unicode.Range32{
		{0x10D40, 0x10D49, 1}, {0x116D0, 0x116E3, 1}, {0x11BF0, 0x11BF9, 1}, {0x16130, 0x16139, 1}, {0x16D70, 0x16D79, 1},
		{0x1CCF0, 0x1CCF9, 1}, {0x1E5F1, 0x1E5FA, 1},
	}}
	marks16 = &unicode.RangeTable{
		R16: []unicode.Range16{{0x897, 0x897, 1}},
		R32: []unicode.Range32{
			{0x10D69, 0x10D6D, 1}, {0x10EFC, 0x10EFC, 1}, {0x113B8, 0x113C0, 1}, {0x113C2, 0x113C2, 1}, {0x113C5, 0x113C5, 1},
			{0x113C7, 0x113CA, 1}, {0x113CC, 0x113D0, 1}, {0x113D2, 0x113D2, 1}, {0x113E1, 0x113E2, 1}, {0x11F5A, 0x11F5A, 1},
			{0x1611E, 0x1612F, 1}, {0x1E5EE, 0x1E5EF, 1},
		},
	}
)

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
// (UTS 18, annex C), in Unicode 16.
func isWordCharacter(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control,
		letters16, digits16, marks16)
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
