package graphs

// Gradient rules of operators that choose between operands. Where two are equal there is a kink; the gradient then
// is what PyTorch takes, so that runs can be compared.

// y = x₀ where c, else x₁: dx₀ = dy·[c], dx₁ = dy·[¬c].
func gradWhere(b *Builder, n *Node, dy *Value) []*Value {
	c, zero := n.Inputs[0], b.Scalar(0)
	dx := b.Op("Where", nil, c, dy, zero)
	dz := b.Op("Where", nil, c, zero, dy)
	return []*Value{nil, b.sumTo(dx, n.Inputs[1].Shape), b.sumTo(dz, n.Inputs[2].Shape)}
}

// y = min(max(x, l), h): dx = dy·[l < x < h], dl = Σ dy·[x ≤ l], dh = Σ dy·[x ≥ h].
func gradClip(b *Builder, n *Node, dy *Value) []*Value {
	x, zero := n.Inputs[0], b.Scalar(0)
	dx, out := dy, make([]*Value, len(n.Inputs))
	for i, beyond := range []string{"", "LessOrEqual", "GreaterOrEqual"} {
		if i == 0 || i >= len(n.Inputs) || n.Inputs[i] == nil {
			continue
		}
		outside := b.Op(beyond, nil, x, n.Inputs[i])
		out[i] = b.sumTo(b.Op("Where", nil, outside, dy, zero), Shape{})
		dx = b.Op("Where", nil, outside, zero, dx)
	}
	out[0] = dx
	return out
}

// y = max(x₀, x₁, …) or their min: dxᵢ = dy·[xᵢ = y]/m, m the number of operands that reach y.
func gradExtremum(b *Builder, n *Node, dy *Value) []*Value {
	y, hits := n.Outputs[0], make([]*Value, len(n.Inputs))
	var m *Value
	for i, x := range n.Inputs {
		hits[i] = b.indicator(b.Op("Equal", nil, x, y))
		if m == nil {
			m = hits[i]
		} else {
			m = b.Add(m, hits[i])
		}
	}
	share, out := b.Div(dy, m), make([]*Value, len(n.Inputs))
	for i, x := range n.Inputs {
		out[i] = b.sumTo(b.Mul(share, hits[i]), x.Shape)
	}
	return out
}

// indicator turns a bool into 0 and 1.
func (b *Builder) indicator(c *Value) *Value { return b.Op("Cast", Attrs{"to": int64(Float32)}, c) }

// y = max of x over axes, or its min: dx = dy·[x = y]/m, m the number of elements that reach y.
func gradReduceExtremum(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	gone, err := reducedAxes(n)
	if err != nil {
		return b.failed(err, n)
	}
	kept := keptShape(x.Shape, gone)
	hit := b.indicator(b.Op("Equal", nil, x, b.Reshape(n.Outputs[0], kept)))
	share := b.Div(b.Reshape(dy, kept), b.sumTo(hit, kept))
	return []*Value{b.Mul(hit, share), nil}[:len(n.Inputs)]
}
