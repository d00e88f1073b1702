package tokenize

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFamilies compares with Hugging Face tokenizers on small tokenizers in the
// manner of the families, and with transformers on vocabularies without
// tokenizer.json (testdata/golden/generate.py).
func TestFamilies(t *testing.T) {
	dirs, err := os.ReadDir(goldens)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, dir := range dirs {
		if !dir.IsDir() || dir.Name() == "__pycache__" {
			continue
		}
		count++
		t.Run(dir.Name(), func(t *testing.T) {
			tok, err := Load(filepath.Join(goldens, dir.Name()))
			if err != nil {
				t.Fatal(err)
			}
			testGoldens(t, tok, readGoldens(t, filepath.Join(goldens, dir.Name(), "golden.jsonl")))
		})
	}
	if count < 33 {
		t.Errorf("%d tokenizers, want 33 or more", count)
	}
}
