package graphs_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// goldenJSON is the config.json of a golden model with changes; a nil value removes the key.
func goldenJSON(t *testing.T, model string, changes map[string]any) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldens, model, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for key, v := range changes {
		if all[key] = v; v == nil {
			delete(all, key)
		}
	}
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	return data
}

// The checkpoints that transformers writes of the bare encoder and of the pretrained models load, whatever heads
// they come with; what they lack of the classifier is drawn.
func TestFamilyCheckpoints(t *testing.T) {
	for _, g := range goldenModels(t) {
		data, err := os.ReadFile(filepath.Join(goldens, g.name, "names.json"))
		if errors.Is(err, os.ErrNotExist) {
			continue // of r3f_reference.py
		}
		if err != nil {
			t.Fatal(err)
		}
		var classes map[string]map[string][]int
		if err := json.Unmarshal(data, &classes); err != nil || len(classes) == 0 {
			t.Fatalf("%s names no checkpoints: %v", g.name, err)
		}
		for class, tensors := range classes {
			t.Run(class, func(t *testing.T) {
				files := &checkpoint{config: goldenJSON(t, g.name, nil), tensors: map[string]safetensors.Tensor{}}
				for name, shape := range tensors {
					files.set(name, shape...)
				}
				m, err := graphs.Load(files.write(t), g.labels, 1)
				if err != nil {
					t.Fatal(err)
				}
				var lacking []string
				for _, p := range m.Graph.Parameters {
					_, bare, _ := strings.Cut(p.Name, ".")
					if tensors[p.Name] == nil && tensors[bare] == nil {
						lacking = append(lacking, p.Name)
					}
				}
				if output := m.Head[len(m.Head)-1]; !slices.Equal(m.Initialised, lacking) || !slices.Contains(lacking, output) {
					t.Errorf("initialised %v; the checkpoint lacks %v", m.Initialised, lacking)
				}
			})
		}
	}
}

// configCase is a golden configuration with one key changed, and what the error then says; nil where it is no error.
type configCase struct {
	model, key string
	value      any
	want       []string
}

func (c configCase) check(t *testing.T) {
	t.Helper()
	config, err := graphs.ParseConfig(goldenJSON(t, "tiny-"+c.model, map[string]any{c.key: c.value}))
	if c.want != nil {
		says(t, err, c.want...)
		return
	}
	if err == nil {
		_, err = graphs.NewModel(config, 2)
	}
	if err != nil {
		t.Errorf("%s %v of %s: %v", c.key, c.value, c.model, err)
	}
}

// What a configuration says wrong is named by the key that the family has for it.
func TestFamilyConfigErrors(t *testing.T) {
	for _, c := range []configCase{
		{"distilbert", "dim", 0, []string{"dim is 0"}},
		{"distilbert", "dim", "wide", []string{"dim", "string"}},
		{"distilbert", "n_layers", nil, []string{"n_layers is 0"}},
		{"distilbert", "n_heads", 3, []string{"dim 16", "n_heads 3"}},
		{"distilbert", "hidden_dim", -1, []string{"hidden_dim is -1"}},
		{"distilbert", "activation", "maxout", []string{"activation", `"maxout"`, "gelu_new"}},
		{"roberta", "max_position_embeddings", 2, []string{"max_position_embeddings is 2", "from 2 on"}},
		{"roberta", "pad_token_id", 60, []string{"max_position_embeddings is 26", "from 61 on"}},
		{"roberta", "type_vocab_size", 0, []string{"type_vocab_size is 0"}},
		{"electra", "embedding_size", -1, []string{"embedding_size is -1"}},
		{"electra", "embedding_size", 1 << 25, []string{"embedding_size is 33554432"}},
		{"albert", "embedding_size", 0, nil}, // as wide as hidden_size
		{"albert", "num_hidden_groups", 0, []string{"num_hidden_groups is 0"}},
		{"albert", "num_hidden_groups", 4, []string{"num_hidden_groups is 4", "num_hidden_layers 3"}},
		{"albert", "num_hidden_groups", "two", []string{"num_hidden_groups", "string"}},
		{"albert", "inner_group_num", 0, []string{"inner_group_num is 0"}},
		{"albert", "inner_group_num", 1 << 20, []string{"inner_group_num is 1048576", "num_hidden_layers 3"}},
		{"mpnet", "relative_attention_num_buckets", 31, []string{"relative_attention_num_buckets is 31", "32"}},
		{"mpnet", "relative_attention_num_buckets", 1 << 20, []string{"relative_attention_num_buckets is 1048576"}},
		{"mpnet", "relative_attention_num_buckets", "many", []string{"relative_attention_num_buckets", "string"}},
		{"mpnet", "max_position_embeddings", 1, []string{"max_position_embeddings is 1", "from 2 on"}},
		{"mpnet", "type_vocab_size", 0, nil}, // MPNet has no segments and no such key
		{"distilbert", "layer_norm_eps", -1, nil},
	} {
		c.check(t)
	}
}

// Absent keys have the values that transformers gives them in the family's configuration.
func TestFamilyDefaults(t *testing.T) {
	for _, c := range []struct {
		model, absent string
		want          func(*graphs.Config) bool
	}{
		{"albert", "hidden_act", func(c *graphs.Config) bool { return c.HiddenAct == "gelu_new" }},
		{"albert", "hidden_dropout_prob", func(c *graphs.Config) bool { return c.Dropout == 0 }},
		{"albert", "embedding_size", func(c *graphs.Config) bool { return c.EmbeddingSize == 128 }},
		{"electra", "embedding_size", func(c *graphs.Config) bool { return c.EmbeddingSize == 128 }},
		{"electra", "hidden_dropout_prob", func(c *graphs.Config) bool { return c.Dropout == 0.1 }},
		{"distilbert", "dropout", func(c *graphs.Config) bool { return c.Dropout == 0.1 }},
		{"roberta", "pad_token_id", func(c *graphs.Config) bool { return c.PadTokenID == 1 && c.MaxTokens() == c.MaxPositions-2 }},
		{"mpnet", "pad_token_id", func(c *graphs.Config) bool { return c.PadTokenID == 1 && c.MaxTokens() == c.MaxPositions-2 }},
	} {
		config, err := graphs.ParseConfig(goldenJSON(t, "tiny-"+c.model, map[string]any{c.absent: nil}))
		if err != nil {
			t.Errorf("%s without %s: %v", c.model, c.absent, err)
		} else if !c.want(config) {
			t.Errorf("%s without %s: %+v", c.model, c.absent, config)
		}
	}
}

// A model has the inputs that its family knows.
func TestFamilyInputs(t *testing.T) {
	for name, m := range familyModels(t) {
		c := m.Config
		if segments := m.Graph.Input("token_type_ids") != nil; segments != (c.TypeVocabSize > 1) {
			t.Errorf("%s with %d segments: token_type_ids is an input: %v", name, c.TypeVocabSize, segments)
		}
		if m.Graph.Input("input_ids") == nil || m.Graph.Input("attention_mask") == nil {
			t.Errorf("%s lacks an input", name)
		}
	}
}
