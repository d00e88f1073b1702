package graphs

import "fmt"

// Check verifies a graph: every operand is computed before it is used, operators are known, and each output's
// type and shape are those its shape function gives.
func Check(g *Graph) error {
	known := map[*Value]bool{}
	for _, v := range append(append([]*Value{}, g.Inputs...), g.Parameters...) {
		if v.Name == "" {
			return fmt.Errorf("an input or parameter of shape %v has no name", v.Shape)
		}
		known[v] = true
	}
	for i, n := range g.Nodes {
		spec, ok := operators[n.Op]
		if !ok {
			return &UnknownOpError{Op: n.Op, Inputs: describe(n.Inputs)}
		}
		for k, v := range n.Inputs {
			if v != nil && v.Kind != Constant && !known[v] {
				return fmt.Errorf("node %d, %s(%s): operand %d is read before it is computed", i, n.Op, describe(n.Inputs), k)
			}
		}
		probe := &Node{Op: n.Op, Attrs: n.Attrs, Inputs: n.Inputs}
		for range n.Outputs {
			probe.Outputs = append(probe.Outputs, &Value{})
		}
		if err := spec.shape(probe); err != nil {
			return fmt.Errorf("node %d, %s(%s): %w", i, n.Op, describe(n.Inputs), err)
		}
		for k, o := range n.Outputs {
			if p := probe.Outputs[k]; p.DType != o.DType || !p.Shape.Equal(o.Shape) {
				return fmt.Errorf("node %d, %s(%s): output %d is declared %v%v but is %v%v", i, n.Op, describe(n.Inputs), k, o.DType, o.Shape, p.DType, p.Shape)
			}
			if o.Producer != n {
				return fmt.Errorf("node %d, %s(%s): output %d names another producer", i, n.Op, describe(n.Inputs), k)
			}
			known[o] = true
		}
	}
	for _, v := range g.Outputs {
		if !known[v] {
			return fmt.Errorf("output %q is not computed", v.Name)
		}
	}
	return nil
}
