package graphs

import (
	"fmt"
	"math"
)

var mpnet = family{
	architecture: "MPNetForSequenceClassification",
	build:        buildMPNet,
	check: func(c *Config) error {
		_, err := mpnetBuckets(c)
		return err
	},
	first:    func(*Config) int { return mpnetPadding + 1 },
	keys:     map[string]string{"embedding_size": "", "type_vocab_size": "", "position_embedding_type": ""},
	defaults: Config{LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu", Dropout: 0.1, PadTokenID: 1},
	prefix:   "mpnet.",
	word:     "mpnet.embeddings.word_embeddings.weight",
	head:     []string{"classifier.dense.weight", "classifier.out_proj.weight"},
	fresh:    []string{"classifier."},
	ignored:  []string{"lm_head.", "mpnet.pooler.", "mpnet.embeddings.position_ids"},
}

// What transformers' MPNet fixes whatever its configuration says.
const (
	mpnetPadding     = 1   // input id that has no position
	mpnetUsedBuckets = 32  // of relative positions
	mpnetFarthest    = 128 // distance from which the bucket stays the same
)

// mpnetBuckets is the number of rows of the table of relative positions.
func mpnetBuckets(c *Config) (int, error) {
	keys := struct {
		Buckets int `json:"relative_attention_num_buckets"`
	}{mpnetUsedBuckets}
	if err := c.own(&keys); err != nil {
		return 0, err
	}
	if n := keys.Buckets; n < mpnetUsedBuckets || n > 1<<16 {
		return 0, fmt.Errorf("relative_attention_num_buckets is %d; %d or more, to %d, can be used", n, mpnetUsedBuckets, 1<<16)
	}
	return keys.Buckets, nil
}

// buildMPNet builds the MPNet encoder with a classification head, tensor names as in Hugging Face's
// MPNetForSequenceClassification. It is RoBERTa without segments and with a bias of the scores that is learned for
// each head and each bucket of relative positions and that all layers share:
//
//	scores[h, i, j] = q[i]·k[j]/√D + table[bucket(j − i), h] + bias[j]
//
// Shapes: ids, mask [B, T] int64; x [B, T, C]; table [buckets, H]; logits [B, K].
// Source: Song et al. 2020, arXiv 2004.09297; the buckets are those of Raffel et al. 2019, arXiv 1910.10683 (T5).
func buildMPNet(f blocks) *Value {
	ids, mask := f.inputs()
	const e = "mpnet.embeddings."
	x := f.Add(f.words(e+"word_embeddings", ids), f.countedPositions(e+"position_embeddings", ids, mpnetPadding))
	x = f.dropout(f.layerNorm(x, e+"LayerNorm"))
	bias := f.Add(f.relativeBias("mpnet.encoder.relative_attention_bias"), f.attentionBias(mask)) // [B, H, T, T]
	for _, layer := range f.layers("mpnet.encoder.layer.") {
		a := f.attention(x, bias, layer+"attention.attn.q", layer+"attention.attn.k", layer+"attention.attn.v")
		a = f.dropout(f.linear(a, layer+"attention.attn.o", f.c.HiddenSize))
		y := f.layerNorm(f.Add(a, x), layer+"attention.LayerNorm")
		h := f.dropout(f.feedForward(y, layer+"intermediate.dense", layer+"output.dense"))
		x = f.layerNorm(f.Add(h, y), layer+"output.LayerNorm")
	}
	return f.denseHead(x, tanh)
}

// relativeBias is table[bucket(j − i)], [1, H, T, T].
func (f blocks) relativeBias(name string) *Value {
	rows, err := mpnetBuckets(f.c)
	if err != nil {
		return f.fail(err)
	}
	const far = mpnetFarthest
	buckets := make([]int64, 2*far+1)
	for i := range buckets {
		buckets[i] = relativeBucket(i - far)
	}
	near := f.Op("Clip", nil, f.offsets(), f.integer(-far), f.integer(far))
	bucket := f.Op("Gather", nil, f.Ints(buckets...), f.Add(near, f.integer(far)))
	table := f.Parameter(name+".weight", rows, f.c.NumHeads)
	return f.Unsqueeze(f.Transpose(f.Op("Gather", nil, table, bucket), 2, 0, 1), 0)
}

// relativeBucket numbers the distances to the left, 0 included, from 0 on and those to the right from half the
// buckets on: half of each half are distances below 8, the others grow with the logarithm of the distance.
//
//	bucket(d) = 16·[d > 0] + (|d| < 8 ? |d| : min(15, 8 + ⌊8·log(|d|/8)/log(128/8)⌋))
func relativeBucket(d int) int64 {
	const side, exact = mpnetUsedBuckets / 2, mpnetUsedBuckets / 4
	bucket := 0
	if d > 0 {
		bucket = side
	}
	n := max(d, -d)
	if n >= exact {
		n = min(side-1, exact+int(math.Log(float64(n)/exact)/math.Log(mpnetFarthest/exact)*(side-exact)))
	}
	return int64(bucket + n)
}
