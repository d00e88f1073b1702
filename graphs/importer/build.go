package importer

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// build makes the model of what was translated.
func (im *importer) build(config []byte, o Options) (*graphs.Model, error) {
	word, err := im.wordEmbedding(o.Embedding)
	if err != nil {
		return nil, err
	}
	out, err := im.find()
	if err != nil {
		return nil, err
	}
	c, err := im.config(config, word, out, o.Labels)
	if err != nil {
		return nil, err
	}
	prefix := prefixes[c.ModelType]
	h := &head{im: im, options: o, config: c, prefix: prefix}
	logits, err := h.build(out)
	if err == nil {
		err = im.failed()
	}
	if err != nil {
		return nil, fmt.Errorf("putting a head on: %w", err)
	}
	if logits.Shape.Equal(graphs.Shape{}) || !logits.Shape[0].Is(0) && logits.Shape[0] != graphs.Batch {
		return nil, fmt.Errorf("putting a head on: logits of shape %v", logits.Shape)
	}
	logits.Name = "logits"
	im.graph.Outputs = []*graphs.Value{logits}
	im.prune()
	lookup := im.lookup(word)
	if lookup == nil {
		return nil, fmt.Errorf("the logits do not depend on the rows looked up in %q", word.name)
	}
	if im.dropouts == 0 {
		im.restoreDropout(lookup)
	}
	if err := graphs.Check(im.graph); err != nil {
		return nil, err
	}
	m := &graphs.Model{Config: c, Graph: im.graph, WordEmbedding: word.name, Head: h.matrices, Initialised: h.initialised, Notes: im.notes}
	m.Checkpoint = im.checkpoint(prefix, append(slices.Clone(h.initialised), h.matrices...))
	for _, p := range im.graph.Parameters {
		m.Weights = append(m.Weights, im.weights[p.Name])
	}
	return m, nil
}

// failed is the first error of translating or building.
func (im *importer) failed() error {
	if im.err != nil {
		return im.err
	}
	return im.Err()
}

// config joins what the graph shows with what config.json says.
func (im *importer) config(data []byte, word table, out outputs, labels int) (*graphs.Config, error) {
	if data != nil && !json.Valid(data) {
		return nil, fmt.Errorf("the config.json beside it is no JSON")
	}
	sizes := graphs.Config{VocabSize: word.value.Shape[0].Coef, EmbeddingSize: word.value.Shape[1].Coef, NumLabels: labels}
	sizes.HiddenSize = sizes.EmbeddingSize
	for _, v := range []*value{out.hidden, out.pooled} {
		if v != nil {
			sizes.HiddenSize = v.shape[len(v.shape)-1].Coef
			break
		}
	}
	places := im.places
	if places == 0 && data == nil {
		places = im.computedPositions(word)
	}
	return graphs.ImportedConfig(data, sizes, places)
}

// computedPositions is the room in a table of the word embedding's width that is read at computed positions, as RoBERTa
// does from the row after the padding's on. Without a config.json that row is taken to be 2, as it is in every RoBERTa.
func (im *importer) computedPositions(word table) int {
	places := 0
	for _, t := range im.tables {
		rows := t.value.Shape[0].Coef - 2
		if t.value.Kind == graphs.Parameter && t.value.Shape[1] == word.value.Shape[1] && t.index.Kind == graphs.Result && rows > 0 && (places == 0 || rows < places) {
			places = rows
		}
	}
	if places > 0 {
		im.notes = append(im.notes, fmt.Sprintf("positions for %d tokens, in lack of a config.json", places))
	}
	return places
}

// prune removes the nodes and parameters that the logits do not depend on.
func (im *importer) prune() {
	needed := map[*graphs.Value]bool{}
	for _, v := range im.graph.Outputs {
		needed[v] = true
	}
	var nodes []*graphs.Node
	for _, n := range slices.Backward(im.graph.Nodes) {
		if !slices.ContainsFunc(n.Outputs, func(v *graphs.Value) bool { return needed[v] }) {
			continue
		}
		nodes = append(nodes, n)
		for _, v := range n.Inputs {
			needed[v] = true
		}
	}
	slices.Reverse(nodes)
	im.graph.Nodes = nodes
	im.graph.Parameters = nil // in the order they are read, which does not depend on how the file writes a formula
	for _, n := range nodes {
		for _, v := range n.Inputs {
			if v != nil && v.Kind == graphs.Parameter && needed[v] {
				im.graph.Parameters = append(im.graph.Parameters, v)
				needed[v] = false
			}
		}
	}
}

// lookup is what the word embedding's lookup computes, or nil where it was pruned.
func (im *importer) lookup(word table) *graphs.Value {
	for _, n := range im.graph.Nodes {
		if n.Op == "Gather" && n.Inputs[0] == word.value {
			return n.Outputs[0]
		}
	}
	return nil
}
