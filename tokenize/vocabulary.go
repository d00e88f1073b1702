package tokenize

import (
	"bytes"
	"fmt"

	"github.com/sugarme/tokenizer"
)

// vocabulary is the model's tokens and those added to them.
type vocabulary struct {
	model      tokenizer.Model
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
	id, ok := v.model.TokenToId(token)
	return int64(id), ok
}

// newVocabulary reads the added_tokens section. An added token that the model
// knows keeps the model's id, others follow its tokens in order; Hugging Face
// tokenizers passes over an id that says otherwise, here it is an error, for
// the embedding table of the model is laid out by one of the two.
func newVocabulary(s section, model tokenizer.Model, n normalizer) (*vocabulary, error) {
	v := &vocabulary{model: model, added: map[string]int64{}}
	for _, id := range model.GetVocab() {
		v.size = max(v.size, id+1)
	}
	var sections []section
	if !s.null() {
		var err error
		if sections, err = s.list(); err != nil {
			return nil, err
		}
	}
	next := int64(model.GetVocabSize())
	raw, normalized := []addedToken{}, []addedToken{}
	for _, s := range sections {
		var config struct {
			ID         int64  `json:"id"`
			Content    string `json:"content"`
			SingleWord bool   `json:"single_word"`
			LStrip     bool   `json:"lstrip"`
			RStrip     bool   `json:"rstrip"`
			Normalized bool   `json:"normalized"`
		}
		if err := s.decode(&config, "id", "content", "single_word", "lstrip", "rstrip", "normalized"); err != nil {
			return nil, err
		}
		if config.Content == "" {
			return nil, s.at("content", nil).errorf("empty")
		}
		if _, ok := v.added[config.Content]; ok {
			return nil, s.at("content", nil).errorf("%q is added twice", config.Content)
		}
		id, ok := v.id(config.Content)
		if !ok {
			id = next
			next++
		}
		if id != config.ID {
			return nil, s.at("id", nil).errorf("%q has id %d here, but its place in the vocabulary is %d", config.Content, config.ID, id)
		}
		v.added[config.Content] = id
		v.size = max(v.size, int(id)+1)

		token := addedToken{[]byte(config.Content), id, config.SingleWord, config.LStrip, config.RStrip}
		if !config.Normalized {
			raw = append(raw, token)
			continue
		}
		if n != nil {
			token.content = n.appendNormalized(nil, token.content)
		}
		if err := distinct(token, normalized); err != nil {
			return nil, s.at("content", nil).errorf("%q %w", config.Content, err)
		}
		normalized = append(normalized, token)
	}
	v.raw, v.normalized = newMatcher(raw), newMatcher(normalized)
	return v, nil
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
