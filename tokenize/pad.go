package tokenize

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/internal/confine"
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
		data, err := confine.ReadFile(file)
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
		token, err := readToken(pad)
		if err != nil {
			return err
		}
		return t.padFrom(pad, token.Content)
	}
	return nil
}

func (t *Tokenizer) padFrom(s section, token string) error {
	id, ok := t.vocabulary.id(token)
	if !ok {
		return s.errorf("%q is not in the vocabulary", token)
	}
	t.padID = id
	return nil
}
