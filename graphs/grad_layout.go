package graphs

import (
	"fmt"
	"slices"
)

// Gradient rules of operators that select elements or change layout: each puts dy back where x was read.

// y = x[index] along axis. One literal index: dx is dy padded with zeros. Otherwise, along the first axis,
// row index[i] of dx receives dy[i], summed over equal indices. Negative indices count from the end, except that
// those a small table is read by at run time must not be negative.
func gradGather(b *Builder, n *Node, dy *Value) []*Value {
	x, index := n.Inputs[0], n.Inputs[1]
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return []*Value{b.fail(err), nil}
	}
	if index.Kind == Constant && len(index.Literal) == 1 {
		one := b.Reshape(dy, x.Shape.with(axis, Static(1)))
		at := b.Ints(int64(index.Literal[0]))
		if index.Literal[0] < 0 {
			at = b.Add(b.dim(x.Shape[axis]), at)
		}
		return []*Value{b.padInto(one, x.Shape, map[int]*Value{axis: at}), nil}
	}
	if axis != 0 {
		return []*Value{b.fail(fmt.Errorf("differentiating Gather(%s): only axis 0 or one literal index can be differentiated, not axis %d", describe(n.Inputs), axis)), nil}
	}
	if rows := x.Shape[0]; rows.IsStatic() && rows.Coef < rowTable {
		return []*Value{b.gatherOneHot(x, index, dy), nil}
	}
	zeros := b.Op("ConstantOfShape", Attrs{"to": x.Shape}, b.ShapeOf(x.Shape))
	where := b.Unsqueeze(index, -1)
	return []*Value{b.Op("ScatterND", Attrs{"reduction": "add"}, zeros, where, dy), nil}
}

// gatherOneHot is the row sum as a product, Pᵀ·dy with P[n][v] = [index[n] = v]: for small tables it is fast
// and, unlike a scatter, adds in a fixed order whatever the number of threads.
func (b *Builder) gatherOneHot(x, index, dy *Value) *Value {
	rows := x.Shape[0].Coef
	all := make([]int64, rows)
	for i := range all {
		all[i] = int64(i)
	}
	if index.Kind == Constant {
		index = b.fromFront(index, rows)
	}
	hit := b.Op("Equal", nil, b.Unsqueeze(index, -1), b.Ints(all...))
	count := index.Shape.Product()
	onehot := b.Reshape(b.Op("Cast", Attrs{"to": int64(Float32)}, hit), Shape{count, Static(rows)})
	width := x.Shape[1:].Product()
	sum := b.Op("Gemm", Attrs{"transA": int64(1)}, onehot, b.Reshape(dy, Shape{count, width}))
	return b.Reshape(sum, x.Shape)
}

// fromFront is a literal of indices with the negative ones counted from the front of a dimension of the given size.
func (b *Builder) fromFront(index *Value, size int) *Value {
	var sizes []int
	for _, d := range index.Shape {
		sizes = append(sizes, d.Coef)
	}
	out := slices.Clone(index.Literal)
	for i, v := range out {
		if v < 0 {
			out[i] = v + float64(size)
		}
	}
	return b.Const(Int64, sizes, out...)
}

// padInto surrounds x with zeros to the shape to; at holds, for each axis that grows, the int64 vector of one
// element where x begins.
func (b *Builder) padInto(x *Value, to Shape, at map[int]*Value) *Value {
	rank := len(to)
	pads := make([]*Value, 2*rank)
	for i := range to {
		pads[i], pads[rank+i] = b.Ints(0), b.Ints(0)
		if begin := at[i]; begin != nil {
			pads[i] = begin
			pads[rank+i] = b.Sub(b.dim(to[i]), b.Add(begin, b.dim(x.Shape[i])))
		}
	}
	return b.Op("Pad", Attrs{"to": to}, x, b.Concat(0, pads...))
}

// y = x[starts:ends] along axes: dx is dy padded with zeros.
func gradSlice(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	axes, err := n.literal(3)
	if err != nil {
		return []*Value{b.fail(err)}
	}
	at := map[int]*Value{}
	for i, a := range axes {
		k, err := normalAxis(a, len(x.Shape))
		if err != nil {
			return []*Value{b.fail(err)}
		}
		at[k] = b.Op("Gather", nil, n.Inputs[1], b.Ints(int64(i)))
	}
	return []*Value{b.padInto(dy, x.Shape, at)}
}

// y = x surrounded by zeros: dx is the part of dy where x was. Only pads that are whole literals are needed.
func gradPad(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	rank := int64(len(x.Shape))
	axes := make([]int64, rank)
	for i := range axes {
		axes[i] = int64(i)
	}
	starts := b.Op("Slice", nil, n.Inputs[1], b.Ints(0), b.Ints(rank), b.Ints(0))
	ends := b.Add(starts, b.ShapeOf(x.Shape))
	return []*Value{b.Op("Slice", Attrs{"to": x.Shape}, dy, starts, ends, b.Ints(axes...))}
}

// y = x₁ joined with x₂ … along axis: dxᵢ is its part of dy.
func gradConcat(b *Builder, n *Node, dy *Value) []*Value {
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(dy.Shape))
	if err != nil {
		return []*Value{b.fail(err)}
	}
	out := make([]*Value, len(n.Inputs))
	begin := dy.Shape[axis]
	begin.Coef = 0
	for i, x := range n.Inputs {
		end := begin
		end.Coef += x.Shape[axis].Coef
		from := b.Ints(0)
		if begin.Coef > 0 {
			from = b.dim(begin)
		}
		out[i] = b.Op("Slice", Attrs{"to": x.Shape}, dy, from, b.dim(end), b.Ints(int64(axis)))
		begin = end
	}
	return out
}

// y = x stretched: dx is the sum over what was stretched.
func gradExpand(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.sumTo(dy, n.Inputs[0].Shape)}
}

// y = x in another shape: dx = dy in x's shape. Also for Squeeze and Unsqueeze.
func gradReshape(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Reshape(dy, n.Inputs[0].Shape), nil}[:len(n.Inputs)]
}

// y = x permuted: dx = dy permuted back.
func gradTranspose(b *Builder, n *Node, dy *Value) []*Value {
	perm := n.Attrs.Ints("perm")
	inverse := make([]int64, len(perm))
	for i, p := range perm {
		inverse[p] = int64(i)
	}
	return []*Value{b.Transpose(dy, inverse...)}
}

// y = x in another float type: dx = dy in x's type. From an integer type no gradient flows.
func gradCast(b *Builder, n *Node, dy *Value) []*Value {
	if x := n.Inputs[0]; x.DType == Float32 {
		return []*Value{b.Op("Cast", Attrs{"to": int64(Float32)}, dy)}
	}
	return []*Value{nil}
}
