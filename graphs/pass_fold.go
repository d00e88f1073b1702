package graphs

// passFold evaluates integer arithmetic on constants: the shape and padding vectors that passes and gradients
// build from sizes, most of which are literals.
func passFold(g *Graph, _ *Model, _ Options) (*Graph, error) {
	r := newRewriter(g)
	for _, n := range g.Nodes {
		if literal := foldInts(r, n); literal != nil {
			r.to[n.Outputs[0]] = literal
			continue
		}
		r.replace(n, r.copy(n))
	}
	return r.finish(g)
}

// foldInts returns the constant that an integer node computes, or nil.
func foldInts(r *rewriter, n *Node) *Value {
	y := n.Outputs[0]
	if y.DType != Int64 || len(y.Shape) > 1 || !y.Shape.IsStatic() {
		return nil
	}
	if n.Op == "Shape" {
		if x := n.Inputs[0]; x.Shape.IsStatic() {
			return r.Ints(x.Shape.Sizes(0, 0)...)
		}
		return nil
	}
	operands := make([][]float64, len(n.Inputs))
	for i, v := range n.Inputs {
		v = r.of(v)
		if v.Kind != Constant {
			return nil
		}
		operands[i] = v.Literal
	}
	var out []float64
	switch n.Op {
	case "Concat":
		for _, x := range operands {
			out = append(out, x...)
		}
	case "Add", "Sub", "Mul":
		out = foldArithmetic(n.Op, operands[0], operands[1], y.Shape.Product().Coef)
	case "Gather":
		for _, i := range operands[1] {
			if i < 0 {
				i += float64(len(operands[0]))
			}
			if i < 0 || int(i) >= len(operands[0]) {
				return nil
			}
			out = append(out, operands[0][int(i)])
		}
	case "Slice":
		step := int64(1)
		if len(operands) > 4 {
			step = integer(operands[4][0])
		}
		c, ok := cutOf(integer(operands[1][0]), integer(operands[2][0]), step, Static(len(operands[0])))
		if !ok || c.count < 1 {
			return nil
		}
		for i := range c.count {
			out = append(out, operands[0][c.begin+i*c.step])
		}
	default:
		return nil
	}
	sizes := []int{}
	for _, d := range y.Shape {
		sizes = append(sizes, d.Coef)
	}
	return r.Const(Int64, sizes, out...)
}

// foldArithmetic applies op element by element, an operand of one element stretching to n.
func foldArithmetic(op string, x, y []float64, n int) []float64 {
	at := func(v []float64, i int) float64 {
		if len(v) == 1 {
			return v[0]
		}
		return v[i]
	}
	out := make([]float64, n)
	for i := range out {
		a, b := at(x, i), at(y, i)
		switch op {
		case "Add":
			out[i] = a + b
		case "Sub":
			out[i] = a - b
		case "Mul":
			out[i] = a * b
		}
	}
	return out
}
