package graphs

import (
	"fmt"
	"math"
	"slices"
)

// Gradient rules of operators that select elements or change layout: each puts dy back where x was read.

// y = x[index] along axis. One literal index: dx is dy padded with zeros. Otherwise row index[i] of dx receives
// dy[i], summed over equal indices. Negative indices count from the end, except that
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
	if axis != 0 { // with the axis in front it is the same problem
		front, back, place := frontPermutations(len(x.Shape), len(index.Shape), axis)
		moved := &Node{Op: "Gather", Inputs: []*Value{{DType: x.DType, Shape: permuted(x.Shape, front)}, index}}
		dx := gradGather(b, moved, b.Transpose(dy, place...))[0]
		return []*Value{b.Transpose(dx, back...), nil}
	}
	if rows := x.Shape[0]; rows.IsStatic() && rows.Coef < rowTable {
		return []*Value{b.gatherOneHot(x, index, dy), nil}
	}
	return []*Value{b.scatterRows(x.Shape, index, dy), nil}
}

// frontPermutations brings axis of a tensor of the given rank to the front and back again, and place the
// dimensions of the index that stand there in the result of a Gather.
func frontPermutations(rank, index, axis int) (front, back, place []int64) {
	front = append(front, int64(axis))
	back = make([]int64, rank)
	for k := range index {
		place = append(place, int64(axis+k))
	}
	for i := range rank {
		if i == axis {
			continue
		}
		back[i] = int64(len(front))
		front = append(front, int64(i))
		if i > axis {
			place = append(place, int64(i+index-1))
		} else {
			place = append(place, int64(i))
		}
	}
	return front, back, place
}

func permuted(s Shape, perm []int64) Shape {
	out := make(Shape, len(s))
	for i, p := range perm {
		out[i] = s[p]
	}
	return out
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

// y = x[starts:ends:steps] along axes: dx is dy spread out by the steps and padded with zeros. Bounds known at run
// time only must not be negative, and their steps are 1.
func gradSlice(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	at := map[int]*Value{}
	if _, symbolic := n.Attrs["to"]; symbolic {
		axes, err := n.literal(3)
		if err == nil && len(n.Inputs) > 4 && n.Inputs[4] != nil {
			err = fmt.Errorf("steps are supported with literal bounds only")
		}
		if err != nil {
			return b.failed(err, n)
		}
		for i, a := range axes {
			k, err := normalAxis(a, len(x.Shape))
			if err != nil {
				return b.failed(err, n)
			}
			at[k] = b.Op("Gather", nil, n.Inputs[1], b.Ints(int64(i)))
		}
		return []*Value{b.padInto(dy, x.Shape, at), nil, nil, nil}
	}
	cuts, err := sliceCuts(n)
	if err != nil {
		return b.failed(err, n)
	}
	for axis := range x.Shape {
		c, ok := cuts[axis]
		if !ok || c.count == whole {
			continue
		}
		if c.step < 0 {
			dy = b.Op("Slice", nil, dy, b.Ints(-1), b.Ints(math.MinInt64), b.Ints(int64(axis)), b.Ints(-1))
			c.begin, c.step = c.begin+(c.count-1)*c.step, -c.step
		}
		dy = b.spread(dy, axis, c.step)
		at[axis] = b.Ints(int64(c.begin))
		if c.begin < 0 {
			at[axis] = b.Add(b.dim(x.Shape[axis]), at[axis])
		}
	}
	return []*Value{b.padInto(dy, x.Shape, at), nil, nil, nil, nil}[:len(n.Inputs)]
}

// spread puts step − 1 zeros between the elements of x along an axis of static size.
func (b *Builder) spread(x *Value, axis, step int) *Value {
	count := x.Shape[axis].Coef
	if step == 1 || count == 1 {
		return x
	}
	pair := append(append(append(Shape{}, x.Shape[:axis+1]...), Static(1)), x.Shape[axis+1:]...)
	wide := b.padInto(b.Reshape(x, pair), pair.with(axis+1, Static(step)), map[int]*Value{axis + 1: b.Ints(0)})
	flat := b.Reshape(wide, x.Shape.with(axis, Static(count*step)))
	return b.Op("Slice", nil, flat, b.Ints(0), b.Ints(int64((count-1)*step+1)), b.Ints(int64(axis)))
}

// y₀, y₁, … = x cut along axis: dx = dy₀, dy₁, … joined, zeros where an output contributes nothing.
func gradSplit(b *Builder, n *Node, dys []*Value) []*Value {
	parts := make([]*Value, len(dys))
	for i, dy := range dys {
		if parts[i] = dy; dy == nil {
			parts[i] = b.zeros(n.Outputs[i].Shape)
		}
	}
	return []*Value{b.Concat(n.Attrs.Int("axis", 0), parts...), nil}[:len(n.Inputs)]
}

// y = x surrounded by a constant: dx is the part of dy where x was.
func gradPad(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	rank := int64(len(x.Shape))
	axes := make([]int64, rank)
	for i := range axes {
		axes[i] = int64(i)
	}
	starts := b.Op("Slice", nil, n.Inputs[1], b.Ints(0), b.Ints(rank), b.Ints(0))
	ends := b.Add(starts, b.ShapeOf(x.Shape))
	return []*Value{b.Op("Slice", Attrs{"to": x.Shape}, dy, starts, ends, b.Ints(axes...)), nil, nil}[:len(n.Inputs)]
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

// y = x repeated along each axis: dx is the sum over the repetitions.
//
// Shapes: x [D₀, …], dy [R₀·D₀, …], seen as [R₀, D₀, …] and summed over every R.
func gradTile(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	times, err := repeats(x.Shape, dy.Shape)
	if err != nil {
		return b.failed(err, n)
	}
	var pairs Shape
	var axes []int64
	for i, d := range x.Shape {
		if !times[i].Is(1) {
			axes = append(axes, int64(len(pairs)))
			pairs = append(pairs, times[i])
		}
		pairs = append(pairs, d)
	}
	if len(axes) == 0 {
		return []*Value{dy, nil}
	}
	return []*Value{b.Sum(b.Reshape(dy, pairs), false, axes...), nil}
}

// y = x with zeros below or above a diagonal: dx = dy with the same zeros.
func gradTrilu(b *Builder, n *Node, dy *Value) []*Value {
	in := append([]*Value{dy}, n.Inputs[1:]...)
	return []*Value{b.Op("Trilu", n.Attrs, in...), nil}[:len(n.Inputs)]
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
