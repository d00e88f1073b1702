package graphs

var distilbert = family{
	architecture: "DistilBertForSequenceClassification",
	build:        buildDistilBERT,
	keys: map[string]string{"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
		"intermediate_size": "hidden_dim", "hidden_act": "activation", "hidden_dropout_prob": "dropout",
		"embedding_size": "", "type_vocab_size": "", "layer_norm_eps": "", "position_embedding_type": ""},
	defaults: Config{LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu", Dropout: 0.1},
	prefix:   "distilbert.",
	word:     "distilbert.embeddings.word_embeddings.weight",
	head:     []string{"pre_classifier.weight", "classifier.weight"},
	fresh:    []string{"pre_classifier.", "classifier."},
	ignored:  []string{"vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "distilbert.embeddings.position_ids"},
}

// buildDistilBERT builds the DistilBERT encoder with a classification head, tensor names as in Hugging Face's
// DistilBertForSequenceClassification. It is BERT without segments and without dropout behind the attention's
// output, and with another head:
//
//	logits = drop(relu(x[CLS]·Wpᵀ + bp))·Wcᵀ + bc
//
// Shapes: ids, mask [B, T] int64; x [B, T, C]; logits [B, K].
// Source: Sanh et al. 2019, arXiv 1910.01108.
func buildDistilBERT(f blocks) *Value {
	ids, mask := f.inputs()
	const e = "distilbert.embeddings."
	x := f.Add(f.words(e+"word_embeddings", ids), f.positions(e+"position_embeddings"))
	x = f.dropout(f.layerNorm(x, e+"LayerNorm"))
	bias := f.attentionBias(mask)
	for _, layer := range f.layers("distilbert.transformer.layer.") {
		a := f.attention(x, bias, layer+"attention.q_lin", layer+"attention.k_lin", layer+"attention.v_lin")
		y := f.layerNorm(f.Add(f.linear(a, layer+"attention.out_lin", f.c.HiddenSize), x), layer+"sa_layer_norm")
		h := f.dropout(f.feedForward(y, layer+"ffn.lin1", layer+"ffn.lin2"))
		x = f.layerNorm(f.Add(h, y), layer+"output_layer_norm")
	}
	pooled := f.Op("Relu", nil, f.linear(f.firstToken(x), "pre_classifier", f.c.HiddenSize))
	return f.linear(f.dropout(pooled), "classifier", f.c.NumLabels)
}
