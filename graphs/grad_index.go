package graphs

// Gradient rules of operators that address elements by index. What was read receives dy by ScatterElements, which adds
// where an index comes twice; what was placed reads dy back.
//
// Not by ScatterND: ONNX Runtime's processor kernel lets threads add to the same place without a lock, and so loses
// some of the sum. That of ScatterElements adds in order.

// scatterRows is zeros of the shape to, with rows[i…] added to row index[i…].
func (b *Builder) scatterRows(to Shape, index, rows *Value) *Value {
	count, width := index.Shape.Product(), to[1:].Product()
	flat, table := Shape{count, width}, Shape{to[0], width}
	where := b.Op("Expand", Attrs{"to": flat}, b.Reshape(index, Shape{count, Static(1)}), b.ShapeOf(flat))
	sum := b.Op("ScatterElements", Attrs{"axis": int64(0), "reduction": "add"}, b.zeros(table), where, b.Reshape(rows, flat))
	return b.Reshape(sum, to)
}

// zeros is a float32 tensor of zeros.
func (b *Builder) zeros(s Shape) *Value {
	return b.Op("ConstantOfShape", Attrs{"to": s}, b.ShapeOf(s))
}

// y[b…, i…] = x[b…, index[b…, i…]]: dx[b…, index[b…, i…]] += dy[b…, i…].
//
// Each batch dimension becomes a coordinate of its own in front of the index; then the coordinates become the number of
// a row of x, whose first dimensions are taken as one.
func gradGatherND(b *Builder, n *Node, dy *Value) []*Value {
	x, index := n.Inputs[0], n.Inputs[1]
	batch := int(n.Attrs.Int("batch_dims", 0))
	last := len(index.Shape) - 1
	var parts []*Value
	for i := range batch {
		line := make(Shape, last+1)
		for k := range line {
			line[k] = Static(1)
		}
		line[i] = index.Shape[i]
		own := index.Shape.with(last, Static(1))
		count := b.Reshape(b.positions(index.Shape[i]), line)
		parts = append(parts, b.Op("Expand", Attrs{"to": own}, count, b.ShapeOf(own)))
	}
	if len(parts) > 0 {
		index = b.Concat(int64(last), append(parts, index)...)
	}
	depth := index.Shape[last].Coef
	strides := make([]*Value, depth)
	for i := range strides {
		strides[i] = b.dim(x.Shape[i+1 : depth].Product())
	}
	fromFront := b.Op("Mod", nil, index, b.ShapeOf(x.Shape[:depth]))
	row := b.Sum(b.Mul(fromFront, b.Concat(0, strides...)), false, -1)
	rows := append(Shape{x.Shape[:depth].Product()}, x.Shape[depth:]...)
	return []*Value{b.Reshape(b.scatterRows(rows, row, dy), x.Shape), nil}
}

// positions is the int64 vector 0, 1, … below the size of a dimension.
func (b *Builder) positions(d Dim) *Value {
	limit := b.Reshape(b.dim(d), Shape{})
	zero, one := b.Const(Int64, []int{}, 0), b.Const(Int64, []int{}, 1)
	return b.Op("Range", Attrs{"to": Shape{d}}, zero, limit, one)
}

// y[i] = x[i with index[i] along axis]: dx there += dy[i].
func gradGatherElements(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	attrs := Attrs{"axis": n.Attrs.Int("axis", 0), "reduction": "add"}
	return []*Value{b.Op("ScatterElements", attrs, b.zeros(x.Shape), n.Inputs[1], dy), nil}
}

// y = x with updates placed at index, or added: du = dy[index]; dx = dy, with 0 where an update replaced x. Indices
// must differ from each other where updates replace, as ONNX demands.
func gradScatterND(b *Builder, n *Node, dy *Value) []*Value {
	index, updates := n.Inputs[1], n.Inputs[2]
	du := b.Op("GatherND", nil, dy, index)
	if n.Attrs["reduction"] == "add" {
		return []*Value{dy, nil, du}
	}
	return []*Value{b.Op("ScatterND", n.Attrs, dy, index, b.zeros(updates.Shape)), nil, du}
}

// The same with one index along an axis.
func gradScatterElements(b *Builder, n *Node, dy *Value) []*Value {
	index, updates := n.Inputs[1], n.Inputs[2]
	du := b.Op("GatherElements", Attrs{"axis": n.Attrs.Int("axis", 0)}, dy, index)
	if n.Attrs["reduction"] == "add" {
		return []*Value{dy, nil, du}
	}
	return []*Value{b.Op("ScatterElements", n.Attrs, dy, index, b.zeros(updates.Shape)), nil, du}
}
