package graphs

import "fmt"

// Options choose what a model's graph becomes before it is differentiated.
type Options struct {
	// Doubled runs the clean and the noised batch as one batch of 2B rows, clean rows first. The noised half
	// reads word embeddings through a stopped gradient and adds the input "noise" [B, T, E].
	Doubled bool
	// Noise adds the input "noise" [B, T, E] to the word embeddings of a single batch (SMART, FreeLB).
	Noise bool
	// Dropout is the drop probability of every site, fed as inputs MaskPrefix+"0", "1", …; 0 removes the sites.
	Dropout float64
	// WholeSequence keeps the last layer computed for every token, although the head reads one. For proving
	// the row-selection pass.
	WholeSequence bool
}

// pass is one rewriting of a graph. It never changes its argument.
type pass struct {
	name string
	why  string // why it stands where it stands
	run  func(*Graph, *Model, Options) (*Graph, error)
}

// passes run in this order, with the checker after each.
var passes = []pass{
	{"einsum", "first, so that the others see products of matrices and no subscripts", passEinsum},
	{"rows", "early, while the graph is as the model defines it: what only the head's row needs shrinks to that row, dropout sites included", passRows},
	{"noise", "before dropout, so that masks are shaped for the doubled batch", passNoise},
	{"dropout", "after shapes are final: each site becomes a product with a mask fed by the driver", passDropout},
	{"shift", "after noise, so that the shapes it spells out are final, and after rows, which moves through the marker but not through its parts", passShift},
	{"gemm", "after the row pass, which understands MatMul on [B, T, C] and not flattened rows", passGemm},
	{"fold", "after everything that computes sizes", passFold},
	{"dead", "last: removes what the passes left behind", passDead},
}

// Passes returns the names of the passes in the order in which they run.
func Passes() []string {
	var out []string
	for _, p := range passes {
		out = append(out, p.name)
	}
	return out
}

// Prepare runs the passes over the model's graph. trace, if not nil, sees the graph after each pass.
func (m *Model) Prepare(o Options, trace func(pass string, g *Graph)) (*Graph, error) {
	g := m.Graph
	for _, p := range passes {
		next, err := p.run(g, m, o)
		if err != nil {
			return nil, fmt.Errorf("running pass %s: %w", p.name, err)
		}
		if err := Check(next); err != nil {
			return nil, fmt.Errorf("checking the graph after pass %s: %w", p.name, err)
		}
		if trace != nil {
			trace(p.name, next)
		}
		g = next
	}
	return g, nil
}

// rewriter copies a graph node by node through a builder, with values substituted on the way.
type rewriter struct {
	*Builder
	out *Graph
	to  map[*Value]*Value // old value → its replacement
}

// newRewriter starts a copy of g with the same inputs and parameters.
func newRewriter(g *Graph) *rewriter {
	out := &Graph{Name: g.Name}
	out.Inputs = append(out.Inputs, g.Inputs...)
	out.Parameters = append(out.Parameters, g.Parameters...)
	return &rewriter{Builder: NewBuilder(out), out: out, to: map[*Value]*Value{}}
}

// of returns what an old value became; inputs, parameters and constants stand for themselves.
func (r *rewriter) of(v *Value) *Value {
	if w := r.to[v]; w != nil {
		return w
	}
	return v
}

// copy appends n with substituted operands.
func (r *rewriter) copy(n *Node) []*Value {
	if n.Op == "Reshape" { // its target vector depends on the new operand's shape
		return []*Value{r.Reshape(r.of(n.Inputs[0]), n.Attrs["to"].(Shape))}
	}
	inputs := make([]*Value, len(n.Inputs))
	for i, v := range n.Inputs {
		if v != nil {
			inputs[i] = r.of(v)
		}
	}
	return r.OpN(n.Op, len(n.Outputs), n.Attrs, inputs...)
}

// replace records what the outputs of an old node became.
func (r *rewriter) replace(n *Node, with []*Value) {
	for i, v := range n.Outputs {
		r.to[v] = with[i]
	}
}

// finish sets the outputs and returns the copy.
func (r *rewriter) finish(g *Graph) (*Graph, error) {
	for _, v := range g.Outputs {
		w := r.of(v)
		w.Name = v.Name
		r.out.Outputs = append(r.out.Outputs, w)
	}
	return r.out, r.err
}

// passDead removes nodes that no output depends on.
func passDead(g *Graph, _ *Model, _ Options) (*Graph, error) {
	out := *g
	out.Nodes = ancestors(g.Nodes, g.Outputs)
	return &out, nil
}

// ancestors returns, in order, the nodes that targets depend on.
func ancestors(nodes []*Node, targets []*Value) []*Node {
	needed := map[*Value]bool{}
	for _, v := range targets {
		needed[v] = true
	}
	keep := make([]bool, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		for _, o := range nodes[i].Outputs {
			keep[i] = keep[i] || needed[o]
		}
		if keep[i] {
			for _, v := range nodes[i].Inputs {
				needed[v] = true
			}
		}
	}
	var out []*Node
	for i, n := range nodes {
		if keep[i] {
			out = append(out, n)
		}
	}
	return out
}
