package graphs

import "slices"

// passGemm turns every product with a weight matrix, MatMul(x[..., K], W) with or without a bias added after
// it, into Gemm on flattened rows. Reshapes are views at run time; Gemm adds the bias without another pass over
// memory, and its weight gradient is one product over all tokens instead of one for each example and a sum.
func passGemm(g *Graph, _ *Model, _ Options) (*Graph, error) {
	uses := g.uses()
	bias := map[*Node]*Node{} // MatMul → the Add that follows it alone
	skip := map[*Node]bool{}
	for _, n := range g.Nodes {
		if n.Op != "MatMul" || !isWeight(n.Inputs[1]) {
			continue
		}
		y := n.Outputs[0]
		if u := uses[y]; len(u) == 1 && u[0].Op == "Add" && isBias(u[0], y) && !slices.Contains(g.Outputs, y) {
			bias[n], skip[u[0]] = u[0], true
		}
	}
	r := newRewriter(g)
	for _, n := range g.Nodes {
		switch {
		case skip[n]:
		case n.Op == "MatMul" && isWeight(n.Inputs[1]):
			y := n.Outputs[0]
			operands := []*Value{flattened(r, r.of(n.Inputs[0])), nil}
			attrs := Attrs{}
			operands[1] = r.of(n.Inputs[1])
			if t := n.Inputs[1].Producer; t != nil {
				operands[1], attrs["transB"] = t.Inputs[0], int64(1)
			}
			if add := bias[n]; add != nil {
				y = add.Outputs[0]
				operands = append(operands, biasOf(add, n.Outputs[0]))
			}
			r.to[y] = r.Reshape(r.Op("Gemm", attrs, operands...), y.Shape)
		default:
			r.replace(n, r.copy(n))
		}
	}
	return r.finish(g)
}

// flattened views x[..., K] as rows [N, K].
func flattened(r *rewriter, x *Value) *Value {
	k := len(x.Shape) - 1
	return r.Reshape(x, Shape{x.Shape[:k].Product(), x.Shape[k]})
}

// isWeight reports a parameter matrix or the transpose of one.
func isWeight(v *Value) bool {
	if v.Kind == Result && v.Producer.Op == "Transpose" && slices.Equal(v.Producer.Attrs.Ints("perm"), []int64{1, 0}) {
		v = v.Producer.Inputs[0]
	}
	return v.Kind == Parameter && len(v.Shape) == 2
}

// isBias reports an addition of a parameter vector to x that leaves x's shape as it is.
func isBias(add *Node, x *Value) bool {
	b := biasOf(add, x)
	return b.Kind == Parameter && len(b.Shape) == 1 && add.Outputs[0].Shape.Equal(x.Shape)
}

// biasOf returns the operand of an addition that is not x.
func biasOf(add *Node, x *Value) *Value {
	if add.Inputs[0] == x {
		return add.Inputs[1]
	}
	return add.Inputs[0]
}
