package graphs

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

var deberta = family{
	architecture: "DebertaV2ForSequenceClassification",
	build:        buildDeBERTa,
	check:        checkDeBERTa,
	keys:         map[string]string{"type_vocab_size": "", "position_embedding_type": ""},
	defaults:     Config{LayerNormEps: 1e-7, InitializerRange: 0.02, HiddenAct: "gelu", Dropout: 0.1},
	prefix:       "deberta.",
	word:         "deberta.embeddings.word_embeddings.weight",
	head:         []string{"pooler.dense.weight", "classifier.weight"},
	fresh:        []string{"pooler.", "classifier."},
	ignored:      []string{"cls.", "lm_predictions.", "mask_predictions.", "deberta.embeddings.position_"},
}

// debertaKeys are the keys of config.json that only DeBERTa has, or reads in its own way.
type debertaKeys struct {
	TypeVocabSize        int     `json:"type_vocab_size"` // 0: no segments
	PositionBiasedInput  bool    `json:"position_biased_input"`
	RelativeAttention    bool    `json:"relative_attention"`
	MaxRelativePositions int     `json:"max_relative_positions"` // below 1: max_position_embeddings
	PositionBuckets      int     `json:"position_buckets"`       // below 1: no buckets
	PosAttType           barList `json:"pos_att_type"`
	ShareAttKey          bool    `json:"share_att_key"`
	NormRelEbd           barList `json:"norm_rel_ebd"`
	ConvKernelSize       int     `json:"conv_kernel_size"` // 0: no convolution
	ConvGroups           int     `json:"conv_groups"`
	ConvAct              string  `json:"conv_act"`
	AttentionHeadSize    int     `json:"attention_head_size"`
	PoolerHiddenSize     int     `json:"pooler_hidden_size"`
	PoolerHiddenAct      string  `json:"pooler_hidden_act"`
	PoolerDropout        float64 `json:"pooler_dropout"`
}

// barList is a list of words, or one string that joins them with bars.
type barList []string

// UnmarshalJSON reads either form.
func (l *barList) UnmarshalJSON(data []byte) error {
	var joined string
	if json.Unmarshal(data, &joined) != nil {
		return json.Unmarshal(data, (*[]string)(l))
	}
	*l = nil
	for word := range strings.SplitSeq(strings.ToLower(joined), "|") {
		*l = append(*l, strings.TrimSpace(word))
	}
	return nil
}

// debertaOwn reads the family's own keys.
func debertaOwn(c *Config) (debertaKeys, error) {
	k := debertaKeys{PositionBiasedInput: true, MaxRelativePositions: -1, PositionBuckets: -1, ConvGroups: 1, ConvAct: "tanh", PoolerHiddenAct: "gelu"}
	if err := c.own(&k); err != nil {
		return k, err
	}
	if k.MaxRelativePositions < 1 {
		k.MaxRelativePositions = c.MaxPositions
	}
	return k, nil
}

// span is the number of distances, or of buckets of distances, in each direction: half of the relative embeddings.
func (k debertaKeys) span() int {
	if k.PositionBuckets > 0 {
		return k.PositionBuckets
	}
	return k.MaxRelativePositions
}

func (k debertaKeys) has(term string) bool {
	return k.RelativeAttention && slices.Contains(k.PosAttType, term)
}

// longestDeBERTa bounds the table of distances that the graph holds.
const longestDeBERTa = 1 << 16

func checkDeBERTa(c *Config) error {
	k, err := debertaOwn(c)
	if err != nil {
		return err
	}
	switch mid := k.PositionBuckets / 2; {
	case k.TypeVocabSize < 0 || k.TypeVocabSize > longestDeBERTa:
		return fmt.Errorf("type_vocab_size is %d; a number of segments, or 0 for none, is needed", k.TypeVocabSize)
	case c.MaxPositions > longestDeBERTa || k.span() > longestDeBERTa:
		return fmt.Errorf("max_position_embeddings %d, max_relative_positions %d and position_buckets %d must not exceed %d", c.MaxPositions, k.MaxRelativePositions, k.PositionBuckets, longestDeBERTa)
	case k.PositionBuckets > 0 && (mid < 1 || mid >= k.MaxRelativePositions-1):
		return fmt.Errorf("position_buckets is %d; it must be at least 2 and less than twice the longest distance, %d", k.PositionBuckets, k.MaxRelativePositions-1)
	case k.RelativeAttention && !k.has("c2p") && !k.has("p2c"):
		return fmt.Errorf("pos_att_type is %q with relative_attention; c2p, p2c or both are needed", []string(k.PosAttType))
	case k.AttentionHeadSize != 0 && k.AttentionHeadSize*c.NumHeads != c.HiddenSize:
		return fmt.Errorf("attention_head_size is %d; only hidden_size/num_attention_heads = %d is supported", k.AttentionHeadSize, c.HiddenSize/c.NumHeads)
	case k.PoolerHiddenSize != 0 && k.PoolerHiddenSize != c.HiddenSize:
		return fmt.Errorf("pooler_hidden_size is %d; only hidden_size %d is supported", k.PoolerHiddenSize, c.HiddenSize)
	case k.ConvKernelSize < 0 || k.ConvKernelSize > 63 || k.ConvKernelSize > 0 && k.ConvKernelSize%2 == 0:
		return fmt.Errorf("conv_kernel_size is %d; an odd number below 64, or 0 for no convolution, is needed", k.ConvKernelSize)
	case k.ConvKernelSize > 0 && k.ConvGroups != 1:
		return fmt.Errorf("conv_groups is %d; only 1 is supported", k.ConvGroups)
	}
	for _, act := range []struct{ key, name string }{{"conv_act", k.ConvAct}, {"pooler_hidden_act", k.PoolerHiddenAct}} {
		if activations[act.name] == nil {
			return fmt.Errorf("%s %q is not supported", act.key, act.name)
		}
	}
	return nil
}

// buildDeBERTa builds the DeBERTa-v2 encoder, which DeBERTa-v3 shares, with a classification head, tensor names as in
// Hugging Face's DebertaV2ForSequenceClassification.
//
//	x⁰ = drop(LN((word[ids] + position[0:T] + type[types])·Wₑᵀ)), of which only the first must be there
//	R  = LN(relative embeddings), where norm_rel_ebd asks for it, else the embeddings themselves
//	d(i, j) = clamp(δ(i − j) + N, 0, 2N − 1), δ as in distanceBucket, N buckets (or distances) in each direction
//	A  = s·(q·kᵀ + c2p + p2c), s = 1/√(D·(1 + number of the two terms)), for each head
//	     c2p[i, j] = qᵢ·Kr[d(i, j)],  Kr = drop(R)·Wkᵀ + bk,  the content of the query against the place of the key
//	     p2c[i, j] = kⱼ·Qr[d(i, j)],  Qr = drop(R)·Wqᵀ + bq,  the place of the query against the content of the key
//	a  = softmax(A + bias)·v, bias = lowest float where the mask is 0; the rest of a layer as in BERT
//	x¹ = mask·LN(x¹ + act(drop(mask·conv(mask·x⁰)))) after the first layer, where there is a convolution
//	logits = drop(act(drop(x[CLS])·Wpᵀ + bp))·Wcᵀ + bc
//
// The projections of R are those of the content with share_att_key, else the layer's own. A layer projects only the
// 2T rows of R that its batch can need, and RelativeShift brings products by distance to the keys.
//
// Shapes: ids, mask, types [B, T] int64; x [B, T, C]; R [2N, C]; q, k, v [B, H, T, D], D = C/H; A [B, H, T, T];
// logits [B, K].
// Source: He et al. 2020, DeBERTa, arXiv 2006.03654, equations 2 to 4; He et al. 2021, DeBERTaV3, arXiv 2111.09543;
// transformers, modeling_deberta_v2.py.
// Differs: the site before the pooler is there where pooler_dropout is not 0; queries of padding are computed as any
// other, since nothing reads them.
func buildDeBERTa(f blocks) *Value {
	own, err := debertaOwn(f.c)
	if err != nil {
		return f.fail(err)
	}
	ids, mask := f.inputs()
	const e = "deberta.embeddings."
	x := f.words(e+"word_embeddings", ids)
	if own.PositionBiasedInput {
		x = f.Add(x, f.positions(e+"position_embeddings"))
	}
	if f.c.TypeVocabSize = own.TypeVocabSize; f.c.TypeVocabSize > 0 {
		x = f.Add(x, f.tokenTypes(e+"token_type_embeddings"))
	}
	if f.c.EmbeddingSize != f.c.HiddenSize {
		x = f.product(x, e+"embed_proj", f.c.HiddenSize)
	}
	x = f.layerNorm(x, e+"LayerNorm")
	m := f.Unsqueeze(f.Op("Cast", Attrs{"to": int64(Float32)}, mask), 2)
	if own.ConvKernelSize > 0 {
		x = f.Mul(x, m)
	}
	x = f.dropout(x)
	d := disentangled{blocks: f, own: own, bias: f.attentionBias(mask)}
	if own.RelativeAttention {
		d.toKeys, d.toQueries = d.distances(-1), d.distances(1)
		d.table = f.Parameter("deberta.encoder.rel_embeddings.weight", 2*own.span(), f.c.HiddenSize)
		if slices.Contains(own.NormRelEbd, "layer_norm") {
			d.table = f.layerNorm(d.table, "deberta.encoder.LayerNorm")
		}
	}
	for i, layer := range f.layers("deberta.encoder.layer.") {
		a := f.dropout(f.linear(d.attention(x, layer+"attention.self."), layer+"attention.output.dense", f.c.HiddenSize))
		y := f.layerNorm(f.Add(a, x), layer+"attention.output.LayerNorm")
		h := f.dropout(f.feedForward(y, layer+"intermediate.dense", layer+"output.dense"))
		y = f.layerNorm(f.Add(h, y), layer+"output.LayerNorm")
		if i == 0 && own.ConvKernelSize > 0 {
			c := f.Mul(f.convolution(x, "deberta.encoder.conv.conv", own.ConvKernelSize), m)
			c = activations[own.ConvAct](f.Builder, f.dropout(c))
			y = f.Mul(f.layerNorm(f.Add(y, c), "deberta.encoder.conv.LayerNorm"), m)
		}
		x = y
	}
	cls := f.firstToken(x)
	if own.PoolerDropout > 0 {
		cls = f.dropout(cls)
	}
	pooled := activations[own.PoolerHiddenAct](f.Builder, f.linear(cls, "pooler.dense", f.c.HiddenSize))
	return f.linear(f.dropout(pooled), "classifier", f.c.NumLabels)
}

// disentangled is self-attention by content and by relative position.
type disentangled struct {
	blocks
	own               debertaKeys
	bias              *Value // [B, 1, 1, T]
	table             *Value // relative embeddings R [2N, C], nil where there are none
	toKeys, toQueries *Value // rows of the table for the distances from a query to the keys and from a key to the queries, [2T]
}

// attention is one layer's, without its output projection, x [B, T, C] → [B, T, C].
func (d disentangled) attention(x *Value, layer string) *Value {
	q, k, v := d.splitHeads(x, layer+"query_proj"), d.splitHeads(x, layer+"key_proj"), d.splitHeads(x, layer+"value_proj")
	terms := 1
	for _, term := range []string{"c2p", "p2c"} {
		if slices.Contains(d.own.PosAttType, term) {
			terms++
		}
	}
	scale := 1 / math.Sqrt(float64(d.c.HiddenSize/d.c.NumHeads*terms))
	scores := d.Scale(d.MatMul(q, d.swapLast(k)), scale)
	if d.table != nil {
		keys, queries := layer+"pos_key_proj", layer+"pos_query_proj"
		if d.own.ShareAttKey {
			keys, queries = layer+"key_proj", layer+"query_proj"
		}
		table := d.dropout(d.table)
		shifted := func(content, rows *Value, name string) *Value {
			return d.Op("RelativeShift", nil, d.Scale(d.MatMul(content, d.swapLast(d.byDistance(table, rows, name))), scale))
		}
		if d.own.has("c2p") {
			scores = d.Add(scores, shifted(q, d.toKeys, keys))
		}
		if d.own.has("p2c") { // a row for each key
			scores = d.Add(scores, d.Transpose(shifted(k, d.toQueries, queries), 0, 1, 3, 2))
		}
	}
	return d.mergeHeads(d.weighted(d.Add(scores, d.bias), v))
}

// byDistance projects rows of the relative embeddings, [2T] → [H, 2T, D].
func (d disentangled) byDistance(table, rows *Value, name string) *Value {
	y := d.linear(d.Op("Gather", nil, table, rows), name, d.c.HiddenSize)
	heads := Shape{y.Shape[0], Static(d.c.NumHeads), Static(d.c.HiddenSize / d.c.NumHeads)}
	return d.Transpose(d.Reshape(y, heads), 1, 0, 2)
}

// distances lists the rows of the relative embeddings for the columns c = 0 … 2T − 1 that RelativeShift reads. Column c
// belongs to tokens that stand c − (T − 1) after the row's, and the distance i − j from key to query is that for rows
// of keys (direction 1) and its negative for rows of queries (direction −1).
func (d disentangled) distances(direction int) *Value {
	longest, span := d.c.MaxPositions, d.own.span()
	rows := make([]float64, 2*longest)
	for c := range rows {
		bucket := d.own.distanceBucket(direction * (c - (longest - 1)))
		rows[c] = float64(min(max(bucket+span, 0), 2*span-1))
	}
	middle, reach := d.Ints(int64(longest)), d.dim(Tokens)
	return d.Op("Slice", Attrs{"to": Shape{Static(2).Mul(Tokens)}}, d.Const(Int64, []int{len(rows)}, rows...),
		d.Sub(middle, reach), d.Add(middle, reach), d.Ints(0))
}

// distanceBucket is δ: the distance itself without buckets, or below half of them, M; beyond that
// ±(M + ⌈(M − 1)·ln(|d|/M) / ln((P − 1)/M)⌉, P the number of relative positions, in the reference's float32.
//
// Source: transformers, modeling_deberta_v2.py, make_log_bucket_position.
func (k debertaKeys) distanceBucket(d int) int {
	mid := k.PositionBuckets / 2
	size := max(d, -d)
	if k.PositionBuckets <= 0 || size <= mid {
		return d
	}
	log := func(x float32) float32 { return float32(math.Log(float64(x))) }
	share := log(float32(size)/float32(mid)) / log(float32(float64(k.MaxRelativePositions-1)/float64(mid)))
	bucket := mid + int(math.Ceil(float64(share*float32(mid-1))))
	if d < 0 {
		return -bucket
	}
	return bucket
}

// convolution is yₜ = Σₖ x₍ₜ₊ₖ₋ₚ₎·Wₖᵀ + b over neighbouring tokens, x 0 outside, p = (size − 1)/2. A product with a
// matrix of ones beside the diagonal moves tokens by k − p.
//
// Shapes: x, y [B, T, C], W [C, C, size].
func (f blocks) convolution(x *Value, name string, size int) *Value {
	width := f.c.HiddenSize
	kernel := f.Parameter(name+".weight", width, width, size)
	offsets := f.offsets()
	var sum *Value
	for k := range size {
		moved := x
		if by := k - (size-1)/2; by != 0 {
			hit := f.Op("Equal", nil, offsets, f.Ints(int64(by)))
			moved = f.MatMul(f.Op("Cast", Attrs{"to": int64(Float32)}, hit), x)
		}
		w := f.Op("Gather", Attrs{"axis": int64(2)}, kernel, f.integer(k))
		y := f.MatMul(moved, f.Transpose(w, 1, 0))
		if sum == nil {
			sum = y
		} else {
			sum = f.Add(sum, y)
		}
	}
	return f.Add(sum, f.Parameter(name+".bias", width))
}
