package graphs_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// A model directory cannot have a file of somewhere else read for one of its own.
func TestLoadReadsNothingOutside(t *testing.T) {
	for _, name := range []string{"config.json", "model.safetensors"} {
		dir := filepath.Join(t.TempDir(), "model")
		if err := os.CopyFS(dir, os.DirFS("../testdata/golden/tiny-bert-3")); err != nil {
			t.Fatal(err)
		}
		if _, err := graphs.Load(dir, 3, 0); err != nil {
			t.Fatal(err)
		}
		path, outside := filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), name)
		if err := errors.Join(os.Rename(path, outside), os.Symlink(outside, path)); err != nil {
			t.Fatal(err)
		}
		if _, err := graphs.Load(dir, 3, 0); !errors.Is(err, confine.ErrRefused) || !errors.Is(err, graphs.ErrModel) {
			t.Errorf("a link for %s: %v", name, err)
		}
	}
}

// A model directory of a few bytes cannot ask for memory: what is not in its weights is missing before it is made.
func TestLoadAllocatesWhatTheFilesHold(t *testing.T) {
	dir := t.TempDir()
	config := `{"model_type":"bert","vocab_size":100000,"hidden_size":16384,"num_hidden_layers":48,"num_attention_heads":16,
		"intermediate_size":65536,"max_position_embeddings":65536,"type_vocab_size":2}`
	header := `{}      `
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644),
		os.WriteFile(filepath.Join(dir, "model.safetensors"), append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...), 0o644)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := graphs.Load(dir, 2, 0)
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; !errors.Is(err, graphs.ErrModel) || mb > 64 {
		t.Errorf("loading 200 bytes allocates %d MB: %v", mb, err)
	}
}
