package eval

import (
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Run evaluates g on feeds, which hold a tensor for every input and parameter by name, and returns the outputs
// by name.
//
// B and T are taken from the feeds' sizes. It is an error if the graph does not pass [graphs.Check], if a feed is
// missing, unknown, of another shape than declared, or not of its element type (an index that is no whole
// number), if an index lies outside its table, or if a computed tensor's shape is not the one the graph declares.
// Feeds are not changed; results share no memory with them.
func Run(g *graphs.Graph, feeds map[string]Tensor) (map[string]Tensor, error) {
	if err := graphs.Check(g); err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", g.Name, err)
	}
	values, err := bind(g, feeds)
	if err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", g.Name, err)
	}
	s, err := solve(g, feeds)
	if err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", g.Name, err)
	}
	for i, n := range g.Nodes {
		if err := apply(n, values, s); err != nil {
			return nil, fmt.Errorf("evaluating %s: node %d, %s: %w", g.Name, i, n.Op, err)
		}
	}
	outputs := map[string]Tensor{}
	for _, v := range g.Outputs {
		t := values[v]
		outputs[v.Name] = Tensor{Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
	}
	return outputs, nil
}

// apply evaluates one node.
func apply(n *graphs.Node, values map[*graphs.Value]*Tensor, s symbols) error {
	op, ok := operators[n.Op]
	if !ok {
		return fmt.Errorf("the operator has no evaluator; add a line to graphs/eval/table.go")
	}
	in := make([]*Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if v.Kind == graphs.Constant {
			in[i] = literal(v)
			continue
		}
		in[i] = values[v]
	}
	for i := range op.operands {
		if i >= len(in) || in[i] == nil {
			return fmt.Errorf("on shapes %v: operand %d is missing", shapes(in), i)
		}
	}
	out, err := op.compute(n, in)
	if err != nil {
		return fmt.Errorf("on shapes %v: %w", shapes(in), err)
	}
	if len(n.Outputs) > len(out) {
		return fmt.Errorf("the node has %d outputs, the operator %d", len(n.Outputs), len(out))
	}
	for i, v := range n.Outputs {
		want, err := s.sizes(v.Shape)
		if err != nil {
			return err
		}
		if !slices.Equal(out[i].Shape, want) {
			return fmt.Errorf("on shapes %v: output %d has shape %v; the graph declares %v, which is %v for %v", shapes(in), i, out[i].Shape, v.Shape, want, s)
		}
		values[v] = &out[i]
	}
	return nil
}

// literal returns a constant's elements.
func literal(v *graphs.Value) *Tensor {
	t := Tensor{Shape: []int{}, Data: v.Literal}
	for _, d := range v.Shape {
		t.Shape = append(t.Shape, d.Coef)
	}
	return &t
}

// shapes lists the shapes of operands for messages.
func shapes(in []*Tensor) [][]int {
	var out [][]int
	for _, t := range in {
		if t == nil {
			out = append(out, nil)
			continue
		}
		out = append(out, t.Shape)
	}
	return out
}
