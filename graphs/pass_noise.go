package graphs

import "fmt"

// NoiseInput is the name of the input that perturbs the word embeddings, [B, T, E] float32, E the width of a word
// embedding.
const NoiseInput = "noise"

// passNoise attaches the noise input to the looked-up word embeddings e, before position and type embeddings,
// LayerNorm and dropout: e + noise, or for a doubled batch [e; stop(e) + noise] with every other batch input
// repeated. The stopped gradient is the reference's detach: the table learns from the clean half alone.
//
// Source: Aghajanyan et al. 2020, arXiv 2008.03156, equation 2; reference r3f_reference.py, step_loss.
func passNoise(g *Graph, m *Model, o Options) (*Graph, error) {
	if !o.Doubled && !o.Noise {
		return g, nil
	}
	lookup, err := embeddingLookup(g, m.WordEmbedding)
	if err != nil {
		return nil, err
	}
	r := newRewriter(g)
	noise := r.Input(NoiseInput, Float32, lookup.Outputs[0].Shape...)
	if o.Doubled {
		for _, in := range g.Inputs {
			if in.Shape[0] == Batch {
				r.to[in] = r.Concat(0, in, in)
			}
		}
	}
	for _, n := range g.Nodes {
		if n != lookup {
			if to, ok := n.Attrs["to"].(Shape); ok && o.Doubled {
				n = &Node{Op: n.Op, Attrs: n.Attrs.with("to", doubledShape(to)), Inputs: n.Inputs, Outputs: n.Outputs}
			}
			r.replace(n, r.copy(n))
			continue
		}
		e := r.OpN(n.Op, 1, n.Attrs, n.Inputs...)[0] // the undoubled ids
		if o.Doubled {
			noised := r.Add(r.Op("StopGradient", nil, e), noise)
			r.to[n.Outputs[0]] = r.Concat(0, e, noised)
		} else {
			r.to[n.Outputs[0]] = r.Add(e, noise)
		}
	}
	return r.finish(g)
}

// doubledShape multiplies every dimension that counts examples by two.
func doubledShape(s Shape) Shape {
	out := append(Shape{}, s...)
	for i, d := range out {
		if d.B == 1 {
			out[i].Coef = 2 * d.Coef
		}
	}
	return out
}

// embeddingLookup finds the one node that reads word-embedding rows.
func embeddingLookup(g *Graph, table string) (*Node, error) {
	var found *Node
	for _, n := range g.Nodes {
		if n.Op == "Gather" && n.Inputs[0].Kind == Parameter && n.Inputs[0].Name == table {
			if found != nil {
				return nil, fmt.Errorf("attaching noise: word embedding %q is looked up more than once", table)
			}
			found = n
		}
	}
	if found == nil {
		return nil, fmt.Errorf("attaching noise: no lookup of word embedding %q in the graph", table)
	}
	return found, nil
}
