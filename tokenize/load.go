package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// Load reads a tokenizer.json: the one in dir, or the file dir itself is. The
// truncation and padding sections of the file are ignored; maxLength of
// [Tokenizer.Encode] says the length and nothing is padded.
//
// A file that is not a tokenizer gives a [*FileError]; one with components that
// are not implemented gives [ErrUnsupportedModel].
func Load(dir string) (*Tokenizer, error) {
	t, err := load(dir)
	if err != nil {
		return nil, fmt.Errorf("tokenize: loading a tokenizer: %w", err)
	}
	return t, nil
}

func load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; want a model directory with a tokenizer.json, or that file", err)
	}
	if info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; write one with save_pretrained of a fast Hugging Face tokenizer", err)
	}
	if err != nil {
		return nil, err
	}
	t, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	t.files = []string{path}
	dir := filepath.Dir(path)
	for _, name := range []string{configFile, specialTokensFile, "vocab.txt"} {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			t.files = append(t.files, file)
		}
	}
	if err := t.findPad(dir); err != nil {
		return nil, err
	}
	return t, nil
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
	t := &Tokenizer{}
	t.scratch.New = func() any { return &scratch{words: map[string][]int64{}} }
	var err error
	if t.normalizer, err = component(root.at("normalizer", parts.Normalizer), normalizers); err != nil {
		return nil, err
	}
	if t.preTokenizer, err = component(root.at("pre_tokenizer", parts.PreTokenizer), preTokenizers); err != nil {
		return nil, err
	}
	model, err := newModel(root.at("model", parts.Model))
	if err != nil {
		return nil, err
	}
	if t.vocabulary, err = newVocabulary(root.at("added_tokens", parts.AddedTokens), model, t.normalizer); err != nil {
		return nil, err
	}
	post := root.at("post_processor", parts.PostProcessor)
	if t.templates, err = component(post, postProcessors); err != nil {
		return nil, err
	}
	if t.templates == nil {
		t.templates = &bare
	}
	if err := t.templates.check(post, t.vocabulary.size); err != nil {
		return nil, err
	}
	return t, t.padFromSection(root.at("padding", parts.Padding))
}
