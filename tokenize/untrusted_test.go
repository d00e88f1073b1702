package tokenize

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// A tokenizer's directory cannot have a file of somewhere else read, or copied beside an export.
func TestLoadReadsNothingOutside(t *testing.T) {
	const file = `{"added_tokens":[],"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"a":1}}}`
	outside := filepath.Join(t.TempDir(), "outside")
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
		content := "{}"
		if name == "tokenizer.json" {
			content = file
		}
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := errors.Join(os.WriteFile(outside, []byte(content), 0o644), os.Symlink(outside, path)); err != nil {
			t.Fatal(err)
		}
		tok, err := Load(dir)
		if name == "vocab.txt" { // not read: only copied
			if err != nil || len(tok.Files()) != 1 {
				t.Errorf("a link for %s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, confine.ErrRefused) {
			t.Errorf("a link for %s: %v", name, err)
		}
	}
}
