package tokenize

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// family is the tokenizer of a family of models where there is no
// tokenizer.json: what its vocabulary files leave unsaid.
//
// Source: transformers 5.23, models/*/tokenization_*.py and
// convert_slow_tokenizer.py (convert_from_spm).
type family struct {
	class      string            // as tokenizer_config.json names it, without "Fast"
	modelTypes []string          // as config.json names them
	kind       string            // extension of its vocabulary
	file       string            // name that only its vocabulary bears
	tokens     map[string]string // special tokens by role
	build      func(*settings, source) (chain, []preTokenizer, model, error)
	template   func(s *settings, token func(role string) piece) *templates
}

// source is a vocabulary that has been read.
type source struct {
	at     section
	vocab  map[string]int32 // of vocab.txt or vocab.json
	merges [][2]string      // of merges.txt
	pieces *sentencePiece   // of a .model file
}

var (
	bertTokens    = map[string]string{"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
	debertaTokens = map[string]string{"bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
	albertTokens  = map[string]string{"bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "<unk>", "sep_token": "[SEP]", "pad_token": "<pad>", "cls_token": "[CLS]", "mask_token": "[MASK]"}
	robertaTokens = map[string]string{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>"}
	mpnetTokens   = map[string]string{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "[UNK]", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>"}
	llamaTokens   = map[string]string{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
	t5Tokens      = map[string]string{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
)

// The families that are known without a tokenizer.json.
var families = []family{
	{"BertTokenizer", []string{"bert", "distilbert", "electra"}, ".txt", vocabTextFile, bertTokens, buildBert, bertTemplates},
	{"DistilBertTokenizer", nil, ".txt", "", bertTokens, buildBert, bertTemplates},
	{"ElectraTokenizer", nil, ".txt", "", bertTokens, buildBert, bertTemplates},
	{"MPNetTokenizer", []string{"mpnet"}, ".txt", "", mpnetTokens, buildBert, robertaTemplates},
	{"RobertaTokenizer", []string{"roberta"}, ".json", vocabJSONFile, robertaTokens, buildRoberta, robertaTemplates},
	{"XLMRobertaTokenizer", []string{"xlm-roberta"}, ".model", "sentencepiece.bpe.model", robertaTokens, buildXLMRoberta, robertaTemplates},
	{"T5Tokenizer", []string{"t5", "mt5"}, ".model", "", t5Tokens, buildT5, t5Templates},
	{"AlbertTokenizer", []string{"albert"}, ".model", "", albertTokens, buildAlbert, bertTemplates},
	{"DebertaV2Tokenizer", []string{"deberta-v2"}, ".model", "spm.model", debertaTokens, buildDeberta, bertTemplates},
	{"LlamaTokenizer", []string{"llama"}, ".model", "", llamaTokens, buildLlama, llamaTemplates},
}

// familyOf finds the family that the settings name, or else the one whose
// vocabulary alone bears the name file.
func familyOf(s *settings, file string) (*family, error) {
	at := section{file: s.file, field: "tokenizer_class"}
	class := strings.TrimSuffix(s.class, "Fast")
	var classes []string
	for i := range families {
		f := &families[i]
		classes = append(classes, f.class)
		switch {
		case class != "":
			if f.class != class {
				continue
			}
		case s.modelType != "":
			if !slices.Contains(f.modelTypes, s.modelType) {
				continue
			}
		case f.file != file:
			continue
		}
		if kind := filepath.Ext(file); kind != f.kind {
			return nil, at.errorf("%s is read from a *%s file, not from %s", f.class, f.kind, file)
		}
		return f, nil
	}
	known := strings.Join(classes, ", ")
	if class != "" {
		return nil, at.errorf("%q: %w without a tokenizer.json; write one with save_pretrained of a fast tokenizer (known are %s)", s.class, ErrUnsupportedModel, known)
	}
	return nil, at.errorf("missing, and neither model_type of %s nor the name %s says which tokenizer it is; name one of %s", modelConfigFile, file, known)
}

// role returns the special token of a role; its content is empty for none.
func (f *family) role(s *settings, role string) addedConfig {
	if token, ok := s.roles[role]; ok {
		return token
	}
	// MPNet's mask stands for a word with the space before it.
	return addedConfig{Content: f.tokens[role], LStrip: f.class == "MPNetTokenizer" && role == "mask_token"}
}

// assemble builds the tokenizer of the family.
func (f *family) assemble(s *settings, from source) (*Tokenizer, error) {
	s.roles["unk_token"] = f.role(s, "unk_token") // build asks for it
	t := newTokenizer()
	var m model
	var err error
	if t.normalizers, t.preTokenizers, m, err = f.build(s, from); err != nil {
		return nil, err
	}
	b := newVocabularyBuilder(m, t.normalizers)
	at := section{file: s.file, field: "added_tokens_decoder"}
	for _, token := range append(s.added, f.specials(s, from)...) {
		if _, ok := b.v.added[token.Content]; token.ID == nil && (ok || token.Content == "") {
			continue
		}
		if err := b.add(at, token); err != nil {
			return nil, err
		}
	}
	t.vocabulary = b.done()
	t.templates = f.template(s, func(role string) piece {
		id, _ := t.vocabulary.id(f.role(s, role).Content) // added above
		return piece{sequence: special, ids: []int64{id}}
	})
	pad := f.role(s, "pad_token").Content
	if pad == "" {
		return t, nil
	}
	return t, t.padFrom(at.at("pad_token", nil), pad)
}

// specials returns the special tokens in the order they are added.
func (f *family) specials(s *settings, from source) []addedConfig {
	var tokens []addedConfig
	for _, role := range roles {
		tokens = append(tokens, f.role(s, role))
	}
	if from.pieces == nil {
		return append(tokens, s.extra...)
	}
	for _, piece := range from.pieces.pieces {
		if piece.kind == controlPiece || piece.kind == userDefinedPiece {
			tokens = append(tokens, addedConfig{Content: piece.token})
		}
	}
	if f.class == "T5Tokenizer" {
		for _, token := range s.sentinels() {
			tokens = append(tokens, addedConfig{Content: token})
		}
	}
	return tokens
}

// maxSentinels bounds extra_ids; T5 has 100.
const maxSentinels = 1 << 16

// sentinels returns T5's tokens <extra_id_99> to <extra_id_0>.
func (s *settings) sentinels() []string {
	n := 100
	if s.ExtraIDs != nil {
		n = min(*s.ExtraIDs, maxSentinels)
	}
	var tokens []string
	for i := n - 1; i >= 0; i-- {
		tokens = append(tokens, fmt.Sprintf("<extra_id_%d>", i))
	}
	return tokens
}
