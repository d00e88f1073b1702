package tokenize

import (
	"bytes"
	"time"

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
	re, err := regexp2.Compile(expr, regexp2.Multiline) // ^ and $ are at lines, as in Oniguruma
	if err != nil {
		return pattern{}, err
	}
	re.MatchTimeout = matchTimeout
	return pattern{regexp: re}, nil
}

// each calls f for the matches in text from left to right.
func (p pattern) each(text []byte, f func(start, end int)) error {
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
	if len(p.literal) == 0 {
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
