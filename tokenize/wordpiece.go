package tokenize

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	librarymodel "github.com/sugarme/tokenizer/model"
	"github.com/sugarme/tokenizer/model/wordpiece"
)

// wordPiece is the library's WordPiece model with its Tokenize replaced. The
// library's tries every end of the word for every piece and formats each try:
// three milliseconds for a word of 100 letters. Here one walk down a trie
// finds each piece.
type wordPiece struct {
	library   wordpiece.WordPiece
	begin     *trie // tokens a word may begin with
	inside    *trie // tokens inside a word, without their prefix
	unknown   int64
	maxChars  int // longer words are unknown
	largestID int
}

// newWordPiece reads a WordPiece model.
//
// Corrected here: the library's own loader never reads
// continuing_subword_prefix and always uses "##".
func newWordPiece(s section) (model, error) {
	var config struct {
		UnkToken string          `json:"unk_token"`
		Prefix   string          `json:"continuing_subword_prefix"`
		MaxChars uint32          `json:"max_input_chars_per_word"`
		Vocab    json.RawMessage `json:"vocab"`
	}
	if err := s.decode(&config, "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"); err != nil {
		return nil, err
	}
	vocab, err := readVocab(s.at("vocab", config.Vocab))
	if err != nil {
		return nil, err
	}
	return buildWordPiece(s, vocab, config.UnkToken, config.Prefix, int(config.MaxChars))
}

// readVocab reads a vocabulary {token: id}.
func readVocab(s section) (map[string]int32, error) {
	var vocab map[string]int64
	if err := s.decode(&vocab); err != nil {
		return nil, err
	}
	checked := make(map[string]int32, len(vocab))
	var wrong []string
	for token, id := range vocab {
		if id < 0 || id >= math.MaxInt32 {
			wrong = append(wrong, token)
		}
		checked[token] = int32(id)
	}
	if len(wrong) > 0 {
		token := slices.Min(wrong)
		return nil, s.errorf("token %q has id %d, want 0 to %d", token, vocab[token], math.MaxInt32-1)
	}
	return checked, nil
}

func buildWordPiece(s section, vocab map[string]int32, unknown, prefix string, maxChars int) (*wordPiece, error) {
	id, ok := vocab[unknown]
	if !ok {
		return nil, s.at("unk_token", nil).errorf("%q is not in the vocabulary", unknown)
	}
	words := make(librarymodel.Vocab, len(vocab))
	var begin, inside []entry
	m := &wordPiece{unknown: int64(id), maxChars: maxChars, largestID: none}
	for token, id := range vocab {
		words[token] = int(id)
		begin = append(begin, entry{token, id})
		if piece, ok := strings.CutPrefix(token, prefix); ok {
			inside = append(inside, entry{piece, id})
		}
		m.largestID = max(m.largestID, int(id))
	}
	m.library = wordpiece.NewWordPieceBuilder().Vocab(&words).Build()
	m.begin, m.inside = newTrie(begin), newTrie(inside)
	return m, nil
}

func (m *wordPiece) id(token string) (int64, bool) {
	id, ok := m.library.TokenToId(token)
	return int64(id), ok
}

func (m *wordPiece) count() int { return m.library.GetVocabSize() }
func (m *wordPiece) size() int  { return m.largestID + 1 }

// appendIDs takes the longest piece of the vocabulary from the left until the
// word is used up; the word is unknown where none fits.
//
// Source: Hugging Face tokenizers, models/wordpiece/mod.rs.
func (m *wordPiece) appendIDs(dst []int64, word []byte, _ *scratch) ([]int64, error) {
	start := len(dst)
	if len(word) > m.maxChars && utf8.RuneCount(word) > m.maxChars {
		return append(dst, m.unknown), nil
	}
	for pieces := m.begin; len(word) > 0; pieces = m.inside {
		length, id := pieces.longest(word)
		if length == 0 {
			return append(dst[:start], m.unknown), nil
		}
		dst = append(dst, int64(id))
		word = word[length:]
	}
	return dst, nil
}
