package tokenize

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe merges the characters of a word, always the pair that was learnt
// earliest and of equal ones the leftmost, until none is left to merge.
//
// It replaces the library's BPE model, which merges equal pairs in no fixed
// order, puts continuing_subword_prefix on the first character instead of the
// others, copies the word for every character and panics on an unknown one.
//
// Source: Sennrich, Haddow and Birch 2016, arXiv 1508.07909, algorithm 1;
// Hugging Face tokenizers, models/bpe/model.rs and word.rs.
type bpe struct {
	vocab   map[string]int32
	largest int32 // id
	merges  map[pair]merged
	plain   bool                 // neither prefix nor suffix
	ascii   [utf8.RuneSelf]int32 // ids of the ASCII characters, or none
	unknown int32                // id, or none for none: unknown characters then go
	unnamed string               // the unknown token where it is named but not in the vocabulary
	fuse    bool                 // unknown characters side by side are one token
	prefix  string               // of all characters of a word but the first
	suffix  string               // of the last character
	whole   bool                 // a word that is a token is not merged
	bytes   *[256]int32
}

// pair is two tokens side by side.
type pair struct{ left, right int32 }

// merged is what becomes of a pair.
type merged struct {
	rank int32 // place in the list of merges
	id   int32
}

func newBPE(s section) (model, error) {
	var config struct {
		Dropout      *float64        `json:"dropout"`
		UnkToken     *string         `json:"unk_token"`
		Prefix       *string         `json:"continuing_subword_prefix"`
		Suffix       *string         `json:"end_of_word_suffix"`
		FuseUnk      *bool           `json:"fuse_unk"`
		ByteFallback *bool           `json:"byte_fallback"`
		IgnoreMerges *bool           `json:"ignore_merges"`
		Vocab        json.RawMessage `json:"vocab"`
		Merges       json.RawMessage `json:"merges"`
	}
	if err := s.decode(&config, "vocab", "merges"); err != nil {
		return nil, err
	}
	if config.Dropout != nil && *config.Dropout != 0 {
		return nil, s.at("dropout", nil).errorf("%v would leave out merges at random; set it to null, equal texts get equal ids here", *config.Dropout)
	}
	vocab, err := readVocab(s.at("vocab", config.Vocab))
	if err != nil {
		return nil, err
	}
	merges, err := readMerges(s.at("merges", config.Merges))
	if err != nil {
		return nil, err
	}
	return buildBPE(s, vocab, merges, bpeOptions{
		UnkToken: config.UnkToken, Prefix: value(config.Prefix), Suffix: value(config.Suffix),
		FuseUnk: value(config.FuseUnk), ByteFallback: value(config.ByteFallback), IgnoreMerges: value(config.IgnoreMerges),
	})
}

// value is what p points to, or zero.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// bpeOptions are the fields of the same name of a BPE model.
type bpeOptions struct {
	UnkToken       *string
	Prefix, Suffix string
	FuseUnk        bool
	ByteFallback   bool
	IgnoreMerges   bool
}

// readMerges reads a list of pairs, each [left, right] or "left right".
func readMerges(s section) ([][2]string, error) {
	var tuples [][]string
	if err := s.decode(&tuples); err == nil {
		merges := make([][2]string, len(tuples))
		for i, t := range tuples {
			if len(t) != 2 {
				return nil, s.at(fmt.Sprintf("[%d]", i), nil).errorf("want two tokens, have %d", len(t))
			}
			merges[i] = [2]string(t)
		}
		return merges, nil
	}
	var lines []string
	if err := s.decode(&lines); err != nil {
		return nil, err
	}
	merges := make([][2]string, 0, len(lines))
	for i, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, s.at(fmt.Sprintf("[%d]", i), nil).errorf("%q: want two tokens with a space between", line)
		}
		merges = append(merges, [2]string{left, right})
	}
	return merges, nil
}

// buildBPE builds the model of s from a vocabulary that is checked and merges
// that are not.
func buildBPE(s section, vocab map[string]int32, merges [][2]string, o bpeOptions) (*bpe, error) {
	m := &bpe{vocab: vocab, merges: make(map[pair]merged, len(merges)), unknown: none, largest: none,
		fuse: o.FuseUnk, prefix: o.Prefix, suffix: o.Suffix, plain: o.Prefix+o.Suffix == "", whole: o.IgnoreMerges}
	for _, id := range vocab {
		m.largest = max(m.largest, id)
	}
	for rank, parts := range merges {
		token := parts[0]
		if !strings.HasPrefix(parts[1], o.Prefix) {
			return nil, s.at("merges", nil).errorf("number %d, %q: the second part lacks the prefix %q", rank, parts, o.Prefix)
		}
		token += parts[1][len(o.Prefix):]
		left, ok1 := vocab[parts[0]]
		right, ok2 := vocab[parts[1]]
		id, ok3 := vocab[token]
		if !ok1 || !ok2 || !ok3 {
			return nil, s.at("merges", nil).errorf("number %d, %q: the parts and %q must be in the vocabulary", rank, parts, token)
		}
		m.merges[pair{left, right}] = merged{int32(rank), id}
	}
	if o.UnkToken != nil {
		id, ok := vocab[*o.UnkToken]
		if ok {
			m.unknown = id
		} else {
			m.unnamed = *o.UnkToken
		}
	}
	if o.ByteFallback {
		m.bytes = byteTokens(vocab)
	}
	for c := range m.ascii {
		id, ok := vocab[string(rune(c))]
		if !ok {
			id = none
		}
		m.ascii[c] = id
	}
	return m, nil
}

func (m *bpe) id(token string) (int64, bool) {
	id, ok := m.vocab[token]
	return int64(id), ok
}

func (m *bpe) count() int { return len(m.vocab) }
func (m *bpe) size() int  { return int(m.largest) + 1 }

// symbol is a token of a word that is being merged, linked to its neighbours.
type symbol struct {
	id         int32 // none once merged into its left neighbour
	prev, next int32 // places in the word; none at its ends
}

// candidate is a pair that can be merged.
type candidate struct {
	rank, place, id int32
}

// appendIDs merges in O(n log n) for a word of n characters: every merge puts
// at most two new pairs into the queue.
func (m *bpe) appendIDs(dst []int64, word []byte, s *scratch) ([]int64, error) {
	if m.whole {
		if id, ok := m.vocab[string(word)]; ok {
			return append(dst, int64(id)), nil
		}
	}
	start := len(dst)
	dst, err := m.appendCharacters(dst, word, s)
	if err != nil {
		return nil, err
	}
	word32 := s.symbols[:0]
	for i, id := range dst[start:] {
		word32 = append(word32, symbol{int32(id), int32(i) - 1, int32(i) + 1})
	}
	s.symbols = word32
	if len(word32) == 0 {
		return dst, nil
	}
	word32[len(word32)-1].next = none
	m.merge(word32, s)
	dst = dst[:start]
	for _, sym := range word32 {
		if sym.id != none {
			dst = append(dst, int64(sym.id))
		}
	}
	return dst, nil
}

// appendCharacters appends the tokens of single characters.
func (m *bpe) appendCharacters(dst []int64, word []byte, s *scratch) ([]int64, error) {
	unknown := false // an unknown token is waiting
	for i := 0; i < len(word); {
		char := word[i : i+charLen(word[i])]
		first, last := i == 0, i+len(char) == len(word)
		i += len(char)
		id, spelt := int32(none), char
		if m.plain && char[0] < utf8.RuneSelf {
			id = m.ascii[char[0]]
		} else {
			spelt = s.spelt[:0]
			if !first {
				spelt = append(spelt, m.prefix...)
			}
			spelt = append(spelt, char...)
			if last {
				spelt = append(spelt, m.suffix...)
			}
			s.spelt = spelt
			if known, ok := m.vocab[string(spelt)]; ok {
				id = known
			}
		}
		if id != none {
			if unknown {
				dst = append(dst, int64(m.unknown))
				unknown = false
			}
			dst = append(dst, int64(id))
			continue
		}
		// As Hugging Face tokenizers does, bytes overtake an unknown token that waits.
		var ok bool
		if dst, ok = appendBytes(dst, m.bytes, spelt); ok {
			continue
		}
		if m.unnamed != "" {
			return nil, fmt.Errorf("%q: a character is not in the vocabulary, nor is the unknown token %q; add it to model.vocab", abbreviate(word), m.unnamed)
		}
		if m.unknown == none {
			continue
		}
		if unknown && !m.fuse {
			dst = append(dst, int64(m.unknown))
		}
		unknown = true
	}
	if unknown {
		dst = append(dst, int64(m.unknown))
	}
	return dst, nil
}

// merge merges the symbols of word in place.
func (m *bpe) merge(word []symbol, s *scratch) {
	queue := s.queue[:0]
	for i := range len(word) - 1 {
		if to, ok := m.merges[pair{word[i].id, word[i+1].id}]; ok {
			queue = push(queue, candidate{to.rank, int32(i), to.id})
		}
	}
	for len(queue) > 0 {
		var c candidate
		queue, c = pop(queue)
		left := &word[c.place]
		if left.id == none || left.next == none {
			continue
		}
		right := &word[left.next]
		if to, ok := m.merges[pair{left.id, right.id}]; !ok || to.id != c.id {
			continue // one of the two has been merged since
		}
		left.id, right.id = c.id, none
		left.next = right.next
		if right.next != none {
			word[right.next].prev = c.place
		}
		if left.prev != none {
			if to, ok := m.merges[pair{word[left.prev].id, left.id}]; ok {
				queue = push(queue, candidate{to.rank, left.prev, to.id})
			}
		}
		if left.next != none {
			if to, ok := m.merges[pair{left.id, word[left.next].id}]; ok {
				queue = push(queue, candidate{to.rank, c.place, to.id})
			}
		}
	}
	s.queue = queue
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.place < d.place
}

// push and pop keep queue a binary heap, the first candidate at its top.
// (container/heap would allocate for every candidate.)
func push(queue []candidate, c candidate) []candidate {
	queue = append(queue, c)
	i := len(queue) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !c.before(queue[parent]) {
			break
		}
		queue[i] = queue[parent]
		i = parent
	}
	queue[i] = c
	return queue
}

func pop(queue []candidate) ([]candidate, candidate) {
	top, last := queue[0], queue[len(queue)-1]
	queue = queue[:len(queue)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(queue) {
			break
		}
		if child+1 < len(queue) && queue[child+1].before(queue[child]) {
			child++
		}
		if !queue[child].before(last) {
			break
		}
		queue[i] = queue[child]
		i = child
	}
	if i < len(queue) {
		queue[i] = last
	}
	return queue, top
}
