package graphs

import "math"

// blocks is the vocabulary that encoder families are written in.
type blocks struct {
	*Builder
	c *Config
}

// integer is an int64 scalar literal.
func (f blocks) integer(x int) *Value { return f.Const(Int64, []int{}, float64(x)) }

// inputs declares the batch inputs that every family has, [B, T] int64.
func (f blocks) inputs() (ids, mask *Value) {
	return f.Input("input_ids", Int64, Batch, Tokens), f.Input("attention_mask", Int64, Batch, Tokens)
}

// words looks up word embeddings, [B, T, E].
func (f blocks) words(name string, ids *Value) *Value {
	return f.Op("Gather", nil, f.Parameter(name+".weight", f.c.VocabSize, f.c.EmbeddingSize), ids)
}

// tokenTypes looks up the embeddings of the segments, [B, T, E], and declares the input token_type_ids for it. A
// model of one segment has no such input: the table's only row broadcasts, [1, E].
func (f blocks) tokenTypes(name string) *Value {
	table := f.Parameter(name+".weight", f.c.TypeVocabSize, f.c.EmbeddingSize)
	if f.c.TypeVocabSize == 1 {
		return table
	}
	return f.Op("Gather", nil, table, f.Input("token_type_ids", Int64, Batch, Tokens))
}

// positions is the position embedding of every token, the table's first rows, [T, E].
func (f blocks) positions(name string) *Value {
	table := f.Parameter(name+".weight", f.c.MaxPositions, f.c.EmbeddingSize)
	return f.Op("Slice", Attrs{"to": Shape{Tokens, Static(f.c.EmbeddingSize)}}, table, f.Ints(0), f.dim(Tokens), f.Ints(0))
}

// layers returns the name prefixes "prefix0.", "prefix1.", … of the configured layers.
func (f blocks) layers(prefix string) []string {
	out := make([]string, f.c.NumLayers)
	for i := range out {
		out[i] = prefix + itoa(i) + "."
	}
	return out
}

// linear is x·Wᵀ + b, W [out, in].
func (f blocks) linear(x *Value, name string, out int) *Value {
	return f.Add(f.product(x, name, out), f.Parameter(name+".bias", out))
}

// product is x·Wᵀ, W [out, in].
func (f blocks) product(x *Value, name string, out int) *Value {
	in := x.Shape[len(x.Shape)-1].Coef
	return f.MatMul(x, f.Transpose(f.Parameter(name+".weight", out, in), 1, 0))
}

// feedForward is act(x·W₁ᵀ + b₁)·W₂ᵀ + b₂.
func (f blocks) feedForward(x *Value, up, down string) *Value {
	return f.linear(f.activation(f.linear(x, up, f.c.IntermediateSize)), down, f.c.HiddenSize)
}

// layerNorm normalises the last dimension.
func (f blocks) layerNorm(x *Value, name string) *Value {
	width := x.Shape[len(x.Shape)-1].Coef
	return f.Op("LayerNormalization", Attrs{"axis": int64(-1), "epsilon": f.c.LayerNormEps}, x,
		f.Parameter(name+".weight", width), f.Parameter(name+".bias", width))
}

// scaleNorm is layerNorm without a bias.
func (f blocks) scaleNorm(x *Value, name string) *Value {
	return f.Op("LayerNormalization", Attrs{"axis": int64(-1), "epsilon": f.c.LayerNormEps}, x,
		f.Parameter(name+".weight", x.Shape[len(x.Shape)-1].Coef))
}

// dropout marks a dropout site.
func (f blocks) dropout(x *Value) *Value { return f.Op("Dropout", nil, x) }

// activation is the configured non-linearity.
func (f blocks) activation(x *Value) *Value { return activations[f.c.HiddenAct](f.Builder, x) }

// activations maps Hugging Face's hidden_act to operators.
var activations = map[string]func(*Builder, *Value) *Value{
	"gelu":              gelu,
	"gelu_python":       gelu,
	"gelu_new":          geluTanh,
	"gelu_fast":         geluTanh,
	"gelu_pytorch_tanh": geluTanh,
	"relu":              func(b *Builder, x *Value) *Value { return b.Op("Relu", nil, x) },
	"silu":              silu,
	"swish":             silu,
	"tanh":              tanh,
}

// gelu is x·Φ(x). Source: Hendrycks and Gimpel 2016, arXiv 1606.08415, equation 1.
func gelu(b *Builder, x *Value) *Value { return b.Op("Gelu", nil, x) }

// geluTanh is gelu by its tanh approximation.
func geluTanh(b *Builder, x *Value) *Value { return b.Op("Gelu", Attrs{"approximate": "tanh"}, x) }

func tanh(b *Builder, x *Value) *Value { return b.Op("Tanh", nil, x) }

// silu is x·σ(x).
func silu(b *Builder, x *Value) *Value { return b.Mul(x, b.Op("Sigmoid", nil, x)) }

// attentionBias is 0 where the mask is 1 and the lowest float32 where it is 0, [B, 1, 1, T].
func (f blocks) attentionBias(mask *Value) *Value {
	return f.Unsqueeze(f.lowest(f.Op("Cast", Attrs{"to": int64(Float32)}, mask)), 1, 2)
}

// lowest is 0 where m is 1 and the lowest float32 where it is 0.
func (f blocks) lowest(m *Value) *Value {
	return f.Scale(f.Sub(f.Scalar(1), m), -math.MaxFloat32)
}

// splitHeads is x·Wᵀ + b cut into heads, x [B, T, C] → [B, H, T, D].
func (f blocks) splitHeads(x *Value, name string) *Value {
	return f.heads(f.linear(x, name, f.c.HiddenSize))
}

// heads cuts x into heads, [B, T, C] → [B, H, T, D].
func (f blocks) heads(x *Value) *Value {
	heads, width := f.c.NumHeads, f.c.HiddenSize/f.c.NumHeads
	return f.Transpose(f.Reshape(x, Shape{Batch, Tokens, Static(heads), Static(width)}), 0, 2, 1, 3)
}

// attention is multi-head self-attention without its output projection, x [B, T, C] → [B, T, C]. bias is added
// to the scores [B, H, T, T].
func (f blocks) attention(x, bias *Value, query, key, value string) *Value {
	q, k, v := f.splitHeads(x, query), f.splitHeads(x, key), f.splitHeads(x, value)
	return f.mergeHeads(f.weighted(f.Add(f.scores(q, k), bias), v))
}

// scores is q·kᵀ/√D, [B, H, T, T].
func (f blocks) scores(q, k *Value) *Value {
	return f.Scale(f.MatMul(q, f.swapLast(k)), 1/math.Sqrt(float64(f.c.HiddenSize/f.c.NumHeads)))
}

// weighted is drop(softmax(scores))·v, [B, H, T, T] and [B, H, T, D] → [B, H, T, D].
func (f blocks) weighted(scores, v *Value) *Value {
	return f.MatMul(f.dropout(f.Op("Softmax", Attrs{"axis": int64(-1)}, scores)), v)
}

// mergeHeads joins the heads again, [B, H, T, D] → [B, T, C].
func (f blocks) mergeHeads(x *Value) *Value {
	return f.Reshape(f.Transpose(x, 0, 2, 1, 3), Shape{Batch, Tokens, Static(f.c.HiddenSize)})
}

// offsets is j − i at row i and column j, [T, T] int64.
func (f blocks) offsets() *Value {
	place := f.places()
	return f.Sub(f.Unsqueeze(place, 0), f.Unsqueeze(place, 1))
}

// places numbers the tokens of an example from 0 on, [T] int64.
func (f blocks) places() *Value {
	return f.Op("Range", Attrs{"to": Shape{Tokens}}, f.integer(0), f.Squeeze(f.dim(Tokens), 0), f.integer(1))
}

// firstToken is the [CLS] vector, [B, T, C] → [B, C].
func (f blocks) firstToken(x *Value) *Value {
	return f.Op("Gather", Attrs{"axis": int64(1)}, x, f.integer(0))
}
