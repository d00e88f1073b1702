package graphs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Buckets of distances are those of transformers, to either side.
func TestDistanceBuckets(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(goldens, "tiny-deberta-v3", "buckets.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tables []struct {
		Buckets   int   `json:"position_buckets"`
		Positions int   `json:"max_relative_positions"`
		Want      []int `json:"buckets"`
	}
	if err := json.Unmarshal(data, &tables); err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, table := range tables {
		for d, want := range table.Want {
			for _, sign := range []int{1, -1} {
				if got := graphs.DistanceBucket(table.Buckets, table.Positions, sign*d); got != sign*want {
					t.Errorf("%d buckets for %d positions: distance %d is in bucket %d, not %d", table.Buckets, table.Positions, sign*d, got, sign*want)
				}
			}
		}
	}
}

// goldenVariant builds a golden model's configuration with changes.
func goldenVariant(t *testing.T, model string, changes map[string]any) *graphs.Model {
	t.Helper()
	c, err := graphs.ParseConfig(goldenJSON(t, model, changes))
	if err != nil {
		t.Fatal(err)
	}
	return newModel(t, c)
}

// The configurations that say the same in other words build the same graph.
func TestEqualConfigurations(t *testing.T) {
	for _, c := range []struct {
		name, model string
		changes     map[string]any
	}{
		{"words joined by bars", "tiny-deberta-v3", map[string]any{"pos_att_type": "C2P | p2c", "norm_rel_ebd": "LAYER_NORM|other"}},
		{"longest distance by default", "tiny-deberta-v3", map[string]any{"max_relative_positions": 26}},
		{"null for absent", "tiny-deberta-v3", map[string]any{"conv_kernel_size": json.RawMessage("null"), "attention_head_size": json.RawMessage("null")}},
		{"sizes that are given anyway", "tiny-deberta-v3", map[string]any{"attention_head_size": 8, "pooler_hidden_size": 16}},
		{"every third layer global, thetas by default", "tiny-modernbert", map[string]any{"layer_types": nil, "rope_parameters": nil}},
		{"before transformers 5", "tiny-modernbert", map[string]any{"layer_types": nil, "rope_parameters": nil,
			"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0, "position_embedding_type": "absolute",
			"deterministic_flash_attn": true, "reference_compile": json.RawMessage("null")}},
		{"both kinds of keys", "tiny-modernbert", map[string]any{"global_attn_every_n_layers": 1, "global_rope_theta": 5.0}},
		{"theta of one kind by default", "tiny-modernbert", map[string]any{"rope_parameters": map[string]any{
			"full_attention": map[string]any{"rope_type": "default"}, "sliding_attention": json.RawMessage("null")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, want := goldenVariant(t, c.model, c.changes).Graph.String(), goldenVariant(t, c.model, nil).Graph.String()
			if got != want {
				t.Errorf("%v builds another graph:\n%s\nnot\n%s", c.changes, got, want)
			}
		})
	}
}

// What changes the model changes the graph.
func TestUnequalConfigurations(t *testing.T) {
	for _, c := range []struct {
		model   string
		changes map[string]any
	}{
		{"tiny-deberta-v3", map[string]any{"position_buckets": 7}},
		{"tiny-deberta-v3", map[string]any{"max_relative_positions": 20}},
		{"tiny-deberta-v3", map[string]any{"share_att_key": false}},
		{"tiny-deberta-v3", map[string]any{"norm_rel_ebd": nil}},
		{"tiny-deberta-v3", map[string]any{"pooler_dropout": 0.0}}, // one dropout site less
		{"tiny-deberta-v3", map[string]any{"pooler_hidden_act": "tanh"}},
		{"tiny-deberta-v3", map[string]any{"relative_attention": nil}},
		{"tiny-deberta-v3", map[string]any{"position_biased_input": nil}},
		{"tiny-modernbert", map[string]any{"layer_types": nil, "global_attn_every_n_layers": 2}},
		{"tiny-modernbert", map[string]any{"local_attention": 8}},
		{"tiny-modernbert", map[string]any{"rope_parameters": nil, "global_rope_theta": 5.0}},
		{"tiny-modernbert", map[string]any{"rope_parameters": nil, "local_rope_theta": json.RawMessage("null")}}, // as the global one
		{"tiny-modernbert", map[string]any{"classifier_activation": "relu"}},
		{"tiny-modernbert", map[string]any{"hidden_activation": "relu"}},
		{"tiny-modernbert", map[string]any{"norm_eps": 1e-6}},
	} {
		if goldenVariant(t, c.model, c.changes).Graph.String() == goldenVariant(t, c.model, nil).Graph.String() {
			t.Errorf("%s with %v builds the same graph", c.model, c.changes)
		}
	}
}

func TestPositionConfigErrors(t *testing.T) {
	kinds := func(kind string) []string { return []string{kind, kind, kind, kind} }
	rope := func(kind string, theta float64) map[string]any {
		return map[string]any{"full_attention": map[string]any{"rope_type": kind, "rope_theta": theta}}
	}
	for _, c := range []configCase{
		{"deberta-v3", "pos_att_type", []string{"p2p"}, []string{"pos_att_type", "p2p", "c2p"}},
		{"deberta-v3", "pos_att_type", nil, []string{"pos_att_type", "c2p"}},
		{"deberta-v3", "pos_att_type", 3, []string{"pos_att_type"}},
		{"deberta-v3", "position_buckets", 1, []string{"position_buckets is 1"}},
		{"deberta-v3", "position_buckets", 50, []string{"position_buckets is 50", "25"}},
		{"deberta-v3", "position_buckets", 1 << 20, []string{"position_buckets 1048576"}},
		{"deberta-v3", "max_position_embeddings", 1 << 20, []string{"max_position_embeddings 1048576"}},
		{"deberta-v3", "max_relative_positions", 1 << 20, nil}, // buckets limit the table
		{"deberta-v3", "type_vocab_size", -1, []string{"type_vocab_size is -1"}},
		{"deberta-v3", "attention_head_size", 4, []string{"attention_head_size is 4", "= 8"}},
		{"deberta-v3", "pooler_hidden_size", 8, []string{"pooler_hidden_size is 8", "16"}},
		{"deberta-v3", "pooler_hidden_act", "maxout", []string{"pooler_hidden_act", `"maxout"`}},
		{"deberta-conv", "conv_kernel_size", 4, []string{"conv_kernel_size is 4", "odd"}},
		{"deberta-conv", "conv_kernel_size", -3, []string{"conv_kernel_size is -3"}},
		{"deberta-conv", "conv_kernel_size", 5, nil},
		{"deberta-conv", "conv_groups", 2, []string{"conv_groups is 2"}},
		{"deberta-conv", "conv_act", "maxout", []string{"conv_act", `"maxout"`}},
		{"deberta-p2c", "max_relative_positions", 1 << 20, []string{"max_relative_positions 1048576"}},
		{"modernbert", "layer_types", kinds("chunked_attention"), []string{"layer_types[0]", `"chunked_attention"`, "full_attention, sliding_attention"}},
		{"modernbert", "layer_types", kinds("full_attention")[:3], []string{"layer_types", "3 layers of 4"}},
		{"modernbert", "layer_types", kinds("full_attention"), nil},
		{"modernbert", "local_attention", 0, []string{"local_attention is 0"}},
		{"modernbert", "num_attention_heads", 16, []string{"num_attention_heads is 1;", "even"}},
		{"modernbert", "hidden_size", 2048, []string{"num_attention_heads is 1024;", "512"}},
		{"modernbert", "rope_parameters", rope("yarn", 10), []string{"rope_parameters.full_attention.rope_type", `"yarn"`, "default"}},
		{"modernbert", "rope_parameters", rope("default", -1), []string{"rope_theta of full_attention is -1"}},
		{"modernbert", "rope_parameters", "long", []string{"rope_parameters"}},
		{"modernbert", "rope_scaling", map[string]any{"type": "linear"}, []string{"rope_scaling is not supported"}},
		{"modernbert", "classifier_pooling", "max", []string{"classifier_pooling", `"max"`, "cls, mean"}},
		{"modernbert", "classifier_activation", "maxout", []string{"classifier_activation", `"maxout"`}},
		{"modernbert", "hidden_activation", "maxout", []string{"hidden_activation", `"maxout"`}},
		{"modernbert", "norm_eps", -1, []string{"norm_eps is -1"}},
	} {
		c.check(t)
	}
	without := map[string]any{"layer_types": nil, "global_attn_every_n_layers": 0}
	_, err := graphs.ParseConfig(goldenJSON(t, "tiny-modernbert", without))
	says(t, err, "layer_types", "global_attn_every_n_layers is 0")
}

// A fresh head's LayerNorm starts at one, its matrices at draws from the seed.
func TestFreshNormWeights(t *testing.T) {
	files := &checkpoint{config: goldenJSON(t, "tiny-modernbert", nil)}
	files.tensors = goldenTensors(t, "tiny-modernbert", "head.", "classifier.")
	m, err := graphs.Load(files.write(t), 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, w := range m.Weights {
		if w.Name != "head.norm.weight" && w.Name != "classifier.bias" {
			continue
		}
		seen++
		for _, x := range w.Data {
			if want := map[string]float32{"head.norm.weight": 1}[w.Name]; x != want {
				t.Errorf("%s starts at %v, not %v", w.Name, x, want)
			}
		}
	}
	if seen != 2 || len(m.Initialised) != 4 {
		t.Errorf("initialised %v", m.Initialised)
	}
}

// A large table of distances has the same kind of gradient with dropout and without, which an engine can plan for.
func TestLargeRelativeTable(t *testing.T) {
	m := goldenVariant(t, "tiny-deberta-p2c", map[string]any{"max_relative_positions": graphs.RowTableSize / 2})
	for i, o := range []graphs.Options{{Doubled: true}, {Doubled: true, Dropout: tinyDropout}} {
		t.Logf("seed %d", i)
		checkModelGradients(t, m, o, newRandom(uint64(i)))
		var rows []string
		for _, table := range compile(t, m, o, false).RowTables {
			rows = append(rows, table.Parameter)
		}
		if !slices.Equal(rows, m.RowTables()) {
			t.Errorf("%+v: gradients of %v come as rows; promised: %v", o, rows, m.RowTables())
		}
	}
}
