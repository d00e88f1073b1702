package graphs

var electra = family{
	architecture: "ElectraForSequenceClassification",
	build:        buildELECTRA,
	defaults:     Config{EmbeddingSize: 128, LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu", TypeVocabSize: 2, Dropout: 0.1},
	prefix:       "electra.",
	word:         "electra.embeddings.word_embeddings.weight",
	head:         []string{"classifier.dense.weight", "classifier.out_proj.weight"},
	fresh:        []string{"classifier."},
	ignored: []string{"discriminator_predictions.", "generator_predictions.", "generator_lm_head.",
		"electra.embeddings.position_ids"},
}

// buildELECTRA builds the ELECTRA encoder with a classification head, tensor names as in Hugging Face's
// ElectraForSequenceClassification. It is BERT with embeddings of a width E of their own, which one linear map
// brings to C where the two differ, and with another head:
//
//	x⁰ = drop(LN(word[ids] + type[types] + position[0:T]))·Weᵀ + be
//	logits = drop(gelu(drop(x[CLS])·Wdᵀ + bd))·Woᵀ + bo
//
// Shapes: ids, mask, types [B, T] int64; x [B, T, C]; logits [B, K].
// Source: Clark et al. 2020, arXiv 2003.10555.
func buildELECTRA(f blocks) *Value {
	ids, mask := f.inputs()
	const e = "electra.embeddings."
	x := f.Add(f.words(e+"word_embeddings", ids), f.tokenTypes(e+"token_type_embeddings"))
	x = f.dropout(f.layerNorm(f.Add(x, f.positions(e+"position_embeddings")), e+"LayerNorm"))
	if f.c.EmbeddingSize != f.c.HiddenSize {
		x = f.linear(x, "electra.embeddings_project", f.c.HiddenSize)
	}
	bias := f.attentionBias(mask)
	for _, layer := range f.layers("electra.encoder.layer.") {
		x = f.bertLayer(x, bias, layer)
	}
	return f.denseHead(x, gelu)
}
