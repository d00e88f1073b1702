package tokenize

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/r3f-ort/r3f-ort/internal/wire"
)

// sentencePiece is what a SentencePiece .model file holds of use here.
//
// Source: google/sentencepiece, src/sentencepiece_model.proto (ModelProto).
type sentencePiece struct {
	pieces       []piecePart
	modelType    uint64 // 1 Unigram, 2 BPE, 3 words, 4 characters
	unknown      uint64 // id
	characterMap []byte // see precompiled; empty for none
}

// piecePart is a token of a SentencePiece model.
type piecePart struct {
	scored
	kind uint64
}

// Kinds of pieces that are cut out of a text before the model sees it.
const (
	controlPiece     = 3
	userDefinedPiece = 4
)

// Types of models.
const (
	unigramType = 1
	bpeType     = 2
)

// parseSentencePiece reads data, the contents of file.
func parseSentencePiece(file string, data []byte) (*sentencePiece, error) {
	m := &sentencePiece{modelType: unigramType}
	root := section{file: file}
	err := wire.Walk(data, func(f wire.Field) error {
		switch f.Number {
		case 1:
			p, err := parsePiece(f.Bytes)
			if err != nil {
				return root.at(fmt.Sprintf("pieces[%d]", len(m.pieces)), nil).errorf("%w", err)
			}
			m.pieces = append(m.pieces, p)
		case 2:
			err := wire.Walk(f.Bytes, func(f wire.Field) error {
				switch f.Number {
				case 3:
					m.modelType = f.Varint
				case 40:
					m.unknown = f.Varint
				}
				return nil
			})
			if err != nil {
				return root.at("trainer_spec", nil).errorf("%w", err)
			}
		case 3:
			err := wire.Walk(f.Bytes, func(f wire.Field) error {
				if f.Number == 2 {
					m.characterMap = f.Bytes
				}
				return nil
			})
			if err != nil {
				return root.at("normalizer_spec", nil).errorf("%w", err)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, root.errorf("not a SentencePiece model: %w", err)
	case len(m.pieces) == 0:
		return nil, root.errorf("not a SentencePiece model: it has no pieces")
	case m.modelType != unigramType && m.modelType != bpeType:
		return nil, root.at("trainer_spec.model_type", nil).errorf("%d: %w; want Unigram (%d) or BPE (%d)", m.modelType, ErrUnsupportedModel, unigramType, bpeType)
	}
	return m, nil
}

func parsePiece(data []byte) (piecePart, error) {
	p := piecePart{kind: 1}
	err := wire.Walk(data, func(f wire.Field) error {
		switch f.Number {
		case 1:
			p.token = string(f.Bytes)
		case 2:
			p.score = float64(math.Float32frombits(uint32(f.Varint)))
		case 3:
			p.kind = f.Varint
		}
		return nil
	})
	switch {
	case err != nil:
		return p, err
	case !utf8.ValidString(p.token):
		return p, fmt.Errorf("%q is not UTF-8 text", p.token)
	case math.IsNaN(p.score) || math.IsInf(p.score, 0):
		return p, fmt.Errorf("%q has score %v", p.token, p.score)
	}
	return p, nil
}

// merges returns the pieces by their ids and every way to cut a piece in two
// pieces: the earliest piece first, its shortest left part first. Pieces of BPE
// models stand in the order they were learnt in, which their scores repeat.
//
// Source: transformers 5.23, tokenization_utils_base.py (generate_merges).
func (m *sentencePiece) merges() (map[string]int32, [][2]string) {
	vocab := make(map[string]int32, len(m.pieces))
	lengths := map[int]bool{} // of pieces in bytes: other parts are not looked up
	for id, p := range m.pieces {
		vocab[p.token] = int32(id)
		lengths[len(p.token)] = true
	}
	var merges [][2]string
	for id, p := range m.pieces {
		if vocab[p.token] != int32(id) {
			continue // of equal pieces the last counts
		}
		for i := 1; i < len(p.token); i++ {
			if !lengths[i] || !lengths[len(p.token)-i] {
				continue
			}
			left, right := p.token[:i], p.token[i:]
			if _, ok := vocab[left]; !ok {
				continue
			}
			if _, ok := vocab[right]; ok {
				merges = append(merges, [2]string{left, right})
			}
		}
	}
	return vocab, merges
}
