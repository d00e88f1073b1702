package tokenize

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/model"
	"github.com/sugarme/tokenizer/model/wordpiece"
)

// wordPiece is the library's WordPiece model with its Tokenize replaced. The
// library's tries every end of the word for every piece and formats each try:
// three milliseconds for a word of 100 letters. Ends beyond the longest piece
// of the vocabulary cannot match.
type wordPiece struct {
	wordpiece.WordPiece
	unknown  tokenizer.Token
	prefix   string // of pieces inside a word
	maxChars int    // longer words are unknown
	longest  int    // characters of the longest piece
}

// newWordPiece reads a WordPiece model.
//
// Corrected here: the library's own loader never reads
// continuing_subword_prefix and always uses "##".
func newWordPiece(s section) (tokenizer.Model, error) {
	var config struct {
		UnkToken string      `json:"unk_token"`
		Prefix   string      `json:"continuing_subword_prefix"`
		MaxChars uint32      `json:"max_input_chars_per_word"`
		Vocab    model.Vocab `json:"vocab"`
	}
	if err := s.decode(&config, "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"); err != nil {
		return nil, err
	}
	longest := 0
	var wrong []string
	for token, id := range config.Vocab {
		longest = max(longest, utf8.RuneCountInString(token))
		if id < 0 || id >= math.MaxInt32 {
			wrong = append(wrong, token)
		}
	}
	if len(wrong) > 0 {
		token := slices.Min(wrong)
		return nil, s.at("vocab", nil).errorf("token %q has id %d, want 0 to %d", token, config.Vocab[token], math.MaxInt32-1)
	}
	unknown, ok := config.Vocab[config.UnkToken]
	if !ok {
		return nil, s.at("unk_token", nil).errorf("%q is not in model.vocab", config.UnkToken)
	}
	return wordPiece{
		WordPiece: wordpiece.NewWordPieceBuilder().Vocab(&config.Vocab).Build(),
		unknown:   tokenizer.Token{Id: unknown, Value: config.UnkToken},
		prefix:    config.Prefix,
		maxChars:  int(config.MaxChars),
		longest:   longest,
	}, nil
}

// Tokenize takes the longest piece of the vocabulary from the left until the
// word is used up; the word is unknown where none fits. Tokens have no offsets.
//
// Source: Hugging Face tokenizers, models/wordpiece/mod.rs.
func (m wordPiece) Tokenize(word string) ([]tokenizer.Token, error) {
	if utf8.RuneCountInString(word) > m.maxChars {
		return []tokenizer.Token{m.unknown}, nil
	}
	var tokens []tokenizer.Token
	prefix := ""
	for word != "" {
		end, piece, id, found := m.reach(word), "", 0, false
		for end > 0 {
			piece = prefix + word[:end]
			if id, found = m.TokenToId(piece); found {
				break
			}
			_, size := utf8.DecodeLastRuneInString(word[:end])
			end -= size
		}
		if !found {
			return []tokenizer.Token{m.unknown}, nil
		}
		tokens = append(tokens, tokenizer.Token{Id: id, Value: piece})
		word, prefix = word[end:], m.prefix
	}
	return tokens, nil
}

// reach returns the end of the first m.longest characters of word.
func (m wordPiece) reach(word string) int {
	chars := 0
	for i := range word {
		if chars == m.longest {
			return i
		}
		chars++
	}
	return len(word)
}
