package tokenize

import (
	"math"
	"strings"
)

// templates says how sequences and special tokens make up an encoding: single
// for one text (A), pair for two (A and B).
type templates struct {
	single, pair []piece
}

// piece is one part of a template: a sequence, or special tokens.
type piece struct {
	sequence int     // 0 for A, 1 for B, special for special tokens
	ids      []int64 // of the special tokens
	typeID   int64   // of all tokens of the piece
}

const special = -1

// bare is the template of a tokenizer.json without a post-processor.
var bare = templates{
	single: []piece{{sequence: 0}},
	pair:   []piece{{sequence: 0}, {sequence: 1, typeID: 1}},
}

// specials counts the special tokens of a template.
func specials(template []piece) int {
	n := 0
	for _, p := range template {
		n += len(p.ids)
	}
	return n
}

// fill sets the sequences into the template.
func fill(template []piece, sequences [2][]int64) Encoding {
	n := specials(template)
	for _, p := range template {
		if p.sequence != special {
			n += len(sequences[p.sequence])
		}
	}
	numbers := make([]int64, 3*n) // one allocation for the three
	e := Encoding{IDs: numbers[:0:n], TypeIDs: numbers[n : n : 2*n], AttentionMask: numbers[2*n : 2*n]}
	for _, p := range template {
		ids := p.ids
		if p.sequence != special {
			ids = sequences[p.sequence]
		}
		e.IDs = append(e.IDs, ids...)
		for range ids {
			e.TypeIDs = append(e.TypeIDs, p.typeID)
			e.AttentionMask = append(e.AttentionMask, 1)
		}
	}
	return e
}

// newTemplateProcessing reads a post-processor that spells its templates out.
//
// Source: Hugging Face tokenizers, processors/template.rs. A template naming a
// special token that is not listed panics there and in the library.
func newTemplateProcessing(s section) (*templates, error) {
	var config struct {
		Single  []rawPiece `json:"single"`
		Pair    []rawPiece `json:"pair"`
		Special map[string]struct {
			IDs []uint32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := s.decode(&config, "single", "pair", "special_tokens"); err != nil {
		return nil, err
	}
	resolve := func(s section, raws []rawPiece, sequences string) ([]piece, error) {
		var pieces []piece
		for _, raw := range raws {
			switch token, sequence := raw.SpecialToken, raw.Sequence; {
			case token != nil && sequence == nil:
				listed, ok := config.Special[token.ID]
				if !ok {
					return nil, s.errorf("special token %q is not in post_processor.special_tokens", token.ID)
				}
				p := piece{sequence: special, typeID: int64(token.TypeID)}
				for _, id := range listed.IDs {
					p.ids = append(p.ids, int64(id))
				}
				pieces = append(pieces, p)
			case sequence != nil && token == nil && len(sequence.ID) == 1 && strings.Contains(sequences, sequence.ID):
				pieces = append(pieces, piece{sequence: int(sequence.ID[0] - 'A'), typeID: int64(sequence.TypeID)})
			default:
				return nil, s.errorf("want pieces that are a SpecialToken or a Sequence with id among %q", sequences)
			}
		}
		return pieces, nil
	}
	var t templates
	var err error
	if t.single, err = resolve(s.at("single", nil), config.Single, "A"); err != nil {
		return nil, err
	}
	if t.pair, err = resolve(s.at("pair", nil), config.Pair, "AB"); err != nil {
		return nil, err
	}
	return &t, nil
}

// rawPiece is a piece as tokenizer.json holds it: one of the two.
type rawPiece struct {
	SpecialToken, Sequence *struct {
		ID     string `json:"id"`
		TypeID uint32 `json:"type_id"`
	}
}

// newBertProcessing reads BERT's post-processor.
//
// Source: Hugging Face tokenizers, processors/bert.rs.
func newBertProcessing(s section) (*templates, error) {
	token, err := clsAndSep(s)
	if err != nil {
		return nil, err
	}
	return bertTemplates(nil, token), nil
}

// newRobertaProcessing reads RoBERTa's post-processor.
//
// Source: Hugging Face tokenizers, processors/roberta.rs.
func newRobertaProcessing(s section) (*templates, error) {
	token, err := clsAndSep(s)
	if err != nil {
		return nil, err
	}
	return robertaTemplates(nil, token), nil
}

// clsAndSep reads the two special tokens [token, id] of BERT and RoBERTa and
// returns them by their roles.
func clsAndSep(s section) (func(role string) piece, error) {
	var config struct {
		Sep [2]any `json:"sep"`
		Cls [2]any `json:"cls"`
	}
	if err := s.decode(&config, "sep", "cls"); err != nil {
		return nil, err
	}
	cls, ok1 := config.Cls[1].(float64)
	sep, ok2 := config.Sep[1].(float64)
	if !ok1 || !ok2 || cls < 0 || sep < 0 || cls > math.MaxInt32 || sep > math.MaxInt32 || cls != math.Trunc(cls) || sep != math.Trunc(sep) {
		return nil, s.errorf("want cls and sep as [token, id]")
	}
	return func(role string) piece {
		id := int64(sep)
		if role == "cls_token" {
			id = int64(cls)
		}
		return piece{sequence: special, ids: []int64{id}}
	}, nil
}

// newByteLevelProcessing reads a post-processor that moves offsets only.
func newByteLevelProcessing(section) (*templates, error) { return &bare, nil }

// newTemplates reads the post_processor section. Of a sequence at most one
// member may add tokens: what several would make of each other's is not a template.
func newTemplates(s section) (*templates, error) {
	list, err := components(s, postProcessors, "processors")
	if err != nil {
		return nil, err
	}
	t := &bare
	for _, member := range list {
		if member == &bare {
			continue
		}
		if t != &bare {
			return nil, s.errorf("a Sequence of two processors that add tokens: %w; keep one", ErrUnsupportedModel)
		}
		t = member
	}
	return t, nil
}

// bertTemplates is [CLS] A [SEP] and [CLS] A [SEP] B [SEP], the last two parts
// of type 1.
func bertTemplates(_ *settings, token func(string) piece) *templates {
	cls, sep := token("cls_token"), token("sep_token")
	end := piece{sequence: special, ids: sep.ids, typeID: 1}
	single := []piece{cls, {sequence: 0}, sep}
	return &templates{single, append(single[:3:3], piece{sequence: 1, typeID: 1}, end)}
}

// robertaTemplates is <s> A </s> and <s> A </s></s> B </s>, all of type 0.
func robertaTemplates(_ *settings, token func(string) piece) *templates {
	cls, sep := token("cls_token"), token("sep_token")
	single := []piece{cls, {sequence: 0}, sep}
	return &templates{single, append(single[:3:3], sep, piece{sequence: 1}, sep)}
}

// t5Templates is A </s> and A </s> B </s>, all of type 0.
func t5Templates(_ *settings, token func(string) piece) *templates {
	eos := token("eos_token")
	single := []piece{{sequence: 0}, eos}
	return &templates{single, append(single[:2:2], piece{sequence: 1}, eos)}
}

// llamaTemplates is A and A B, B of type 1, each with <s> before and </s> behind
// it where the settings ask for them.
func llamaTemplates(s *settings, token func(string) piece) *templates {
	framed := func(dst []piece, n int, typeID int64) []piece {
		bos, eos := token("bos_token"), token("eos_token")
		bos.typeID, eos.typeID = typeID, typeID
		if or(s.AddBOSToken, false) {
			dst = append(dst, bos)
		}
		dst = append(dst, piece{sequence: n, typeID: typeID})
		if or(s.AddEOSToken, false) {
			dst = append(dst, eos)
		}
		return dst
	}
	single := framed(nil, 0, 0)
	return &templates{single, framed(single[:len(single):len(single)], 1, 1)}
}

// check says whether all special tokens are ids of the vocabulary.
func (t *templates) check(s section, size int) error {
	for _, template := range [][]piece{t.single, t.pair} {
		for _, p := range template {
			for _, id := range p.ids {
				if id >= int64(size) {
					return s.errorf("special token id %d is not in the vocabulary of %d", id, size)
				}
			}
		}
	}
	return nil
}
