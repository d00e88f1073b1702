package graphs

import (
	"fmt"
	"math"
	"slices"
)

var modernbert = family{
	architecture: "ModernBertForSequenceClassification",
	build:        buildModernBERT,
	check: func(c *Config) error {
		_, err := modernbertOwn(c)
		return err
	},
	keys: map[string]string{"embedding_size": "", "type_vocab_size": "", "position_embedding_type": "",
		"hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps", "hidden_dropout_prob": "mlp_dropout"},
	defaults: Config{LayerNormEps: 1e-5, InitializerRange: 0.02, HiddenAct: "gelu", PadTokenID: 50283},
	prefix:   "model.",
	word:     "model.embeddings.tok_embeddings.weight",
	head:     []string{"head.dense.weight", "classifier.weight"},
	fresh:    []string{"head.", "classifier."},
	ignored:  []string{"decoder."},
}

// modernbertKeys are the keys of config.json that only ModernBERT has. Since transformers 5 layer_types and
// rope_parameters say what global_attn_every_n_layers and the two thetas said before.
type modernbertKeys struct {
	LayerTypes     []string                 `json:"layer_types"`
	GlobalEvery    int                      `json:"global_attn_every_n_layers"`
	LocalAttention int                      `json:"local_attention"` // width of the window, both sides together
	Rope           map[string]*rotaryConfig `json:"rope_parameters"`
	RopeScaling    any                      `json:"rope_scaling"`
	GlobalTheta    float64                  `json:"global_rope_theta"`
	LocalTheta     *float64                 `json:"local_rope_theta"` // null: as global_rope_theta
	AttentionBias  bool                     `json:"attention_bias"`
	MLPBias        bool                     `json:"mlp_bias"`
	NormBias       bool                     `json:"norm_bias"`
	ClassifierBias bool                     `json:"classifier_bias"`
	ClassifierAct  string                   `json:"classifier_activation"`
	Pooling        string                   `json:"classifier_pooling"`
}

// rotaryConfig says how positions turn queries and keys.
type rotaryConfig struct {
	Type  string  `json:"rope_type"`
	Theta float64 `json:"rope_theta"` // base of the wavelengths
}

// The two kinds of attention, as layer_types and rope_parameters call them.
const (
	globalAttention = "full_attention"
	localAttention  = "sliding_attention"
)

// modernbertOwn reads and validates the family's own keys, the older ones turned into the newer.
func modernbertOwn(c *Config) (modernbertKeys, error) {
	local := 10_000.0
	k := modernbertKeys{GlobalEvery: 3, LocalAttention: 128, GlobalTheta: 160_000, LocalTheta: &local, ClassifierAct: "gelu", Pooling: "cls"}
	if err := c.own(&k); err != nil {
		return k, err
	}
	if k.LocalTheta == nil {
		k.LocalTheta = &k.GlobalTheta
	}
	if k.LayerTypes == nil && k.GlobalEvery > 0 {
		for i := range c.NumLayers {
			kind := localAttention
			if i%k.GlobalEvery == 0 {
				kind = globalAttention
			}
			k.LayerTypes = append(k.LayerTypes, kind)
		}
	}
	rope := map[string]*rotaryConfig{}
	for kind, theta := range map[string]float64{globalAttention: k.GlobalTheta, localAttention: *k.LocalTheta} {
		own := k.Rope[kind]
		if own == nil {
			own = &rotaryConfig{}
		}
		rope[kind] = &rotaryConfig{own.Type, own.Theta}
		if own.Theta == 0 {
			rope[kind].Theta = theta
		}
	}
	k.Rope = rope
	return k, k.validate(c)
}

func (k modernbertKeys) validate(c *Config) error {
	if len(k.LayerTypes) != c.NumLayers {
		return fmt.Errorf("layer_types names %d layers of %d (num_hidden_layers); global_attn_every_n_layers is %d", len(k.LayerTypes), c.NumLayers, k.GlobalEvery)
	}
	for i, kind := range k.LayerTypes {
		if kind != globalAttention && kind != localAttention {
			return fmt.Errorf("layer_types[%d] is %q; supported: %s, %s", i, kind, globalAttention, localAttention)
		}
	}
	for _, kind := range []string{globalAttention, localAttention} {
		if r := k.Rope[kind]; r.Type != "" && r.Type != "default" {
			return fmt.Errorf("rope_parameters.%s.rope_type %q is not supported; only default is", kind, r.Type)
		} else if !(r.Theta > 0) {
			return fmt.Errorf("the rope_theta of %s is %v; it must be positive", kind, r.Theta)
		}
	}
	switch {
	case k.RopeScaling != nil:
		return fmt.Errorf("rope_scaling is not supported")
	case k.LocalAttention < 1:
		return fmt.Errorf("local_attention is %d; a positive width is needed", k.LocalAttention)
	case c.HiddenSize/c.NumHeads%2 != 0 || c.HiddenSize/c.NumHeads > 512:
		return fmt.Errorf("hidden_size/num_attention_heads is %d; rotary positions need an even number up to 512", c.HiddenSize/c.NumHeads)
	case k.Pooling != "cls" && k.Pooling != "mean":
		return fmt.Errorf("classifier_pooling %q is not supported; supported: cls, mean", k.Pooling)
	case activations[k.ClassifierAct] == nil:
		return fmt.Errorf("classifier_activation %q is not supported", k.ClassifierAct)
	}
	return nil
}

// buildModernBERT builds the ModernBERT encoder with a classification head, tensor names as in Hugging Face's
// ModernBertForSequenceClassification.
//
//	x⁰ = drop(LN(word[ids]))
//	q, k, v = the thirds of LN(x)·Wqkvᵀ, without LN in the first layer
//	a  = softmax(turn(q)·turn(k)ᵀ/√D + bias)·v for each head; bias = lowest float where the mask is 0 and, in the local
//	     layers, where |i − j| > window/2
//	y  = x + drop(a·Woᵀ),  x′ = y + drop(act(h)·g)·Wdᵀ, h and g the halves of LN(y)·Wiᵀ
//	p  = LN(x)[CLS], or the mean of LN(x) over the tokens whose mask is 1
//	logits = drop(LN(act(p·Whᵀ)))·Wcᵀ + bc
//
// The other biases, and those of LN, are there where the configuration asks for them. turn(q) rotates channels i and
// i + D/2 of the token at position t by t·θ^(−2i/D), θ of global and of local layers each its own:
//
//	turn(q) = q·cos + (q·R)·sin, q·R = (−q₂, q₁) for the halves q₁, q₂ of q
//
// Shapes: ids, mask [B, T] int64; x [B, T, C]; q, k, v [B, H, T, D], D = C/H; cos, sin [T, D]; R [D, D]; logits [B, K].
// Source: Warner et al. 2024, ModernBERT, arXiv 2412.13663; Su et al. 2021, RoFormer, arXiv 2104.09864, section 3.4.2;
// Shazeer 2020, GLU Variants, arXiv 2002.05202; transformers, modeling_modernbert.py.
func buildModernBERT(f blocks) *Value {
	own, err := modernbertOwn(f.c)
	if err != nil {
		return f.fail(err)
	}
	m := modern{f, own}
	ids, mask := f.inputs()
	x := f.dropout(m.norm(f.words("model.embeddings.tok_embeddings", ids), "model.embeddings.norm"))
	bias := map[string]*Value{globalAttention: f.attentionBias(mask)}
	if slices.Contains(own.LayerTypes, localAttention) {
		near := f.Op("LessOrEqual", nil, f.Op("Abs", nil, f.offsets()), f.Ints(int64(own.LocalAttention/2)))
		seen := f.Unsqueeze(f.Op("Cast", Attrs{"to": int64(Float32)}, mask), 1, 2)
		bias[localAttention] = f.lowest(f.Mul(seen, f.Op("Cast", Attrs{"to": int64(Float32)}, near)))
	}
	turns := map[string]rotation{}
	for i, layer := range f.layers("model.layers.") {
		kind := own.LayerTypes[i]
		if turns[kind].cos == nil {
			turns[kind] = f.rotation(own.Rope[kind].Theta)
		}
		h := x
		if i > 0 {
			h = m.norm(x, layer+"attn_norm")
		}
		qkv := m.parts(h, layer+"attn.Wqkv", 3, f.c.HiddenSize, own.AttentionBias)
		q, k := f.turn(f.heads(qkv[0]), turns[kind]), f.turn(f.heads(qkv[1]), turns[kind])
		a := f.mergeHeads(f.weighted(f.Add(f.scores(q, k), bias[kind]), f.heads(qkv[2])))
		x = f.Add(x, f.dropout(m.linear(a, layer+"attn.Wo", own.AttentionBias)))
		up := m.parts(m.norm(x, layer+"mlp_norm"), layer+"mlp.Wi", 2, f.c.IntermediateSize, own.MLPBias)
		x = f.Add(x, m.linear(f.dropout(f.Mul(f.activation(up[0]), up[1])), layer+"mlp.Wo", own.MLPBias))
	}
	x = m.norm(x, "model.final_norm")
	pooled := m.pool(x, mask)
	h := activations[own.ClassifierAct](f.Builder, m.linear(pooled, "head.dense", own.ClassifierBias))
	return f.linear(f.dropout(m.norm(h, "head.norm")), "classifier", f.c.NumLabels)
}

// modern are the blocks with ModernBERT's optional biases.
type modern struct {
	blocks
	own modernbertKeys
}

func (m modern) norm(x *Value, name string) *Value {
	if m.own.NormBias {
		return m.layerNorm(x, name)
	}
	return m.scaleNorm(x, name)
}

// linear is x·Wᵀ + b of the encoder's width, or x·Wᵀ.
func (m modern) linear(x *Value, name string, bias bool) *Value {
	if bias {
		return m.blocks.linear(x, name, m.c.HiddenSize)
	}
	return m.product(x, name, m.c.HiddenSize)
}

// parts are the n equal parts of x·Wᵀ + b, W [n·out, in]. The matrix is cut rather than the product, which is larger.
func (m modern) parts(x *Value, name string, n, out int, bias bool) []*Value {
	split := func(v *Value) []*Value {
		return m.OpN("Split", n, Attrs{"axis": int64(0), "num_outputs": int64(n)}, v)
	}
	in := x.Shape[len(x.Shape)-1].Coef
	var y []*Value
	for _, w := range split(m.Parameter(name+".weight", n*out, in)) {
		y = append(y, m.MatMul(x, m.Transpose(w, 1, 0)))
	}
	if bias {
		for i, b := range split(m.Parameter(name+".bias", n*out)) {
			y[i] = m.Add(y[i], b)
		}
	}
	return y
}

// pool is one vector for each example, [B, T, C] → [B, C].
func (m modern) pool(x, mask *Value) *Value {
	if m.own.Pooling == "cls" {
		return m.firstToken(x)
	}
	seen := m.Unsqueeze(m.Op("Cast", Attrs{"to": int64(Float32)}, mask), 2)
	return m.Div(m.Sum(m.Mul(x, seen), false, 1), m.Sum(seen, false, 1))
}

// rotation holds what turns queries and keys by their positions.
type rotation struct{ cos, sin, halves *Value } // [T, D], [T, D], [D, D]

// rotation computes the angles t·θ^(−2i/D) of positions t = 0 … T − 1, each for channels i and i + D/2.
func (f blocks) rotation(theta float64) rotation {
	width := f.c.HiddenSize / f.c.NumHeads
	half := width / 2
	frequencies, halves := make([]float64, width), make([]float64, width*width)
	for i := range half {
		frequencies[i] = math.Pow(theta, -2*float64(i)/float64(width))
		frequencies[i+half] = frequencies[i]
		halves[(i+half)*width+i], halves[i*width+i+half] = -1, 1
	}
	place := f.Op("Cast", Attrs{"to": int64(Float32)}, f.places())
	angles := f.Mul(f.Unsqueeze(place, 1), f.Const(Float32, []int{width}, frequencies...))
	return rotation{f.Op("Cos", nil, angles), f.Op("Sin", nil, angles), f.Const(Float32, []int{width, width}, halves...)}
}

// turn is x·cos + (x·R)·sin, x [B, H, T, D].
func (f blocks) turn(x *Value, r rotation) *Value {
	return f.Add(f.Mul(x, r.cos), f.Mul(f.MatMul(x, r.halves), r.sin))
}
