package tokenize

// scratch is the memory one goroutine encodes with. It is kept between texts:
// words repeat, so most are found among those met before and never reach the
// model.
type scratch struct {
	text, spelt     []byte
	norm            [2][]byte // normalizers write from one into the other
	arena           []byte    // text that pre-tokenizers wrote
	raw, normalized []segment
	words           []word // a stack: words that wait for the next pre-tokenizer
	stretches       []stretch
	ids             [2][]int64
	steps           []unigramStep
	symbols         []symbol
	queue           []candidate

	memory    map[string]idRange // words met before
	memoryIDs []int64            // and their ids
}

// idRange is a part of scratch.memoryIDs.
type idRange struct{ start, end int32 }

// A scratch remembers this many words of this many bytes, with this many ids in
// all, before it starts anew.
const (
	maxWords     = 1 << 15
	maxWordBytes = 1 << 7
	maxWordIDs   = 1 << 18
)

// maxScratchBytes is the longest text that leaves its memory to the texts after it.
const maxScratchBytes = 1 << 20

func newScratch() *scratch { return &scratch{memory: map[string]idRange{}} }

// known returns the ids of a word met before, valid until the next call of remember.
func (s *scratch) known(word []byte) ([]int64, bool) {
	at, ok := s.memory[string(word)]
	return s.memoryIDs[at.start:at.end], ok
}

func (s *scratch) remember(word []byte, ids []int64) {
	if len(word) > maxWordBytes {
		return
	}
	if len(s.memory) == maxWords || len(s.memoryIDs)+len(ids) > maxWordIDs {
		clear(s.memory)
		s.memoryIDs = s.memoryIDs[:0]
	}
	start := len(s.memoryIDs)
	s.memoryIDs = append(s.memoryIDs, ids...)
	s.memory[string(word)] = idRange{int32(start), int32(len(s.memoryIDs))}
}

// trim gives back what an unusually long text took.
func (s *scratch) trim() {
	if cap(s.text)+cap(s.arena) > maxScratchBytes {
		*s = scratch{memory: s.memory, memoryIDs: s.memoryIDs}
	}
}

// chain is normalizers that follow each other.
type chain []normalizer

// normalize returns the normalized form of text, valid until the next call;
// beheaded says that it begins with something else than what became of the
// first character of text.
func (c chain) normalize(s *scratch, text []byte) (normalized []byte, beheaded bool, err error) {
	for i, n := range c {
		if b, ok := n.(beheader); ok && !beheaded {
			beheaded = b.beheads(text)
		}
		to := &s.norm[i%2]
		if *to, err = n.appendNormalized((*to)[:0], text); err != nil {
			return nil, false, err
		}
		text = *to
	}
	return text, beheaded, nil
}
