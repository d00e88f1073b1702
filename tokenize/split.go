package tokenize

import "fmt"

// split cuts text at the matches of a pattern, or, inverted, between them.
//
// Source: Hugging Face tokenizers, pre_tokenizers/split.rs and
// tokenizer/normalizer.rs (SplitDelimiterBehavior).
type split struct {
	pattern pattern
	how     behavior
	invert  bool
}

func newSplit(s section) (preTokenizer, error) {
	var config struct {
		Pattern  rawPattern `json:"pattern"`
		Behavior behavior   `json:"behavior"`
		Invert   bool       `json:"invert"`
	}
	if err := s.decode(&config, "pattern", "behavior", "invert"); err != nil {
		return nil, err
	}
	p, err := newPattern(s.at("pattern", nil), config.Pattern)
	if err != nil {
		return nil, err
	}
	return split{p, config.Behavior, config.Invert}, config.Behavior.check(s.at("behavior", nil))
}

func (p split) appendWords(dst []word, w word, s *scratch) ([]word, error) {
	s.stretches = s.stretches[:0]
	done := 0
	err := p.pattern.each(w.text, func(start, end int) {
		if done < start {
			s.stretches = append(s.stretches, stretch{done, start, p.invert})
		}
		s.stretches = append(s.stretches, stretch{start, end, !p.invert})
		done = end
	})
	if err != nil {
		return nil, fmt.Errorf("pre-tokenizer Split: %w", err)
	}
	if done < len(w.text) {
		s.stretches = append(s.stretches, stretch{done, len(w.text), p.invert})
	}
	return p.how.appendWords(dst, w, s.stretches), nil
}

// stretch is a part of a text that is a delimiter or lies between such.
type stretch struct {
	start, end int
	delimiter  bool
}

// behavior says what becomes of delimiters.
type behavior string

const (
	removed            behavior = "Removed"
	isolated           behavior = "Isolated"           // words of their own
	mergedWithPrevious behavior = "MergedWithPrevious" // the end of the word before
	mergedWithNext     behavior = "MergedWithNext"     // the beginning of the word behind
	contiguous         behavior = "Contiguous"         // delimiters side by side are one word
)

func (b behavior) check(s section) error {
	switch b {
	case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous:
		return nil
	}
	return s.errorf("%q: want one of: %s, %s, %s, %s, %s", string(b), contiguous, isolated, mergedWithNext, mergedWithPrevious, removed)
}

// appendWords appends the words that the stretches of w, in order and covering
// it, make up.
func (b behavior) appendWords(dst []word, w word, stretches []stretch) []word {
	start := 0 // of the word being read
	for i, at := range stretches {
		if b == removed && at.delimiter {
			start = at.end
			continue
		}
		if i+1 < len(stretches) && b.joins(at, stretches[i+1]) {
			continue
		}
		if start < at.end {
			dst = append(dst, word{w.text[start:at.end], w.first && start == 0})
		}
		start = at.end
	}
	return dst
}

// joins reports whether two neighbouring stretches are parts of one word.
func (b behavior) joins(left, right stretch) bool {
	switch b {
	case contiguous:
		return left.delimiter == right.delimiter
	case mergedWithPrevious:
		return !left.delimiter && right.delimiter
	case mergedWithNext:
		return left.delimiter && !right.delimiter
	}
	return false
}
