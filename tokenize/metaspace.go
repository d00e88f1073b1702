package tokenize

import (
	"bytes"
	"unicode/utf8"
)

// metaspace writes spaces as a visible character, "▁", puts one before the text
// and cuts the text before every one.
//
// Source: Hugging Face tokenizers, pre_tokenizers/metaspace.rs.
type metaspace struct {
	space   []byte // the character
	prepend scheme
	cut     bool
}

// scheme says which texts get a space before them that have none.
type scheme string

const (
	always    scheme = "always"
	never     scheme = "never"
	firstOnly scheme = "first" // the first of an encoded text
)

// newMetaspace reads the fields of today and add_prefix_space of before.
func newMetaspace(s section) (preTokenizer, error) {
	var config struct {
		Replacement string  `json:"replacement"`
		PrefixSpace *bool   `json:"add_prefix_space"`
		Scheme      *scheme `json:"prepend_scheme"`
		Split       *bool   `json:"split"`
	}
	if err := s.decode(&config, "replacement"); err != nil {
		return nil, err
	}
	p := metaspace{[]byte(config.Replacement), always, config.Split == nil || *config.Split}
	if utf8.RuneCountInString(config.Replacement) != 1 {
		return nil, s.at("replacement", nil).errorf("%q: want one character", config.Replacement)
	}
	if config.Scheme != nil {
		p.prepend = *config.Scheme
	}
	switch p.prepend {
	case always, never, firstOnly:
	default:
		return nil, s.at("prepend_scheme", nil).errorf(`%q: want "always", "never" or "first"`, p.prepend)
	}
	if config.PrefixSpace != nil && !*config.PrefixSpace {
		if config.Scheme != nil && *config.Scheme != never {
			return nil, s.at("add_prefix_space", nil).errorf("false, but prepend_scheme is %q", p.prepend)
		}
		p.prepend = never
	}
	return p, nil
}

func (p metaspace) appendWords(dst []word, w word, s *scratch) ([]word, error) {
	start := len(s.arena)
	begun := bytes.HasPrefix(w.text, p.space) || w.text[0] == ' '
	if !begun && (p.prepend == always || p.prepend == firstOnly && w.first) {
		s.arena = append(s.arena, p.space...)
	}
	for _, b := range w.text {
		if b == ' ' {
			s.arena = append(s.arena, p.space...)
		} else {
			s.arena = append(s.arena, b)
		}
	}
	text := s.arena[start:len(s.arena):len(s.arena)]
	if !p.cut {
		return append(dst, word{text, w.first}), nil
	}
	for first := w.first; len(text) > 0; first = false {
		end := len(text)
		if i := bytes.Index(text[1:], p.space); i >= 0 {
			end = 1 + i
		}
		dst = append(dst, word{text[:end], first})
		text = text[end:]
	}
	return dst, nil
}
