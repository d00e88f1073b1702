package tokenize

import (
	"encoding/json"
)

// normalizer rewrites text before it is cut into words.
type normalizer interface {
	// appendNormalized appends the normalized form of text, valid UTF-8, to dst.
	appendNormalized(dst, text []byte) ([]byte, error)
}

// preTokenizer cuts normalized text into words, or words into smaller ones.
type preTokenizer interface {
	// appendWords appends the words of w to dst.
	appendWords(dst []word, w word, s *scratch) ([]word, error)
}

// model turns words into token ids.
type model interface {
	// appendIDs appends the ids of a word, valid UTF-8 and not empty, to dst.
	appendIDs(dst []int64, word []byte, s *scratch) ([]int64, error)
	// id returns the id of a token.
	id(token string) (int64, bool)
	// count returns the number of tokens, size the largest id and one.
	count() int
	size() int
}

// The component types a tokenizer.json may name. All of a new type's code
// hangs on its line here. The type "Sequence", a list of others, is understood
// where the last three are (see [components]).
var (
	models = map[string]func(section) (model, error){
		"BPE":       newBPE,
		"Unigram":   newUnigram,
		"WordPiece": newWordPiece,
	}
	normalizers = map[string]func(section) (normalizer, error){
		"BertNormalizer": newBertNormalizer,
		"ByteLevel":      newByteNormalizer,
		"Lowercase":      newLowercase,
		"NFC":            newNormalForm(normalForm{composed: true}),
		"NFD":            newNormalForm(normalForm{}),
		"NFKC":           newNormalForm(normalForm{composed: true, compatible: true}),
		"NFKD":           newNormalForm(normalForm{compatible: true}),
		"Nmt":            newNmt,
		"Precompiled":    newPrecompiled,
		"Prepend":        newPrepend,
		"Replace":        newReplace,
		"Strip":          newStrip,
		"StripAccents":   newStripAccents,
	}
	preTokenizers = map[string]func(section) (preTokenizer, error){
		"BertPreTokenizer": newBertPreTokenizer,
		"ByteLevel":        newByteLevel,
		"Digits":           newDigits,
		"Metaspace":        newMetaspace,
		"Punctuation":      newPunctuation,
		"Split":            newSplit,
		"Whitespace":       newWhitespace,
		"WhitespaceSplit":  newWhitespaceSplit,
	}
	postProcessors = map[string]func(section) (*templates, error){
		"BertProcessing":     newBertProcessing,
		"ByteLevel":          newByteLevelProcessing,
		"RobertaProcessing":  newRobertaProcessing,
		"TemplateProcessing": newTemplateProcessing,
	}
)

// newModel builds the word model. Files from before models carried a "type"
// (bert-base-uncased, roberta-base) are told apart by their fields, as Hugging
// Face tokenizers does.
func newModel(s section) (model, error) {
	if s.null() {
		return nil, s.errorf("missing; is this a tokenizer.json written by Hugging Face tokenizers?")
	}
	var fields map[string]json.RawMessage
	if err := s.decode(&fields); err != nil {
		return nil, err
	}
	if _, ok := fields["type"]; !ok {
		return build(s, legacyModelType(fields), models)
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
