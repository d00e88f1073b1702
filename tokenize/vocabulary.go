package tokenize

import (
	"bytes"
	"fmt"
)

// vocabulary is the model's tokens and those added to them.
type vocabulary struct {
	model      model
	added      map[string]int64 // id of every added token, by content
	raw        *matcher         // added tokens found in the text as it is
	normalized *matcher         // added tokens found in normalized text
	size       int              // largest id and one
}

// id returns the id of a token.
func (v *vocabulary) id(token string) (int64, bool) {
	if id, ok := v.added[token]; ok {
		return id, true
	}
	return v.model.id(token)
}

// addedConfig is an added token as tokenizer.json and tokenizer_config.json hold it.
type addedConfig struct {
	ID         *int64 `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// newVocabulary reads the added_tokens section.
func newVocabulary(s section, m model, n chain) (*vocabulary, error) {
	b := newVocabularyBuilder(m, n)
	if s.null() {
		return b.done(), nil
	}
	sections, err := s.list()
	if err != nil {
		return nil, err
	}
	for _, s := range sections {
		var config addedConfig
		if err := s.decode(&config, "id", "content", "single_word", "lstrip", "rstrip", "normalized"); err != nil {
			return nil, err
		}
		if config.ID == nil {
			return nil, s.at("id", nil).errorf("missing")
		}
		if err := b.add(s, config); err != nil {
			return nil, err
		}
	}
	return b.done(), nil
}

// vocabularyBuilder adds tokens to those of a model.
type vocabularyBuilder struct {
	v               *vocabulary
	normalizers     chain
	next            int64 // id of the next token that the model does not know
	raw, normalized []addedToken
}

func newVocabularyBuilder(m model, n chain) *vocabularyBuilder {
	v := &vocabulary{model: m, added: map[string]int64{}, size: m.size()}
	return &vocabularyBuilder{v: v, normalizers: n, next: int64(m.count())}
}

// add adds a token that s describes. One that the model knows keeps the model's
// id, others follow its tokens in order; Hugging Face tokenizers passes over an
// id that says otherwise, here it is an error, for the embedding table of the
// model is laid out by one of the two. A nil id says nothing.
func (b *vocabularyBuilder) add(s section, config addedConfig) error {
	content := config.Content
	if content == "" {
		return s.at("content", nil).errorf("empty")
	}
	if _, ok := b.v.added[content]; ok {
		return s.at("content", nil).errorf("%q is added twice", content)
	}
	token := addedToken{content: []byte(content), wholeWord: config.SingleWord, eatsLeft: config.LStrip, eatsRight: config.RStrip}
	var ok bool
	if token.id, ok = b.v.id(content); !ok {
		token.id = b.next
		b.next++
	}
	if id := config.ID; id != nil && *id != token.id {
		return s.at("id", nil).errorf("%q has id %d here, but its place in the vocabulary is %d", content, *id, token.id)
	}
	b.v.added[content] = token.id
	b.v.size = max(b.v.size, int(token.id)+1)
	if !config.Normalized {
		b.raw = append(b.raw, token)
		return nil
	}
	written, _, err := b.normalizers.normalize(newScratch(), token.content)
	if err != nil {
		return s.at("content", nil).errorf("%q: %w", content, err)
	}
	token.content = written
	if err := distinct(token, b.normalized); err != nil {
		return s.at("content", nil).errorf("%q %w", content, err)
	}
	b.normalized = append(b.normalized, token)
	return nil
}

// done returns the vocabulary.
func (b *vocabularyBuilder) done() *vocabulary {
	b.v.raw, b.v.normalized = newMatcher(b.raw), newMatcher(b.normalized)
	return b.v
}

// distinct checks that text can tell the normalized token from those before it.
func distinct(token addedToken, before []addedToken) error {
	if len(token.content) == 0 {
		return fmt.Errorf("normalizes to nothing; set normalized to false or remove it")
	}
	for _, other := range before {
		if bytes.Equal(other.content, token.content) {
			return fmt.Errorf("normalizes to %q, as added token %d does", token.content, other.id)
		}
	}
	return nil
}
