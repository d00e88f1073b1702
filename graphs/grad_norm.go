package graphs

import "fmt"

// Gradient rules of normalisations and reductions.

// y = γ·x̂ + β, x̂ = (x − μ)·r, r = 1/√(σ² + ε), over the last dimension. With g = dy·γ:
//
//	dx = r·(g − mean(g) − x̂·mean(g·x̂)),  dγ = Σ dy·x̂,  dβ = Σ dy.
//
// The forward node must have its outputs Mean and InvStdDev; the rule adds them where the model lacks them.
//
// Shapes: x, y [..., C], γ, β [C], μ, r [..., 1].
// Source: Ba, Kiros and Hinton, Layer Normalization, arXiv 1607.06450, equation 4, differentiated.
func gradLayerNorm(b *Builder, n *Node, dy *Value) []*Value {
	x, gamma := n.Inputs[0], n.Inputs[1]
	for len(n.Outputs) < 3 {
		stat := &Value{Producer: n, DType: x.DType, Shape: x.Shape.with(len(x.Shape)-1, Static(1))}
		n.Outputs = append(n.Outputs, stat)
	}
	mean, r := n.Outputs[1], n.Outputs[2]
	xhat := b.Mul(b.Sub(x, mean), r)
	g := b.Mul(dy, gamma)
	dyx := b.Mul(dy, xhat)
	projected := b.Mul(xhat, b.Mean(b.Mul(g, xhat), true, -1))
	dx := b.Mul(b.Sub(b.Sub(g, b.Mean(g, true, -1)), projected), r)
	out := []*Value{dx, b.sumTo(dyx, gamma.Shape)}
	if len(n.Inputs) > 2 && n.Inputs[2] != nil {
		out = append(out, b.sumTo(dy, n.Inputs[2].Shape))
	}
	return out
}

// y = softmax(x) along axis: dx = y·(dy − Σ dy·y) = t − y·Σt, t = dy·y.
func gradSoftmax(b *Builder, n *Node, dy *Value) []*Value {
	y := n.Outputs[0]
	t := b.timesMasked(dy, y)
	return []*Value{b.Sub(t, b.Mul(y, b.Sum(t, true, n.Attrs.Int("axis", -1))))}
}

// timesMasked is dy·y. Where dropout follows y, dy is itself a product d·m with the mask m, and the forward graph
// holds y·m: then d·(y·m) is the same without reading the mask again, two passes over the attention probabilities
// less.
func (b *Builder) timesMasked(dy, y *Value) *Value {
	if p := dy.Producer; p != nil && p.Op == "Mul" && p.Inputs[1].Shape.Equal(y.Shape) {
		d, m := p.Inputs[0], p.Inputs[1]
		for _, n := range b.g.Nodes {
			if n.Op == "Mul" && n.Inputs[0] == y && n.Inputs[1] == m {
				return b.Mul(d, n.Outputs[0])
			}
		}
	}
	return b.Mul(dy, y)
}

// y = log softmax(x) along axis: dx = dy − eʸ·Σ dy.
func gradLogSoftmax(b *Builder, n *Node, dy *Value) []*Value {
	p := b.Op("Exp", nil, n.Outputs[0])
	return []*Value{b.Sub(dy, b.Mul(p, b.Sum(dy, true, n.Attrs.Int("axis", -1))))}
}

// y = Σ x over axes: dx = dy stretched to the shape of x.
func gradReduceSum(b *Builder, n *Node, dy *Value) []*Value {
	gone, err := reducedAxes(n)
	if err != nil {
		return b.failed(err, n)
	}
	x := n.Inputs[0]
	dx := b.Op("Expand", Attrs{"to": x.Shape}, b.Reshape(dy, keptShape(x.Shape, gone)), b.ShapeOf(x.Shape))
	return []*Value{dx, nil}[:len(n.Inputs)]
}

// keptShape is s with the reduced axes as 1.
func keptShape(s Shape, gone map[int]bool) Shape {
	kept := append(Shape{}, s...)
	for i := range kept {
		if gone[i] {
			kept[i] = Static(1)
		}
	}
	return kept
}

// failed records err and gives no gradients.
func (b *Builder) failed(err error, n *Node) []*Value {
	b.fail(fmt.Errorf("differentiating %s(%s): %w", n.Op, describe(n.Inputs), err))
	return make([]*Value, len(n.Inputs))
}

// y = mean of x over axes: dx = dy/N stretched to the shape of x, N the number of averaged elements.
func gradReduceMean(b *Builder, n *Node, dy *Value) []*Value {
	gone, err := reducedAxes(n)
	if err != nil {
		return b.failed(err, n)
	}
	count := Static(1)
	for i, d := range n.Inputs[0].Shape {
		if gone[i] {
			count = count.Mul(d)
		}
	}
	size := b.Reshape(b.Op("Cast", Attrs{"to": int64(Float32)}, b.dim(count)), Shape{})
	return gradReduceSum(b, n, b.Div(dy, size))
}

// y = √Σ x² over axes: dx = dy·x/y, and 0 where y = 0 as PyTorch has it.
func gradReduceL2(b *Builder, n *Node, dy *Value) []*Value {
	gone, err := reducedAxes(n)
	if err != nil {
		return b.failed(err, n)
	}
	x, y := n.Inputs[0], n.Outputs[0]
	slope := b.Op("Where", nil, b.Op("Equal", nil, y, b.Scalar(0)), b.Scalar(0), b.Div(dy, y))
	return []*Value{b.Mul(x, b.Reshape(slope, keptShape(x.Shape, gone))), nil}[:len(n.Inputs)]
}

// y = running sum of x along axis: dx = running sum of dy from the other end.
func gradCumSum(b *Builder, n *Node, dy *Value) []*Value {
	attrs := Attrs{"exclusive": n.Attrs.Int("exclusive", 0), "reverse": 1 - n.Attrs.Int("reverse", 0)}
	return []*Value{b.Op("CumSum", attrs, dy, n.Inputs[1]), nil}
}
