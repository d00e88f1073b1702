package tokenize

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	configFile        = "tokenizer_config.json"
	specialTokensFile = "special_tokens_map.json"
)

// padFromSection takes the padding token from the padding section of a
// tokenizer.json, else from the names in common use.
func (t *Tokenizer) padFromSection(s section) error {
	if !s.null() {
		var config struct {
			Token string `json:"pad_token"`
		}
		if err := s.decode(&config, "pad_token"); err != nil {
			return err
		}
		return t.padFrom(s.at("pad_token", nil), config.Token)
	}
	for _, name := range []string{"[PAD]", "<pad>"} {
		if id, ok := t.vocabulary.id(name); ok {
			t.padID = id
			return nil
		}
	}
	return nil
}

// findPad lets the first of the files beside tokenizer.json that names a
// padding token decide.
func (t *Tokenizer) findPad(dir string) error {
	for _, name := range []string{configFile, specialTokensFile} {
		file := filepath.Join(dir, name)
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var config struct {
			Pad json.RawMessage `json:"pad_token"`
		}
		root := section{file: file, raw: data}
		if err := root.decode(&config); err != nil {
			return err
		}
		pad := root.at("pad_token", config.Pad)
		if pad.null() {
			continue
		}
		var token string // or an object that holds it
		if pad.raw[0] == '{' {
			var object struct {
				Content string `json:"content"`
			}
			if err := pad.decode(&object, "content"); err != nil {
				return err
			}
			token = object.Content
		} else if err := pad.decode(&token); err != nil {
			return err
		}
		return t.padFrom(pad, token)
	}
	return nil
}

func (t *Tokenizer) padFrom(s section, token string) error {
	id, ok := t.vocabulary.id(token)
	if !ok {
		return s.errorf("%q is not in the vocabulary of tokenizer.json", token)
	}
	t.padID = id
	return nil
}
