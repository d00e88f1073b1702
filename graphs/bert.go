package graphs

var bert = family{
	architecture: "BertForSequenceClassification",
	build:        buildBERT,
	keys:         map[string]string{"embedding_size": ""},
	defaults:     Config{LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu", TypeVocabSize: 2, Dropout: 0.1},
	prefix:       "bert.",
	word:         "bert.embeddings.word_embeddings.weight",
	head:         []string{"bert.pooler.dense.weight", "classifier.weight"},
	fresh:        []string{"bert.pooler.", "classifier."},
	ignored:      []string{"cls.", "bert.embeddings.position_ids"},
}

// buildBERT builds the BERT encoder with a classification head, tensor names as in Hugging Face's
// BertForSequenceClassification.
//
//	x⁰ = drop(LN(word[ids] + type[types] + position[0:T]))
//	a  = softmax(q·kᵀ/√D + bias)·v for each head, bias = lowest float where the mask is 0
//	y  = LN(drop(a·Woᵀ + bo) + x),  x′ = LN(drop(gelu(y·W₁ᵀ + b₁)·W₂ᵀ + b₂) + y)
//	logits = drop(tanh(x[CLS]·Wpᵀ + bp))·Wcᵀ + bc
//
// Shapes: ids, mask, types [B, T] int64; x [B, T, C]; q, k, v [B, H, T, D], D = C/H; logits [B, K].
// Source: Devlin et al. 2018, arXiv 1810.04805, and Vaswani et al. 2017, arXiv 1706.03762, section 3.
func buildBERT(f blocks) *Value {
	ids, mask := f.inputs()
	const e = "bert.embeddings."
	x := f.Add(f.words(e+"word_embeddings", ids), f.tokenTypes(e+"token_type_embeddings"))
	x = f.dropout(f.layerNorm(f.Add(x, f.positions(e+"position_embeddings")), e+"LayerNorm"))
	bias := f.attentionBias(mask)
	for _, layer := range f.layers("bert.encoder.layer.") {
		x = f.bertLayer(x, bias, layer)
	}
	pooled := tanh(f.Builder, f.linear(f.firstToken(x), "bert.pooler.dense", f.c.HiddenSize))
	return f.linear(f.dropout(pooled), "classifier", f.c.NumLabels)
}

// bertLayer is one layer of BERT, RoBERTa and ELECTRA, tensor names from its prefix on.
func (f blocks) bertLayer(x, bias *Value, layer string) *Value {
	a := f.attention(x, bias, layer+"attention.self.query", layer+"attention.self.key", layer+"attention.self.value")
	a = f.dropout(f.linear(a, layer+"attention.output.dense", f.c.HiddenSize))
	y := f.layerNorm(f.Add(a, x), layer+"attention.output.LayerNorm")
	h := f.dropout(f.feedForward(y, layer+"intermediate.dense", layer+"output.dense"))
	return f.layerNorm(f.Add(h, y), layer+"output.LayerNorm")
}
