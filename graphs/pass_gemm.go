package graphs

import "slices"

// passGemm turns every product with a weight matrix, MatMul(x[..., K], W) with or without a bias added after
// it, into Gemm on flattened rows. Reshapes are views at run time; Gemm adds the bias without another pass over
// memory, and its weight gradient is one product over all tokens instead of one for each example and a sum.
func passGemm(g *Graph, _ *Model, _ Options) (*Graph, error) {
	uses := g.uses()
	product := map[*Node]*Node{} // node that becomes a Gemm → its MatMul: the node itself, or the one before an Add of a bias
	inside := map[*Node]bool{}   // MatMuls whose Gemm stands at the Add
	for _, n := range g.Nodes {
		if n.Op != "MatMul" || !isWeight(n.Inputs[1]) {
			continue
		}
		y := n.Outputs[0]
		if u := uses[y]; len(u) == 1 && u[0].Op == "Add" && isBias(u[0], y) && !slices.Contains(g.Outputs, y) {
			product[u[0]], inside[n] = n, true
		} else {
			product[n] = n
		}
	}
	r := newRewriter(g)
	for _, n := range g.Nodes {
		m := product[n]
		switch {
		case inside[n]:
		case m != nil:
			w, attrs := m.Inputs[1], Attrs{}
			if isTransposed(w) {
				w, attrs["transB"] = w.Producer.Inputs[0], int64(1)
			}
			operands := []*Value{flattened(r, r.of(m.Inputs[0])), r.of(w)}
			if m != n {
				operands = append(operands, r.of(biasOf(n, m.Outputs[0])))
			}
			y := n.Outputs[0]
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

// isWeight reports a parameter matrix, a matrix cut from a parameter, or the transpose of one.
func isWeight(v *Value) bool {
	if isTransposed(v) {
		v = v.Producer.Inputs[0]
	}
	return len(v.Shape) == 2 && isParameter(v)
}

func isTransposed(v *Value) bool {
	return v.Kind == Result && v.Producer.Op == "Transpose" && slices.Equal(v.Producer.Attrs.Ints("perm"), []int64{1, 0})
}

// isParameter reports a parameter or a part of one.
func isParameter(v *Value) bool {
	if v.Kind == Result && (v.Producer.Op == "Split" || v.Producer.Op == "Gather") {
		return v.Shape.IsStatic() && v.Producer.Inputs[0].Kind == Parameter
	}
	return v.Kind == Parameter
}

// isBias reports an addition of a parameter vector to x that leaves x's shape as it is.
func isBias(add *Node, x *Value) bool {
	b := biasOf(add, x)
	return isParameter(b) && len(b.Shape) == 1 && add.Outputs[0].Shape.Equal(x.Shape)
}

// biasOf returns the operand of an addition that is not x.
func biasOf(add *Node, x *Value) *Value {
	if add.Inputs[0] == x {
		return add.Inputs[1]
	}
	return add.Inputs[0]
}
