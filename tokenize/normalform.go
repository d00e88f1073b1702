package tokenize

import (
	"cmp"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm brings text into a Unicode normal form (UAX 15) of Unicode 9, as
// Hugging Face tokenizers does. The tables are golang.org/x/text's, cut back to
// what Unicode 9 knew; its iterators are not used, for they break runs of more
// than thirty combining characters.
type normalForm struct {
	compatible bool // NFKC, NFKD
	composed   bool // NFC, NFKC
}

func newNormalForm(n normalForm) func(section) (normalizer, error) {
	return func(section) (normalizer, error) { return n, nil }
}

// limit is the first character that may change or combine: those below stand
// for themselves and begin anew, whatever comes before.
func (n normalForm) limit() rune {
	switch {
	case n.compatible:
		return 0xA0
	case n.composed:
		return 0x300
	}
	return 0xC0
}

func (n normalForm) appendNormalized(dst, text []byte) ([]byte, error) {
	limit := n.limit()
	start := 0 // of the stretch being read: one character below limit, then those above
	above := false
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		switch {
		case r >= limit:
			above = true
		case above:
			dst = n.appendStretch(dst, text[start:i])
			start, above = i, false
		default:
			dst = append(dst, text[start:i]...)
			start = i
		}
		i += size
	}
	if above {
		return n.appendStretch(dst, text[start:]), nil
	}
	return append(dst, text[start:]...), nil
}

// mark is a character and its canonical combining class.
type mark struct {
	r     rune
	class uint8
}

// appendStretch decomposes, orders and composes text.
func (n normalForm) appendStretch(dst, text []byte) []byte {
	var room [64]mark
	marks := room[:0]
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		marks = n.appendDecomposed(marks, r, text[i:i+size])
		i += size
	}
	order(marks)
	if n.composed {
		marks = compose(marks)
	}
	for _, m := range marks {
		dst = utf8.AppendRune(dst, m.r)
	}
	return dst
}

// appendDecomposed appends the full decomposition of r, encoded as char.
func (n normalForm) appendDecomposed(dst []mark, r rune, char []byte) []mark {
	if !unicode.Is(unicode9, r) {
		return append(dst, mark{r, 0})
	}
	form := norm.NFD
	if n.compatible {
		form = norm.NFKD
	}
	var hangul [9]byte
	if isSyllable(r) {
		char = appendHangul(hangul[:0], r)
	} else if d := form.Properties(char).Decomposition(); d != nil {
		char = d
	}
	for len(char) > 0 {
		d, size := utf8.DecodeRune(char)
		dst = append(dst, mark{d, form.Properties(char).CCC()})
		char = char[size:]
	}
	return dst
}

// order puts every run of combining characters in canonical order.
func order(marks []mark) {
	for i := 0; i < len(marks); i++ {
		end := i
		for end < len(marks) && marks[end].class > 0 {
			end++
		}
		if end-i > 1 {
			slices.SortStableFunc(marks[i:end], func(a, b mark) int { return cmp.Compare(a.class, b.class) })
		}
		i = end
	}
}

// compose puts primary composites in the place of a starter and what follows it
// unblocked, in place.
func compose(marks []mark) []mark {
	starter := -1 // place of the last starter
	kept := marks[:0]
	for _, m := range marks {
		if starter >= 0 {
			last := kept[len(kept)-1]
			if blocked := starter < len(kept)-1 && last.class >= m.class; !blocked {
				if r, ok := composition(kept[starter].r, m.r); ok {
					kept[starter].r = r
					continue
				}
			}
		}
		if m.class == 0 {
			starter = len(kept)
		}
		kept = append(kept, m)
	}
	return kept
}

// Hangul syllables (Unicode standard, 3.12): 19 leading consonants, 21 vowels,
// 27 trailing consonants or none.
const (
	hangulS, hangulL, hangulV, hangulT = 0xAC00, 0x1100, 0x1161, 0x11A7
	countL, countV, countT             = 19, 21, 28
)

func isSyllable(r rune) bool { return hangulS <= r && r < hangulS+countL*countV*countT }

// appendHangul appends the letters of a syllable.
func appendHangul(dst []byte, syllable rune) []byte {
	i := syllable - hangulS
	dst = utf8.AppendRune(dst, hangulL+i/(countV*countT))
	dst = utf8.AppendRune(dst, hangulV+i%(countV*countT)/countT)
	if i%countT != 0 {
		dst = utf8.AppendRune(dst, hangulT+i%countT)
	}
	return dst
}

// composition returns the primary composite of two characters.
func composition(a, b rune) (rune, bool) {
	switch {
	case hangulL <= a && a < hangulL+countL && hangulV <= b && b < hangulV+countV:
		return hangulS + ((a-hangulL)*countV+(b-hangulV))*countT, true
	case isSyllable(a) && (a-hangulS)%countT == 0 && hangulT < b && b < hangulT+countT:
		return a + (b - hangulT), true
	}
	r, ok := compositions()[[2]rune{a, b}]
	return r, ok
}

// compositions returns the primary composites of Unicode 9 by their two parts.
var compositions = sync.OnceValue(func() map[[2]rune]rune {
	table := map[[2]rune]rune{}
	for c := rune(0xC0); c <= 0x2FA1F; c++ {
		if isSyllable(c) || !unicode.Is(unicode9, c) {
			continue
		}
		d := norm.NFD.PropertiesString(string(c)).Decomposition()
		if d == nil || norm.NFC.String(string(c)) != string(c) {
			continue // nothing to compose, or excluded from composition
		}
		last, size := utf8.DecodeLastRune(d)
		first := []rune(norm.NFC.String(string(d[:len(d)-size])))
		if len(first) == 1 {
			table[[2]rune{first[0], last}] = c
		}
	}
	return table
})
