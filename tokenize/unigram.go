package tokenize

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// unigram finds the most probable division of a word into tokens whose log
// probabilities are independent.
//
// It replaces the library's Unigram model, which adds a bonus for length to
// the scores, knows no token beyond 20 bytes, looks every substring up and, with
// byte fallback, writes every word in bytes.
//
// Source: Kudo 2018, arXiv 1804.10959, section 3.2 (Viterbi); Hugging Face
// tokenizers, models/unigram/model.rs.
type unigram struct {
	tokens       *trie // ids
	ids          map[string]int32
	scores       []float64 // log probability, by id
	unknown      int32     // id; none for none
	unknownScore float64
	bytes        *[256]int32 // ids of the tokens <0x00> to <0xFF>, or none; nil without byte fallback
}

// unknownPenalty is how much less probable than any token an unknown character is.
const unknownPenalty = 10

// scored is a token of a Unigram vocabulary.
type scored struct {
	token string
	score float64
}

func newUnigram(s section) (model, error) {
	var config struct {
		Vocab        json.RawMessage `json:"vocab"`
		UnkID        *int            `json:"unk_id"`
		ByteFallback bool            `json:"byte_fallback"`
	}
	if err := s.decode(&config, "vocab"); err != nil {
		return nil, err
	}
	vocab, err := scoredTokens(s.at("vocab", config.Vocab))
	if err != nil {
		return nil, err
	}
	unknown := none
	if config.UnkID != nil {
		if unknown = *config.UnkID; unknown < 0 || unknown >= len(vocab) {
			return nil, s.at("unk_id", nil).errorf("%d is not an id of the %d tokens in model.vocab", unknown, len(vocab))
		}
	}
	return buildUnigram(vocab, int32(unknown), config.ByteFallback), nil
}

// scoredTokens reads a list of [token, score].
func scoredTokens(s section) ([]scored, error) {
	var pairs [][]json.RawMessage
	if err := s.decode(&pairs); err != nil {
		return nil, err
	}
	if len(pairs) >= math.MaxInt32 {
		return nil, s.errorf("%d tokens are too many", len(pairs))
	}
	tokens := make([]scored, len(pairs))
	for i, pair := range pairs {
		at := func(k int) section {
			return s.at(fmt.Sprintf("[%d]", i), nil).at(fmt.Sprintf("[%d]", k), pair[k])
		}
		if len(pair) != 2 {
			return nil, s.at(fmt.Sprintf("[%d]", i), nil).errorf("want [token, score], have %d values", len(pair))
		}
		if err := at(0).decode(&tokens[i].token); err != nil {
			return nil, err
		}
		if err := at(1).decode(&tokens[i].score); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// buildUnigram builds the model; a token's id is its place. Of equal tokens the
// last counts.
func buildUnigram(vocab []scored, unknown int32, byteFallback bool) *unigram {
	m := &unigram{unknown: unknown, ids: make(map[string]int32, len(vocab)), scores: make([]float64, len(vocab))}
	entries := make([]entry, len(vocab))
	lowest := math.Inf(1)
	for id, t := range vocab {
		m.ids[t.token] = int32(id)
		m.scores[id] = t.score
		entries[id] = entry{t.token, int32(id)}
		lowest = min(lowest, t.score)
	}
	m.tokens = newTrie(entries)
	m.unknownScore = lowest - unknownPenalty
	if byteFallback {
		m.bytes = byteTokens(m.ids)
	}
	return m
}

// byteTokens returns the ids of the tokens that stand for bytes.
func byteTokens(ids map[string]int32) *[256]int32 {
	var tokens [256]int32
	for b := range tokens {
		id, ok := ids[fmt.Sprintf("<0x%02X>", b)]
		if !ok {
			id = none
		}
		tokens[b] = id
	}
	return &tokens
}

// appendBytes appends the byte tokens of text; where one is missing it appends
// nothing and says so.
func appendBytes(dst []int64, tokens *[256]int32, text []byte) ([]int64, bool) {
	if tokens == nil {
		return dst, false
	}
	start := len(dst)
	for _, b := range text {
		if tokens[b] == none {
			return dst[:start], false
		}
		dst = append(dst, int64(tokens[b]))
	}
	return dst, true
}

// unigramStep is the best way to a place in the word.
type unigramStep struct {
	score float64 // of all tokens up to here
	start int32   // of the last of them; none where no way is known
	id    int32   // of the last of them
}

func (m *unigram) id(token string) (int64, bool) {
	id, ok := m.ids[token]
	return int64(id), ok
}

func (m *unigram) count() int { return len(m.scores) }
func (m *unigram) size() int  { return len(m.scores) }

// appendIDs fills the table of best ways (Viterbi) and walks it back. Unknown
// characters side by side become one unknown token, or their bytes.
func (m *unigram) appendIDs(dst []int64, word []byte, s *scratch) ([]int64, error) {
	steps := s.steps[:0]
	for range len(word) + 1 {
		steps = append(steps, unigramStep{start: none})
	}
	steps[0] = unigramStep{}
	s.steps = steps
	for i := 0; i < len(word); {
		before := steps[i].score
		char := charLen(word[i])
		single := false // a token of one character begins here
		node := m.tokens.root[word[i]]
		for end := i + 1; node != 0; end++ {
			if id := m.tokens.nodes[node].value; id != none {
				score := m.scores[id] + before
				if to := &steps[end]; to.start == none || score > to.score {
					*to = unigramStep{score, int32(i), id}
				}
				single = single || end-i == char
			}
			if end == len(word) {
				break
			}
			node = m.tokens.step(node, word[end])
		}
		if !single {
			score := m.unknownScore + before
			if to := &steps[i+char]; to.start == none || score > to.score {
				if m.unknown == none {
					return nil, fmt.Errorf("%q: a character is not in the vocabulary, and it has no unknown token; set model.unk_id", abbreviate(word))
				}
				*to = unigramStep{score, int32(i), m.unknown}
			}
		}
		i += char
	}
	start := len(dst)
	for end := int32(len(word)); end > 0; {
		step := steps[end]
		if step.id != m.unknown {
			dst = append(dst, int64(step.id))
			end = step.start
			continue
		}
		begin := step.start
		for begin > 0 && steps[begin].id == m.unknown {
			begin = steps[begin].start
		}
		dst = m.appendUnknown(dst, word[begin:end])
		end = begin
	}
	slices.Reverse(dst[start:])
	return dst, nil
}

// appendUnknown appends the ids of a stretch of unknown characters, last first.
func (m *unigram) appendUnknown(dst []int64, text []byte) []int64 {
	if id, ok := m.ids[string(text)]; ok { // such as "<unk>", written out
		return append(dst, int64(id))
	}
	start := len(dst)
	if dst, ok := appendBytes(dst, m.bytes, text); ok {
		slices.Reverse(dst[start:])
		return dst
	}
	return append(dst, int64(m.unknown))
}

// charLen returns the length of the character that begins with b in valid UTF-8.
func charLen(b byte) int {
	switch {
	case b < 0xC0:
		return 1
	case b < 0xE0:
		return 2
	case b < 0xF0:
		return 3
	}
	return 4
}

// abbreviate shortens text for a message.
func abbreviate(text []byte) string {
	const most = 60
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}
