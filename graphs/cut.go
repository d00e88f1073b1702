package graphs

import (
	"fmt"
	"maps"
	"slices"
)

// Program is a model ready to train: two graphs that share saved activations. The driver runs Forward, turns
// the logits into dlogits, and runs Backward.
type Program struct {
	// Forward computes the outputs "logits" [rows, K] and then the saved activations "saved.N".
	Forward *Graph
	// Backward reads "dlogits" [rows, K], saved activations and batch inputs, and computes "d.<parameter>" for
	// every dense gradient, "rows.<parameter>.<i>" and "indices.<parameter>.<i>" for every row gradient.
	Backward *Graph
	// Saved are the names of the activations handed from Forward to Backward, in order.
	Saved []string
	// Dense names the parameters with a dense gradient, in order of Backward's outputs.
	Dense []string
	// RowTables are the parameters whose gradient comes as rows.
	RowTables []RowTable
	// Masks are the dropout sites' inputs in order.
	Masks []*Value
	// NoiseGradient is set where Backward also computes "d.noise".
	NoiseGradient bool
}

// RowTable says which outputs of Backward hold a parameter's row gradient.
type RowTable struct {
	Parameter     string
	Rows, Indices []string // output names; an index may also name a batch input of the same content
}

// Compile prepares the model's graph under o, differentiates the logits with respect to every parameter, and
// cuts the result in two. With noiseGradient the backward graph also yields ∂L/∂noise.
func (m *Model) Compile(o Options, noiseGradient bool) (*Program, error) {
	prepared, err := m.Prepare(o, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing the graph of %s: %w", m.Graph.Name, err)
	}
	joint := *prepared
	joint.Nodes = append([]*Node{}, prepared.Nodes...)
	b := NewBuilder(&joint)
	logits := joint.Outputs[0]
	dlogits := b.Input("dlogits", Float32, logits.Shape...)
	wrt := append([]*Value{}, joint.Parameters...)
	if noiseGradient {
		noise := joint.Input(NoiseInput)
		if noise == nil {
			return nil, fmt.Errorf("differentiating %s with respect to noise: the graph has no noise input; compile it with Noise or Doubled", m.Graph.Name)
		}
		wrt = append(wrt, noise)
	}
	byRow := rowTables(joint.Nodes, wrt)
	promised := m.RowTables() // without its dropout a table may be left with lookups alone
	maps.DeleteFunc(byRow, func(v *Value, _ bool) bool { return !slices.Contains(promised, v.Name) })
	grads, err := b.differentiate(logits, dlogits, wrt, byRow)
	if err != nil {
		return nil, fmt.Errorf("differentiating %s: %w", m.Graph.Name, err)
	}
	p := &Program{NoiseGradient: noiseGradient}
	for _, in := range joint.Inputs {
		if in.DType == Uint8 {
			p.Masks = append(p.Masks, in)
		}
	}
	return p, p.cut(&joint, len(prepared.Nodes), p.targets(grads, wrt))
}

// target is a value that the backward graph returns under a name.
type target struct {
	name  string
	value *Value
}

// targets lists what the backward graph returns, in the order of wrt, and records it in p.
func (p *Program) targets(grads *Gradients, wrt []*Value) []target {
	var out []target
	for _, v := range wrt {
		if d := grads.Dense[v]; d != nil {
			out = append(out, target{"d." + v.Name, d})
			if v.Kind == Parameter {
				p.Dense = append(p.Dense, v.Name)
			}
		}
		if rows := grads.Rows[v]; len(rows) > 0 {
			table := RowTable{Parameter: v.Name}
			for i, r := range rows {
				table.Rows = append(table.Rows, fmt.Sprintf("rows.%s.%d", v.Name, i))
				table.Indices = append(table.Indices, fmt.Sprintf("indices.%s.%d", v.Name, i))
				out = append(out, target{table.Rows[i], r.Rows}, target{table.Indices[i], r.Indices})
			}
			p.RowTables = append(p.RowTables, table)
		}
	}
	return out
}

// cut splits the joint graph: its first `split` nodes are the forward pass. A forward value that the backward
// pass reads is saved, unless it is a view or integer arithmetic, which the backward pass repeats.
func (p *Program) cut(joint *Graph, split int, targets []target) error {
	c := &cutter{rewriter: newRewriter(&Graph{Name: joint.Name + ".backward"}), forward: map[*Value]bool{}}
	for _, n := range joint.Nodes[:split] {
		for _, o := range n.Outputs {
			c.forward[o] = true
		}
	}
	logits := joint.Outputs[0]
	for _, t := range targets {
		out := c.bring(t.value)
		if out.Kind != Result || out.Name != "" { // an output is computed, and has one name
			out = c.Op("StopGradient", nil, out)
		}
		out.Name = t.name
		c.out.Outputs = append(c.out.Outputs, out)
	}
	if c.err != nil {
		return fmt.Errorf("cutting %s: %w", joint.Name, c.err)
	}
	p.Backward = c.out
	p.Forward = &Graph{Name: joint.Name + ".forward", Parameters: joint.Parameters, Outputs: []*Value{logits}}
	for _, in := range joint.Inputs {
		if in.Name != "dlogits" {
			p.Forward.Inputs = append(p.Forward.Inputs, in)
		}
	}
	for _, v := range c.saved {
		p.Saved = append(p.Saved, v.Name)
		if v != logits {
			p.Forward.Outputs = append(p.Forward.Outputs, v)
		}
	}
	p.Forward.Nodes = ancestors(joint.Nodes[:split], p.Forward.Outputs)
	for _, g := range []*Graph{p.Forward, p.Backward} {
		if err := Check(g); err != nil {
			return fmt.Errorf("checking %s after the cut: %w", g.Name, err)
		}
	}
	return nil
}

// cutter copies into the backward graph what its outputs need.
type cutter struct {
	*rewriter
	forward map[*Value]bool // computed by the forward graph
	saved   []*Value        // handed over, in order of first use
}

// bring returns v's stand-in in the backward graph, copying the nodes it depends on.
func (c *cutter) bring(v *Value) *Value {
	if w := c.to[v]; w != nil || v.Kind == Constant {
		return c.of(v)
	}
	switch {
	case v.Kind == Input:
		c.out.Inputs = append(c.out.Inputs, v)
		c.to[v] = v
	case v.Kind == Parameter:
		c.out.Parameters = append(c.out.Parameters, v)
		c.to[v] = v
	case c.forward[v] && !operators[v.Producer.Op].cheap && v.DType != Int64:
		if v.Name == "" {
			v.Name = fmt.Sprintf("saved.%d", len(c.saved))
		}
		c.saved = append(c.saved, v)
		stand := &Value{Name: v.Name, Kind: Input, DType: v.DType, Shape: v.Shape}
		c.out.Inputs = append(c.out.Inputs, stand)
		c.to[v] = stand
	default:
		for _, x := range v.Producer.Inputs {
			if x != nil {
				c.bring(x)
			}
		}
		c.replace(v.Producer, c.copy(v.Producer))
	}
	return c.to[v]
}
