package tokenize

// What the families make of their vocabularies.

// or is what p points to, or else.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func buildBert(s *settings, from source) (chain, []preTokenizer, model, error) {
	lower := or(s.DoLowerCase, true)
	normalizer := bertNormalizer{true, or(s.TokenizeChineseChars, true), or(s.StripAccents, lower), lower}
	m, err := buildWordPiece(from.at, from.vocab, s.roles["unk_token"].Content, "##", 100)
	return chain{normalizer}, []preTokenizer{bertPreTokenizer{}}, m, err
}

func buildRoberta(s *settings, from source) (chain, []preTokenizer, model, error) {
	m, err := buildBPE(from.at, from.vocab, from.merges, bpeOptions{})
	return nil, []preTokenizer{byteLevel{or(s.AddPrefixSpace, false), true}}, m, err
}

// buildXLMRoberta follows fairseq: <s>, <pad>, </s> and <unk> take the places of
// the first three pieces, <mask> comes last.
func buildXLMRoberta(s *settings, from source) (chain, []preTokenizer, model, error) {
	vocab := []scored{{"<s>", 0}, {"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}}
	if pieces := from.scored(); len(pieces) > 3 {
		vocab = append(vocab, pieces[3:]...)
	}
	vocab = append(vocab, scored{"<mask>", 0})
	normalizers, err := from.normalizers()
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := from.unigram(vocab, 3)
	return normalizers, words(or(s.AddPrefixSpace, true)), m, err
}

// buildT5 appends the sentinels to the pieces.
func buildT5(s *settings, from source) (chain, []preTokenizer, model, error) {
	vocab := from.scored()
	for _, token := range s.sentinels() {
		vocab = append(vocab, scored{token, 0})
	}
	normalizers, err := from.normalizers()
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := from.unigram(vocab, 2)
	return normalizers, words(true), m, err
}

func buildAlbert(s *settings, from source) (chain, []preTokenizer, model, error) {
	normalizers := chain{replace{pattern{literal: []byte("``")}, `"`}, replace{pattern{literal: []byte("''")}, `"`}}
	if !or(s.KeepAccents, false) {
		normalizers = append(normalizers, normalForm{compatible: true}, stripAccents)
	}
	if or(s.DoLowerCase, true) {
		normalizers = append(normalizers, lowercase{})
	}
	characterMap, err := from.normalizers()
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := from.unigram(from.scored(), 1)
	return append(normalizers, characterMap...), words(or(s.AddPrefixSpace, true)), m, err
}

// buildDeberta leaves the model's character map aside, as transformers does.
func buildDeberta(s *settings, from source) (chain, []preTokenizer, model, error) {
	// One space for two white characters or more, and for a line break or a tab.
	spaces, err := compilePattern(`\s{2,}|[\n\r\t]`)
	if err != nil {
		return nil, nil, nil, err
	}
	vocab := from.scored()
	unknown := from.pieces.unknown
	for id, t := range vocab {
		if t.token == s.roles["unk_token"].Content && t.score == 0 {
			unknown = uint64(id)
			break
		}
	}
	var normalizers chain
	if or(s.DoLowerCase, false) {
		normalizers = append(normalizers, lowercase{})
	}
	normalizers = append(normalizers, replace{spaces, " "}, normalForm{composed: true}, strip{right: true})
	var preTokenizers []preTokenizer
	if or(s.SplitByPunct, false) {
		preTokenizers = append(preTokenizers, characters{isPunctuation, isolated})
	}
	prefix := always
	if !or(s.AddPrefixSpace, true) {
		prefix = firstOnly
	}
	m, err := from.unigram(vocab, unknown)
	return normalizers, append(preTokenizers, metaspace{[]byte(spaceMark), prefix, true}), m, err
}

// buildLlama leaves the model's character map aside and has byte fallback
// whatever the model says, as transformers does; without byte tokens unknown
// characters are left out.
func buildLlama(s *settings, from source) (chain, []preTokenizer, model, error) {
	vocab, merges := from.pieces.merges()
	m, err := buildBPE(from.at, vocab, merges, bpeOptions{FuseUnk: true, ByteFallback: true})
	prefix := firstOnly
	switch {
	case !or(s.AddPrefixSpace, true):
		prefix = never
	case or(s.Legacy, false):
		prefix = always
	}
	return nil, []preTokenizer{metaspace{[]byte(spaceMark), prefix, false}}, m, err
}

// spaceMark is how SentencePiece writes a space.
const spaceMark = "▁"

// words cuts text at white space and marks the beginnings of words.
func words(prefixSpace bool) []preTokenizer {
	prefix := always
	if !prefixSpace {
		prefix = never
	}
	return []preTokenizer{whitespaceSplit, metaspace{[]byte(spaceMark), prefix, true}}
}

// scored returns the pieces as a vocabulary.
func (from source) scored() []scored {
	var vocab []scored
	for _, p := range from.pieces.pieces {
		vocab = append(vocab, p.scored)
	}
	return vocab
}

// normalizers returns the model's character map, if it has one.
func (from source) normalizers() (chain, error) {
	if len(from.pieces.characterMap) == 0 {
		return nil, nil
	}
	p, err := parseCharacterMap(from.at.at("normalizer_spec.precompiled_charsmap", nil), from.pieces.characterMap)
	return chain{p}, err
}

// unigram builds the model of a vocabulary whose unknown token has a fixed place.
func (from source) unigram(vocab []scored, unknown uint64) (model, error) {
	if unknown >= uint64(len(vocab)) {
		return nil, from.at.at("pieces", nil).errorf("%d are too few: the unknown token has id %d", len(vocab), unknown)
	}
	return buildUnigram(vocab, int32(unknown), false), nil
}
