package tokenize

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// Load reads the tokenizer of a model directory: from tokenizer.json or, where
// there is none, from a SentencePiece *.model, from vocab.json and merges.txt,
// or from vocab.txt. These say less than a tokenizer.json; the rest is read from
// tokenizer_config.json, special_tokens_map.json, added_tokens.json and the
// model_type of config.json, or is as transformers has it for the model's
// family. dir may also be one of the files that hold a vocabulary.
//
// The truncation and padding sections of tokenizer.json are ignored; maxLength
// of [Tokenizer.Encode] says the length and nothing is padded.
//
// A file that is not a tokenizer gives a [*FileError]; one with components that
// are not implemented, and a family that is not known without tokenizer.json,
// give [ErrUnsupportedModel].
func Load(dir string) (*Tokenizer, error) {
	t, err := load(dir)
	if err != nil {
		return nil, fmt.Errorf("tokenize: loading a tokenizer: %w", err)
	}
	return t, nil
}

func load(path string) (*Tokenizer, error) {
	file, err := vocabularyFile(path)
	if err != nil {
		return nil, err
	}
	data, err := confine.ReadFile(file)
	if err != nil {
		return nil, err
	}
	dir, name := filepath.Split(file)
	var t *Tokenizer
	if filepath.Ext(name) == ".json" && name != vocabJSONFile {
		if t, err = parse(file, data); err == nil {
			err = t.findPad(dir)
		}
	} else {
		t, err = loadFamily(file, data)
	}
	if err != nil {
		return nil, err
	}
	t.files = []string{file}
	for _, name := range besides {
		beside := filepath.Join(dir, name)
		if confine.Check(beside) == nil && beside != filepath.Clean(file) {
			t.files = append(t.files, beside)
		}
	}
	return t, nil
}

// besides are the files that belong to a tokenizer beside the one that is read.
var besides = []string{configFile, specialTokensFile, addedTokensFile, vocabTextFile, vocabJSONFile, mergesFile,
	"sentencepiece.bpe.model", "spiece.model", "spm.model"}

// vocabularyFile returns the file to read of a directory, or path itself where
// it is a file.
func vocabularyFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w; want a model directory with a tokenizer.json or a vocabulary, or such a file", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	names := map[string]bool{}
	var models []string
	for _, e := range entries {
		names[e.Name()] = true
		if strings.HasSuffix(e.Name(), ".model") {
			models = append(models, e.Name())
		}
	}
	switch {
	case names[tokenizerFile]:
		return filepath.Join(path, tokenizerFile), nil
	case len(models) == 1:
		return filepath.Join(path, models[0]), nil
	case len(models) > 1:
		return "", fmt.Errorf("%s holds %s; name the one to read", path, strings.Join(models, ", "))
	case names[vocabJSONFile] && names[mergesFile]:
		return filepath.Join(path, vocabJSONFile), nil
	case names[vocabTextFile]:
		return filepath.Join(path, vocabTextFile), nil
	}
	return "", fmt.Errorf("%w: %s holds neither %s nor *.model, %s with %s, or %s; write the first with save_pretrained of a fast Hugging Face tokenizer",
		fs.ErrNotExist, path, tokenizerFile, vocabJSONFile, mergesFile, vocabTextFile)
}

// parse builds a tokenizer from data, the contents of file. All outside data is
// checked here or in the constructors this calls, before the library sees it.
func parse(file string, data []byte) (*Tokenizer, error) {
	root := section{file: file, raw: data}
	if !utf8.Valid(data) {
		return nil, root.errorf("not UTF-8 text")
	}
	var parts struct {
		Version       json.RawMessage `json:"version"`
		Padding       json.RawMessage `json:"padding"`
		AddedTokens   json.RawMessage `json:"added_tokens"`
		Normalizer    json.RawMessage `json:"normalizer"`
		PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Model         json.RawMessage `json:"model"`
	}
	if err := root.decode(&parts, "model"); err != nil {
		return nil, err
	}
	if v := root.at("version", parts.Version); !v.null() && string(v.raw) != `"1.0"` {
		return nil, v.errorf(`want "1.0", have %.40s`, v.raw)
	}
	t := newTokenizer()
	var err error
	if t.normalizers, err = components(root.at("normalizer", parts.Normalizer), normalizers, "normalizers"); err != nil {
		return nil, err
	}
	if t.preTokenizers, err = components(root.at("pre_tokenizer", parts.PreTokenizer), preTokenizers, "pretokenizers"); err != nil {
		return nil, err
	}
	m, err := newModel(root.at("model", parts.Model))
	if err != nil {
		return nil, err
	}
	if t.vocabulary, err = newVocabulary(root.at("added_tokens", parts.AddedTokens), m, t.normalizers); err != nil {
		return nil, err
	}
	post := root.at("post_processor", parts.PostProcessor)
	if t.templates, err = newTemplates(post); err != nil {
		return nil, err
	}
	if err := t.templates.check(post, t.vocabulary.size); err != nil {
		return nil, err
	}
	return t, t.padFromSection(root.at("padding", parts.Padding))
}
