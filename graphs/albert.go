package graphs

import "fmt"

var albert = family{
	architecture: "AlbertForSequenceClassification",
	build:        buildALBERT,
	check: func(c *Config) error {
		_, err := albertKeysOf(c)
		return err
	},
	defaults: Config{EmbeddingSize: 128, LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu_new", TypeVocabSize: 2},
	prefix:   "albert.",
	word:     "albert.embeddings.word_embeddings.weight",
	head:     []string{"albert.pooler.weight", "classifier.weight"},
	fresh:    []string{"albert.pooler.", "classifier."},
	ignored:  []string{"predictions.", "sop_classifier.", "albert.embeddings.position_ids"},
}

// albertKeys are the config.json keys that only ALBERT has.
type albertKeys struct {
	Groups int `json:"num_hidden_groups"` // sets of shared parameters
	Inner  int `json:"inner_group_num"`   // layers in a group
}

func albertKeysOf(c *Config) (albertKeys, error) {
	k := albertKeys{Groups: 1, Inner: 1}
	if err := c.own(&k); err != nil {
		return k, err
	}
	if k.Groups < 1 || k.Groups > c.NumLayers {
		return k, fmt.Errorf("num_hidden_groups is %d; 1 to num_hidden_layers %d can be used", k.Groups, c.NumLayers)
	}
	if k.Inner < 1 || k.Inner > 1024/c.NumLayers {
		return k, fmt.Errorf("inner_group_num is %d; 1 to %d layers a group are possible with num_hidden_layers %d", k.Inner, 1024/c.NumLayers, c.NumLayers)
	}
	return k, nil
}

// buildALBERT builds the ALBERT encoder with a classification head, tensor names as in Hugging Face's
// AlbertForSequenceClassification. It is BERT with embeddings of a width E of their own, layers that share their
// parameters in groups, so that their gradients add up, and no dropout behind the feed-forward:
//
//	x⁰ = drop(LN(word[ids] + type[types] + position[0:T]))·Weᵀ + be
//	y  = LN(x + drop(a·Woᵀ + bo)),  x′ = LN(act(y·W₁ᵀ + b₁)·W₂ᵀ + b₂ + y)
//	logits = drop(tanh(x[CLS]·Wpᵀ + bp))·Wcᵀ + bc
//
// Shapes: ids, mask, types [B, T] int64; x [B, T, C]; logits [B, K].
// Source: Lan et al. 2019, arXiv 1909.11942.
func buildALBERT(f blocks) *Value {
	keys, err := albertKeysOf(f.c)
	if err != nil {
		return f.fail(err)
	}
	ids, mask := f.inputs()
	const e = "albert.embeddings."
	x := f.Add(f.words(e+"word_embeddings", ids), f.tokenTypes(e+"token_type_embeddings"))
	x = f.dropout(f.layerNorm(f.Add(x, f.positions(e+"position_embeddings")), e+"LayerNorm"))
	x = f.linear(x, "albert.encoder.embedding_hidden_mapping_in", f.c.HiddenSize)
	bias := f.attentionBias(mask)
	for i := range f.c.NumLayers {
		group := int(float64(i) / (float64(f.c.NumLayers) / float64(keys.Groups))) // as transformers rounds
		for inner := range keys.Inner {
			x = f.albertLayer(x, bias, fmt.Sprintf("albert.encoder.albert_layer_groups.%d.albert_layers.%d.", group, inner))
		}
	}
	pooled := tanh(f.Builder, f.linear(f.firstToken(x), "albert.pooler", f.c.HiddenSize))
	return f.linear(f.dropout(pooled), "classifier", f.c.NumLabels)
}

func (f blocks) albertLayer(x, bias *Value, layer string) *Value {
	a := f.attention(x, bias, layer+"attention.query", layer+"attention.key", layer+"attention.value")
	a = f.dropout(f.linear(a, layer+"attention.dense", f.c.HiddenSize))
	y := f.layerNorm(f.Add(x, a), layer+"attention.LayerNorm")
	return f.layerNorm(f.Add(f.feedForward(y, layer+"ffn", layer+"ffn_output"), y), layer+"full_layer_layer_norm")
}
