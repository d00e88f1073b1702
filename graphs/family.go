package graphs

import (
	"maps"
	"slices"
	"strings"
)

// family is what the package knows of one model_type: how to build it, what its config.json calls things, and
// what its checkpoint names mean.
type family struct {
	architecture string                            // transformers' class of the encoder with its classification head
	build        func(blocks) *Value               // writes the inference graph, returns the logits [B, K]
	check        func(*Config) error               // reads and validates the family's own keys; nil: it has none
	first        func(*Config) (firstPosition int) // row of the position table that the first token reads; nil: row 0
	keys         map[string]string                 // config.json keys by BERT's name where they differ; "" where there is none
	defaults     Config                            // values of keys that a config.json may lack
	prefix       string                            // of encoder tensors; checkpoints of the bare encoder lack it
	word         string                            // word embedding
	head         []string                          // weight matrices of the head, from the encoder outwards; the last is out_proj
	fresh        []string                          // name prefixes that a pretrained checkpoint may lack
	ignored      []string                          // name prefixes of tensors that other heads left in a checkpoint
}

// families maps model_type to its family.
var families = map[string]family{
	"albert":      albert,
	"bert":        bert,
	"camembert":   roberta("CamembertForSequenceClassification"),
	"deberta-v2":  deberta,
	"distilbert":  distilbert,
	"electra":     electra,
	"modernbert":  modernbert,
	"mpnet":       mpnet,
	"roberta":     roberta("RobertaForSequenceClassification"),
	"xlm-roberta": roberta("XLMRobertaForSequenceClassification"),
}

// familyNames returns the supported model types, sorted.
func familyNames() []string { return slices.Sorted(maps.Keys(families)) }

// key is what the family's config.json calls BERT's key, "" where it has no such thing.
func (f family) key(bert string) string {
	if own, ok := f.keys[bert]; ok {
		return own
	}
	return bert
}

// canonical is the name that a parameter goes by here, given its name in a checkpoint: with the family's prefix,
// and LayerNorm parameters as weight and bias, which the first BERT checkpoints call gamma and beta.
func (f family) canonical(name string, known func(string) bool) string {
	name = layerNormNames.Replace(name)
	if !known(name) && !hasPrefix(name, f.ignored) && !strings.HasPrefix(name, f.prefix) {
		return f.prefix + name
	}
	return name
}

var layerNormNames = strings.NewReplacer("LayerNorm.gamma", "LayerNorm.weight", "LayerNorm.beta", "LayerNorm.bias")

func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
