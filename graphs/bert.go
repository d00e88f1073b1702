package graphs

import "math"

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
func buildBERT(b *Builder, c *Config) *Value {
	ids := b.Input("input_ids", Int64, Batch, Tokens)
	mask := b.Input("attention_mask", Int64, Batch, Tokens)
	types := b.Input("token_type_ids", Int64, Batch, Tokens)
	f := family{b, c}

	const e = "bert.embeddings."
	word := b.Op("Gather", nil, b.Parameter(e+"word_embeddings.weight", c.VocabSize, c.HiddenSize), ids)
	kind := b.Op("Gather", nil, b.Parameter(e+"token_type_embeddings.weight", c.TypeVocabSize, c.HiddenSize), types)
	table := b.Parameter(e+"position_embeddings.weight", c.MaxPositions, c.HiddenSize)
	position := b.Op("Slice", Attrs{"to": Shape{Tokens, Static(c.HiddenSize)}}, table, b.Ints(0), b.dim(Tokens), b.Ints(0))
	x := f.dropout(f.layerNorm(b.Add(b.Add(word, kind), position), e+"LayerNorm"))

	bias := f.attentionBias(mask)
	for _, layer := range f.layers("bert.encoder.layer.") {
		a := f.attention(x, bias, layer+"attention.self.query", layer+"attention.self.key", layer+"attention.self.value")
		a = f.dropout(f.linear(a, layer+"attention.output.dense", c.HiddenSize))
		y := f.layerNorm(b.Add(a, x), layer+"attention.output.LayerNorm")
		h := f.activation(f.linear(y, layer+"intermediate.dense", c.IntermediateSize))
		h = f.dropout(f.linear(h, layer+"output.dense", c.HiddenSize))
		x = f.layerNorm(b.Add(h, y), layer+"output.LayerNorm")
	}
	cls := b.Op("Gather", Attrs{"axis": int64(1)}, x, b.Const(Int64, []int{}, 0))
	pooled := f.dropout(b.Op("Tanh", nil, f.linear(cls, "bert.pooler.dense", c.HiddenSize)))
	return f.linear(pooled, "classifier", c.NumLabels)
}

// family is the vocabulary of blocks that encoder families are written in.
type family struct {
	*Builder
	c *Config
}

// layers returns the name prefixes "prefix0.", "prefix1.", … of the configured layers.
func (f family) layers(prefix string) []string {
	out := make([]string, f.c.NumLayers)
	for i := range out {
		out[i] = prefix + itoa(i) + "."
	}
	return out
}

// linear is x·Wᵀ + b, W [out, in].
func (f family) linear(x *Value, name string, out int) *Value {
	in := x.Shape[len(x.Shape)-1].Coef
	w := f.Parameter(name+".weight", out, in)
	return f.Add(f.MatMul(x, f.Transpose(w, 1, 0)), f.Parameter(name+".bias", out))
}

// layerNorm normalises the last dimension.
func (f family) layerNorm(x *Value, name string) *Value {
	width := x.Shape[len(x.Shape)-1].Coef
	return f.Op("LayerNormalization", Attrs{"axis": int64(-1), "epsilon": f.c.LayerNormEps}, x,
		f.Parameter(name+".weight", width), f.Parameter(name+".bias", width))
}

// dropout marks a dropout site.
func (f family) dropout(x *Value) *Value { return f.Op("Dropout", nil, x) }

// activation is the configured non-linearity.
func (f family) activation(x *Value) *Value {
	a := activations[f.c.HiddenAct]
	return f.Op(a.op, a.attrs, x)
}

// activations maps Hugging Face's hidden_act to operators.
var activations = map[string]struct {
	op    string
	attrs Attrs
}{
	"gelu":              {"Gelu", nil},
	"gelu_new":          {"Gelu", Attrs{"approximate": "tanh"}},
	"gelu_pytorch_tanh": {"Gelu", Attrs{"approximate": "tanh"}},
	"relu":              {"Relu", nil},
	"tanh":              {"Tanh", nil},
}

// attentionBias is 0 where the mask is 1 and the lowest float32 where it is 0, [B, 1, 1, T].
func (f family) attentionBias(mask *Value) *Value {
	m := f.Op("Cast", Attrs{"to": int64(Float32)}, mask)
	return f.Unsqueeze(f.Scale(f.Sub(f.Scalar(1), m), -math.MaxFloat32), 1, 2)
}

// attention is multi-head self-attention without its output projection, x [B, T, C] → [B, T, C].
func (f family) attention(x, bias *Value, query, key, value string) *Value {
	heads, width := f.c.NumHeads, f.c.HiddenSize/f.c.NumHeads
	split := func(name string) *Value { // [B, H, T, D]
		y := f.linear(x, name, f.c.HiddenSize)
		return f.Transpose(f.Reshape(y, Shape{Batch, Tokens, Static(heads), Static(width)}), 0, 2, 1, 3)
	}
	q, k, v := split(query), split(key), split(value)
	scores := f.Scale(f.MatMul(q, f.swapLast(k)), 1/math.Sqrt(float64(width)))
	p := f.dropout(f.Op("Softmax", Attrs{"axis": int64(-1)}, f.Add(scores, bias)))
	return f.Reshape(f.Transpose(f.MatMul(p, v), 0, 2, 1, 3), x.Shape)
}
