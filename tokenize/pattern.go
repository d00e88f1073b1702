package tokenize

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/dlclark/regexp2/v2"
)

// pattern is a string or a regular expression to look for: one of the two.
type pattern struct {
	literal []byte
	regexp  *regexp2.Regexp
}

// rawPattern is a pattern as tokenizer.json holds it.
type rawPattern struct {
	String *string
	Regex  *string
}

// matchTimeout bounds the time that matching an expression in one text may
// take: expressions come from files, and a backtracking engine can be made to
// take for ever. It is far above what the expressions of real tokenizers need,
// which are linear, on the longest texts.
const matchTimeout = 10 * time.Second

// newPattern compiles a pattern.
//
// Regular expressions in tokenizer.json are Oniguruma's: lookahead occurs in
// them, and \s, \d and \w are of Unicode, neither of which Go's regexp has.
// github.com/dlclark/regexp2 has both, is kept and matches within a time limit.
// The expression of nearly all byte-level tokenizers is written out in
// bytelevel.go instead.
func newPattern(s section, raw rawPattern) (pattern, error) {
	switch {
	case raw.String != nil && raw.Regex == nil:
		return pattern{literal: []byte(*raw.String)}, nil
	case raw.Regex != nil && raw.String == nil:
		p, err := compilePattern(*raw.Regex)
		if err != nil {
			return pattern{}, s.at("Regex", nil).errorf("%w: %w", ErrUnsupportedModel, err)
		}
		return p, nil
	}
	return pattern{}, s.errorf(`want {"String": "…"} or {"Regex": "…"}`)
}

func compilePattern(expr string) (pattern, error) {
	expr, err := translate(expr)
	if err != nil {
		return pattern{}, err
	}
	re, err := regexp2.Compile(expr, regexp2.Multiline) // ^ and $ are at lines, as in Oniguruma
	if err != nil {
		return pattern{}, err
	}
	re.MatchTimeout = matchTimeout
	return pattern{regexp: re}, nil
}

// The classes of Oniguruma, in Unicode 16, as members of a character class.
var (
	letterClass = `\p{L}` + members(letters16)
	numberClass = `\p{N}` + members(digits16)
	digitClass  = `\p{Nd}` + members(digits16)
	wordClass   = `\p{Nl}\p{Other_Alphabetic}\p{M}\p{Pc}` + letterClass + digitClass + members(marks16)
	// On its own, \w knows the six numbers of Latin-1 as well.
	wordAlone = wordClass + `\u00B2\u00B3\u00B9\u00BC-\u00BE`
	// wordBoundary is \b.
	wordBoundary = `(?:(?<=[` + wordAlone + `])(?![` + wordAlone + `])|(?<![` + wordAlone + `])(?=[` + wordAlone + `]))`
)

// members writes a table as members of a character class.
func members(table *unicode.RangeTable) string {
	var b strings.Builder
	for _, r := range table.R16 {
		fmt.Fprintf(&b, "%c-%c", r.Lo, r.Hi)
	}
	for _, r := range table.R32 {
		fmt.Fprintf(&b, "%c-%c", r.Lo, r.Hi)
	}
	return b.String()
}

// classes are the escapes that stand for classes: within a character class, and
// on their own.
var classes = map[string][2]string{
	`\w`:     {wordClass, "[" + wordAlone + "]"},
	`\W`:     {"", "[^" + wordAlone + "]"},
	`\d`:     {digitClass, "[" + digitClass + "]"},
	`\D`:     {"", "[^" + digitClass + "]"},
	`\p{L}`:  {letterClass, "[" + letterClass + "]"},
	`\P{L}`:  {"", "[^" + letterClass + "]"},
	`\p{N}`:  {numberClass, "[" + numberClass + "]"},
	`\P{N}`:  {"", "[^" + numberClass + "]"},
	`\p{Nd}`: {digitClass, "[" + digitClass + "]"},
	`\b`:     {"", wordBoundary},
	`\B`:     {},
	`\h`:     {},
	`\H`:     {},
}

// translate writes an expression of Oniguruma for regexp2. What differs in
// meaning is spelt out, or refused where it cannot be.
func translate(expr string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\' && i+1 < len(expr):
			escape := expr[i : i+2]
			if end := strings.IndexByte(expr[i:], '}'); end > 0 && strings.ContainsAny(expr[i+1:i+2], "pP") {
				escape = expr[i : i+end+1]
			}
			i += len(escape) - 1
			if forms, ok := classes[escape]; ok {
				if escape = forms[1]; inClass {
					escape = forms[0]
				}
				if escape == "" {
					return "", fmt.Errorf("%s is not understood here", expr[:i+1])
				}
			}
			b.WriteString(escape)
		case inClass && (c == '[' || strings.HasPrefix(expr[i:], "&&")):
			return "", errors.New("a character class within another is not understood")
		case c == '[':
			inClass = true
			b.WriteByte(c)
			for i+1 < len(expr) && (expr[i+1] == '^' || expr[i+1] == ']' && expr[i] != ']') {
				i++ // a bracket that comes first closes nothing
				b.WriteByte(expr[i])
			}
		case c == ']':
			inClass = false
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// each calls f for the matches in text from left to right. An empty text has
// none, not even of what matches nothing.
func (p pattern) each(text []byte, f func(start, end int)) error {
	if len(text) == 0 {
		return nil
	}
	if p.regexp != nil {
		matches, err := p.regexp.FindAllStringIndex(string(text), -1)
		if err != nil {
			return err
		}
		for _, m := range matches {
			f(m[0], m[1])
		}
		return nil
	}
	if len(p.literal) == 0 { // lies between all characters
		for i := range string(text) {
			f(i, i)
		}
		f(len(text), len(text))
		return nil
	}
	for at := 0; ; {
		i := bytes.Index(text[at:], p.literal)
		if i < 0 {
			return nil
		}
		f(at+i, at+i+len(p.literal))
		at += i + len(p.literal)
	}
}
