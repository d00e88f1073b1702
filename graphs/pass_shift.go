package graphs

import "fmt"

// RelativeShift is a marker for the step from scores by distance to scores by key that relative positions need:
//
//	y[…, i, j] = x[…, i, j − i + T − 1]
//
// so that column c of x belongs to keys that stand c − (T − 1) tokens after the query; the last column is not
// read. Where the row pass selected the first row, i is 0.
//
// Shapes: x [..., T, 2T] → y [..., T, T], or x [..., 1, 2T] → y [..., 1, T].
// Source: Dai et al. 2019, Transformer-XL, arXiv 1901.02860, appendix B.
func inferRelativeShift(n *Node) error {
	x := n.Inputs[0]
	k := len(x.Shape) - 2
	if k >= 0 {
		tokens := x.Shape[k+1]
		tokens.Coef /= 2
		if x.Shape[k+1] == Static(2).Mul(tokens) && (x.Shape[k] == tokens || x.Shape[k].Is(1)) && (tokens == Tokens || tokens.IsStatic()) {
			return n.set(x.DType, x.Shape.with(k+1, tokens))
		}
	}
	return fmt.Errorf("the operand must be [..., T, 2T] or [..., 1, 2T], not %v", x.Shape)
}

// rowsRelativeShift lets every axis pass but the last, along which row i reads another column than row 0.
func rowsRelativeShift(n *Node, axis int) []int {
	if axis == len(n.Outputs[0].Shape)-1 {
		return nil
	}
	return []int{axis}
}

// passShift spells the markers out.
func passShift(g *Graph, _ *Model, _ Options) (*Graph, error) {
	r := newRewriter(g)
	for _, n := range g.Nodes {
		if n.Op == "RelativeShift" {
			r.to[n.Outputs[0]] = r.relativeShift(r.of(n.Inputs[0]), n.Outputs[0].Shape)
			continue
		}
		r.replace(n, r.copy(n))
	}
	return r.finish(g)
}

// relativeShift is the marker in views and copies. In rows of 2T elements y[i][j] is element i·2T + j − i + T − 1 of the
// whole matrix, that is i·(2T − 1) + j after its first T − 1 elements: cut those off, read rows of S = 2T − 1
// elements instead, and keep the first T of each.
func (b *Builder) relativeShift(x *Value, y Shape) *Value {
	k := len(y) - 2
	tokens, span := y[k+1], Span
	if tokens.IsStatic() {
		span = Static(2*tokens.Coef - 1)
	}
	first := b.Sub(b.dim(tokens), b.Ints(1))
	cut := func(x *Value, from *Value, to Shape) *Value {
		last := len(to) - 1
		return b.Op("Slice", Attrs{"to": to}, x, from, b.Add(from, b.dim(to[last])), b.Ints(int64(last)))
	}
	if x.Shape[k].Is(1) {
		return cut(x, first, x.Shape.with(k+1, tokens))
	}
	to := func(last ...Dim) Shape { return append(append(Shape{}, x.Shape[:k]...), last...) }
	whole := b.Reshape(x, to(tokens.Mul(x.Shape[k+1])))
	rows := b.Reshape(cut(whole, first, to(tokens.Mul(span))), to(tokens, span))
	return cut(rows, b.Ints(0), to(tokens, tokens))
}
