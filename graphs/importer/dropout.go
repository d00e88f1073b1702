package importer

import (
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Dropout sites of a graph exported for inference, which has none. They stand where transformers has them: on the
// attention probabilities, on the branch that is added to a residual stream, and on the normalised embeddings.

// site is a place for a Dropout marker: between a value and some of its readers.
type site struct {
	value   *graphs.Value
	readers []*graphs.Node
}

// restoreDropout inserts the markers and notes how many of each kind.
func (im *importer) restoreDropout(lookup *graphs.Value) {
	readers := map[*graphs.Value][]*graphs.Node{}
	for _, n := range im.graph.Nodes {
		for _, v := range n.Inputs {
			if r := readers[v]; v != nil && (len(r) == 0 || r[len(r)-1] != n) {
				readers[v] = append(r, n)
			}
		}
	}
	var sites []site
	count := map[string]int{}
	add := func(kind string, v *graphs.Value, at ...*graphs.Node) {
		sites = append(sites, site{v, at})
		count[kind]++
	}
	if norm := embeddingNorm(im.graph, lookup, readers); norm != nil {
		v := norm.Outputs[0]
		add("embeddings", v, readers[v]...)
	}
	for _, n := range im.graph.Nodes {
		switch n.Op {
		case "Softmax":
			v := n.Outputs[0]
			at := slices.DeleteFunc(slices.Clone(readers[v]), func(r *graphs.Node) bool { return r.Op != "MatMul" && r.Op != "Einsum" })
			if len(v.Shape) >= 3 && len(at) > 0 {
				add("attention probabilities", v, at...)
			}
		case "Add":
			if branch := im.residualBranch(n); branch != nil {
				add("residual branches", branch, n)
			}
		}
	}
	im.insert(sites)
	for _, kind := range []string{"embeddings", "attention probabilities", "residual branches"} {
		im.notes = append(im.notes, fmt.Sprintf("dropout on %d × %s", count[kind], kind))
	}
}

// embeddingNorm is the LayerNormalization of the embeddings: the first that depends on the looked-up words, if its
// operand goes nowhere else (otherwise it is the first of a layer, and the stream passes it by).
func embeddingNorm(g *graphs.Graph, lookup *graphs.Value, readers map[*graphs.Value][]*graphs.Node) *graphs.Node {
	reached := map[*graphs.Value]bool{lookup: true}
	for _, n := range g.Nodes {
		if !slices.ContainsFunc(n.Inputs, func(v *graphs.Value) bool { return reached[v] }) {
			continue
		}
		for _, o := range n.Outputs {
			reached[o] = true
		}
		if n.Op == "LayerNormalization" {
			if len(readers[n.Inputs[0]]) == 1 {
				return n
			}
			return nil
		}
	}
	return nil
}

// residualBranch is f(x) of a sum f(x) + x over a residual stream: a linear layer's output that depends on the other
// operand.
func (im *importer) residualBranch(n *graphs.Node) *graphs.Value {
	if len(n.Outputs[0].Shape) != 3 {
		return nil
	}
	for i, branch := range n.Inputs {
		stream := n.Inputs[1-i]
		if stream.Kind == graphs.Result && stream.Shape.Equal(branch.Shape) && im.linear(branch) != nil && dependsOn(branch, stream) {
			return branch
		}
	}
	return nil
}

// nearby bounds the search for the beginning of a residual branch, in values.
const nearby = 512

// dependsOn reports whether v is computed from x, over at most so many values between.
func dependsOn(v, x *graphs.Value) bool {
	queue, seen := []*graphs.Value{v}, map[*graphs.Value]bool{v: true}
	for i := 0; i < len(queue) && i < nearby; i++ {
		if queue[i].Producer == nil {
			continue
		}
		for _, w := range queue[i].Producer.Inputs {
			if w == x {
				return true
			}
			if w != nil && !seen[w] {
				seen[w] = true
				queue = append(queue, w)
			}
		}
	}
	return false
}

// insert puts a Dropout marker at each site, right after the value it reads.
func (im *importer) insert(sites []site) {
	after := map[*graphs.Node][]*graphs.Node{}
	for _, s := range sites {
		marker := &graphs.Node{Op: "Dropout", Inputs: []*graphs.Value{s.value}}
		out := &graphs.Value{DType: s.value.DType, Shape: s.value.Shape, Producer: marker}
		marker.Outputs = []*graphs.Value{out}
		for _, r := range s.readers {
			for i, v := range r.Inputs {
				if v == s.value {
					r.Inputs[i] = out
				}
			}
		}
		after[s.value.Producer] = append(after[s.value.Producer], marker)
	}
	var nodes []*graphs.Node
	for _, n := range im.graph.Nodes {
		nodes = append(append(nodes, n), after[n]...)
	}
	im.graph.Nodes = nodes
}
