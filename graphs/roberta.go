package graphs

// roberta is the family of RoBERTa and of its descendants, which differ from it in vocabulary and data alone.
func roberta(architecture string) family {
	return family{
		architecture: architecture,
		build:        buildRoBERTa,
		first:        func(c *Config) int { return c.PadTokenID + 1 },
		keys:         map[string]string{"embedding_size": ""},
		defaults:     Config{LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu", TypeVocabSize: 2, Dropout: 0.1, PadTokenID: 1},
		prefix:       "roberta.",
		word:         "roberta.embeddings.word_embeddings.weight",
		head:         []string{"classifier.dense.weight", "classifier.out_proj.weight"},
		fresh:        []string{"classifier."},
		ignored:      []string{"lm_head.", "roberta.pooler.", "roberta.embeddings.position_ids"},
	}
}

// buildRoBERTa builds the RoBERTa encoder with a classification head, tensor names as in Hugging Face's
// RobertaForSequenceClassification. It is BERT but for positions, which count the tokens that are not padding from
// p + 1 on, p the padding id, and for the head:
//
//	logits = drop(tanh(drop(x[<s>])·Wdᵀ + bd))·Woᵀ + bo
//
// Shapes: ids, mask, types [B, T] int64; x [B, T, C]; logits [B, K].
// Source: Liu et al. 2019, arXiv 1907.11692; Conneau et al. 2019, arXiv 1911.02116 (XLM-R).
func buildRoBERTa(f blocks) *Value {
	ids, mask := f.inputs()
	const e = "roberta.embeddings."
	x := f.Add(f.words(e+"word_embeddings", ids), f.tokenTypes(e+"token_type_embeddings"))
	x = f.dropout(f.layerNorm(f.Add(x, f.countedPositions(e+"position_embeddings", ids, f.c.PadTokenID)), e+"LayerNorm"))
	bias := f.attentionBias(mask)
	for _, layer := range f.layers("roberta.encoder.layer.") {
		x = f.bertLayer(x, bias, layer)
	}
	return f.denseHead(x, tanh)
}

// countedPositions is the position embedding of tokens that are counted from padding + 1 on, padding itself having
// position `padding`, [B, T, E].
func (f blocks) countedPositions(name string, ids *Value, padding int) *Value {
	table := f.Parameter(name+".weight", f.c.MaxPositions, f.c.EmbeddingSize)
	pad := f.integer(padding)
	padded := f.Op("Cast", Attrs{"to": int64(Int64)}, f.Op("Equal", nil, ids, pad))
	real := f.Sub(f.integer(1), padded)
	count := f.Op("CumSum", nil, real, f.integer(1))
	return f.Op("Gather", nil, table, f.Add(f.Mul(count, real), pad))
}

// denseHead is the classification head of RoBERTa, MPNet and ELECTRA: drop(act(drop(x[0])·Wdᵀ + bd))·Woᵀ + bo.
func (f blocks) denseHead(x *Value, act func(*Builder, *Value) *Value) *Value {
	y := act(f.Builder, f.linear(f.dropout(f.firstToken(x)), "classifier.dense", f.c.HiddenSize))
	return f.linear(f.dropout(y), "classifier.out_proj", f.c.NumLabels)
}
