package tokenize

import (
	"encoding/json"

	"github.com/sugarme/tokenizer"
)

// normalizer rewrites text before it is cut into words.
type normalizer interface {
	// appendNormalized appends the normalized form of text, valid UTF-8, to dst.
	appendNormalized(dst, text []byte) []byte
}

// preTokenizer cuts normalized text into words.
type preTokenizer interface {
	// appendWords appends the words of text to dst.
	appendWords(dst [][]byte, text []byte) [][]byte
}

// The component types a tokenizer.json may name. All of a new type's code
// hangs on its line here.
var (
	models = map[string]func(section) (tokenizer.Model, error){
		"WordPiece": newWordPiece,
	}
	normalizers = map[string]func(section) (normalizer, error){
		"BertNormalizer": newBertNormalizer,
	}
	preTokenizers = map[string]func(section) (preTokenizer, error){
		"BertPreTokenizer": newBertPreTokenizer,
	}
	postProcessors = map[string]func(section) (*templates, error){
		"TemplateProcessing": newTemplateProcessing,
		"BertProcessing":     newBertProcessing,
	}
)

// newModel builds the word model. Files from before models carried a "type"
// (bert-base-uncased, roberta-base) are told apart by their fields, as Hugging
// Face tokenizers does; the library would take them for BPE.
func newModel(s section) (tokenizer.Model, error) {
	if s.null() {
		return nil, s.errorf("missing; is this a tokenizer.json written by Hugging Face tokenizers?")
	}
	var fields map[string]json.RawMessage
	if err := s.decode(&fields); err != nil {
		return nil, err
	}
	if _, ok := fields["type"]; !ok {
		fields["type"], _ = json.Marshal(legacyModelType(fields))
		s.raw, _ = json.Marshal(fields)
	}
	return component(s, models)
}

func legacyModelType(fields map[string]json.RawMessage) string {
	has := func(key string) bool { return fields[key] != nil }
	switch {
	case has("merges"):
		return "BPE"
	case has("continuing_subword_prefix") && has("max_input_chars_per_word"):
		return "WordPiece"
	case has("vocab") && fields["vocab"][0] == '[':
		return "Unigram"
	default:
		return "WordLevel"
	}
}
