package graphs_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// tinyJSON is tinyConfig as a config.json, with changes; a nil value removes the key.
func tinyJSON(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	all := map[string]any{"model_type": "bert", "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
		"intermediate_size": 12, "max_position_embeddings": 9, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
		"initializer_range": 0.02, "architectures": []string{"BertModel"}}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReadConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, tinyJSON(t, map[string]any{"layer_norm_eps": nil, "hidden_act": nil, "type_vocab_size": nil, "pad_token_id": 3}), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := graphs.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Absent keys have the values that transformers' BertConfig gives them.
	if c.HiddenSize != 8 || c.NumLayers != 2 || c.PadTokenID != 3 || c.LayerNormEps != 1e-12 || c.HiddenAct != "gelu" || c.TypeVocabSize != 2 || c.InitializerRange != 0.02 {
		t.Errorf("read %+v", c)
	}
	fields := c.Fields()
	if fields["vocab_size"] != json.Number("11") || fields["architectures"] == nil {
		t.Errorf("fields %v", fields)
	}
	fields["vocab_size"] = "changed"
	if c.Fields()["vocab_size"] != json.Number("11") {
		t.Error("the returned fields are not a copy")
	}

	_, err = graphs.ReadConfig(filepath.Join(dir, "absent"))
	if !errors.Is(err, graphs.ErrModel) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	says(t, err, "absent", "config.json", "model.safetensors")
}

func TestReadConfigErrors(t *testing.T) {
	change := func(key string, value any) map[string]any { return map[string]any{key: value} }
	const huge = 1 << 24
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"no JSON", []byte("{"), []string{"JSON"}},
		{"empty", nil, []string{"JSON"}},
		{"no object", []byte("[1]"), []string{"array"}},
		{"null", []byte("null"), []string{"model_type"}},
		{"two objects", []byte("{}{}"), []string{"after top-level value"}},
		{"text for a size", tinyJSON(t, change("hidden_size", "eight")), []string{"hidden_size", "string"}},
		{"fraction of a layer", tinyJSON(t, change("num_hidden_layers", 1.5)), []string{"num_hidden_layers", "1.5"}},
		{"size beyond int", tinyJSON(t, change("vocab_size", 1e30)), []string{"vocab_size", "1e+30"}},
		{"another family", tinyJSON(t, change("model_type", "gpt2")), []string{`"gpt2"`, "supported", "bert"}},
		{"no family", tinyJSON(t, change("model_type", nil)), []string{"model_type", "bert"}},
		{"no vocabulary", tinyJSON(t, change("vocab_size", nil)), []string{"vocab_size is 0"}},
		{"negative layers", tinyJSON(t, change("num_hidden_layers", -1)), []string{"num_hidden_layers is -1"}},
		{"no heads", tinyJSON(t, change("num_attention_heads", 0)), []string{"num_attention_heads is 0"}},
		{"no positions", tinyJSON(t, change("max_position_embeddings", 0)), []string{"max_position_embeddings is 0"}},
		{"no types", tinyJSON(t, change("type_vocab_size", 0)), []string{"type_vocab_size is 0"}},
		{"heads that do not divide", tinyJSON(t, change("num_attention_heads", 3)), []string{"hidden_size 8", "num_attention_heads 3"}},
		{"activation", tinyJSON(t, change("hidden_act", "maxout")), []string{`"maxout"`, "gelu_new", "relu"}},
		{"relative positions", tinyJSON(t, change("position_embedding_type", "relative_key")), []string{`"relative_key"`, "absolute"}},
		{"padding outside the vocabulary", tinyJSON(t, change("pad_token_id", 11)), []string{"pad_token_id", "11"}},
		{"negative padding", tinyJSON(t, change("pad_token_id", -1)), []string{"pad_token_id", "-1"}},
		{"negative epsilon", tinyJSON(t, change("layer_norm_eps", -1)), []string{"layer_norm_eps", "-1"}},
		{"huge vocabulary", tinyJSON(t, map[string]any{"vocab_size": huge, "hidden_size": huge}), []string{"more than"}},
		{"too many words", tinyJSON(t, change("vocab_size", huge+1)), []string{"vocab_size is 16777217"}},
		{"huge width", tinyJSON(t, change("hidden_size", huge)), []string{"more than"}},
		{"huge feed-forward", tinyJSON(t, map[string]any{"intermediate_size": huge, "hidden_size": 1024}), []string{"more than"}},
		{"huge positions", tinyJSON(t, map[string]any{"max_position_embeddings": huge, "hidden_size": 1024}), []string{"more than"}},
		{"huge types", tinyJSON(t, map[string]any{"type_vocab_size": huge, "hidden_size": 1024}), []string{"more than"}},
		{"too many layers", tinyJSON(t, change("num_hidden_layers", 1025)), []string{"1024 layers"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.json")
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := graphs.ReadConfig(dir)
			says(t, err, append(c.want, path)...)
			if !errors.Is(err, graphs.ErrModel) {
				t.Errorf("error %v does not wrap ErrModel", err)
			}
		})
	}
}

// NewModel takes configurations that no file was read for, so it checks them itself.
func TestNewModelErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		labels int
		change func(*graphs.Config)
		want   string
	}{
		{"no labels", 0, func(*graphs.Config) {}, "labels"},
		{"no heads", 2, func(c *graphs.Config) { c.NumHeads = 0 }, "num_attention_heads"},
		{"no layers", 2, func(c *graphs.Config) { c.NumLayers = 0 }, "num_hidden_layers"},
		{"family", 2, func(c *graphs.Config) { c.ModelType = "mamba" }, `"mamba"`},
		{"activation", 2, func(c *graphs.Config) { c.HiddenAct = "" }, "hidden_act"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := tinyConfig("gelu")
			c.change(config)
			_, err := graphs.NewModel(config, c.labels)
			says(t, err, c.want)
			if !errors.Is(err, graphs.ErrModel) {
				t.Errorf("error %v does not wrap ErrModel", err)
			}
		})
	}
}

func FuzzReadConfig(f *testing.F) {
	configs, err := filepath.Glob("../testdata/golden/tiny-*/config.json")
	if err != nil || len(configs) == 0 {
		f.Fatalf("no golden configurations: %v", err)
	}
	for _, path := range configs {
		golden, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(golden)
	}
	for _, seed := range [][]byte{[]byte("{}"), []byte("null"), []byte(`{"model_type":"bert","hidden_size":1e9}`), []byte(`{"model_type":"bert","hidden_size":-8,"num_attention_heads":0}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := graphs.ParseConfig(data)
		if err != nil {
			return
		}
		c.Fields()
		if c.NumLayers > 3 {
			return // the graph grows with the layers only
		}
		m, err := graphs.NewModel(c, 2)
		if err != nil {
			t.Fatalf("a configuration that passes validation makes no model: %v", err)
		}
		if _, err := m.Compile(graphs.Options{Doubled: true, Dropout: 0.1}, true); err != nil {
			t.Fatalf("the model does not compile: %v", err)
		}
	})
}
