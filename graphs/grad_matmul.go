package graphs

import "slices"

// Gradient rules of matrix products.

// y = A·B over the last two dimensions, the others broadcast: dA = dy·Bᵀ, dB = Aᵀ·dy.
//
// Shapes: A [..., M, K], B [..., K, N], y [..., M, N].
func gradMatMul(b *Builder, n *Node, dy *Value) []*Value {
	x, y := n.Inputs[0], n.Inputs[1]
	dx := b.MatMul(dy, b.swapLast(y))
	dw := b.MatMul(b.swapLast(x), dy)
	return []*Value{b.sumTo(dx, x.Shape), b.sumTo(dw, y.Shape)}
}

// swapLast transposes the last two dimensions. It stands directly before a product, where ONNX Runtime folds it
// into the kernel, so it is not merged with an earlier transpose unless the two cancel.
func (b *Builder) swapLast(x *Value) *Value {
	perm := make([]int64, len(x.Shape))
	for i := range perm {
		perm[i] = int64(i)
	}
	k := len(perm)
	perm[k-1], perm[k-2] = perm[k-2], perm[k-1]
	if p := x.Producer; p != nil && p.Op == "Transpose" && slices.Equal(p.Attrs.Ints("perm"), perm) {
		return p.Inputs[0]
	}
	return b.Op("Transpose", Attrs{"perm": perm}, x)
}

// y = α·A′·B′ + β·C, where A′ is A or, with transA, Aᵀ, and likewise B′:
// dA′ = α·dy·B′ᵀ, dB′ = α·A′ᵀ·dy, dC = β·dy summed to the shape of C.
//
// Shapes: A′ [M, K], B′ [K, N], y [M, N].
func gradGemm(b *Builder, n *Node, dy *Value) []*Value {
	x, y := n.Inputs[0], n.Inputs[1]
	ta, tb := n.Attrs.Int("transA", 0), n.Attrs.Int("transB", 0)
	alpha := n.Attrs.Float("alpha", 1)
	gemm := func(p, q *Value, tp, tq int64) *Value {
		return b.Op("Gemm", Attrs{"transA": tp, "transB": tq, "alpha": alpha}, p, q)
	}
	var dx, dw *Value
	if ta == 0 {
		dx = gemm(dy, y, 0, 1-tb)
	} else {
		dx = gemm(y, dy, tb, 1)
	}
	if tb == 0 {
		dw = gemm(x, dy, 1-ta, 0)
	} else {
		dw = gemm(dy, x, 1, ta)
	}
	out := []*Value{dx, dw}
	if len(n.Inputs) > 2 && n.Inputs[2] != nil {
		dc := b.sumTo(dy, n.Inputs[2].Shape)
		if beta := n.Attrs.Float("beta", 1); beta != 1 {
			dc = b.Scale(dc, beta)
		}
		out = append(out, dc)
	}
	return out
}
