package graphs

import "math"

// Gradient rules of element-wise operators. dy has the shape of the output; a stretched operand receives
// the sum over what was stretched. Formulas: y = f(x), dx = dy·f′(x).

// y = a + b: da = dy, db = dy.
func gradAdd(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.sumTo(dy, n.Inputs[0].Shape), b.sumTo(dy, n.Inputs[1].Shape)}
}

// y = a − b: da = dy, db = −dy.
func gradSub(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.sumTo(dy, n.Inputs[0].Shape), b.Op("Neg", nil, b.sumTo(dy, n.Inputs[1].Shape))}
}

// y = a·b: da = dy·b, db = dy·a.
func gradMul(b *Builder, n *Node, dy *Value) []*Value {
	x, y := n.Inputs[0], n.Inputs[1]
	return []*Value{b.sumTo(b.Mul(dy, y), x.Shape), b.sumTo(b.Mul(dy, x), y.Shape)}
}

// y = a/b: da = dy/b, db = −dy·y/b.
func gradDiv(b *Builder, n *Node, dy *Value) []*Value {
	x, y := n.Inputs[0], n.Inputs[1]
	dx := b.Div(dy, y)
	return []*Value{b.sumTo(dx, x.Shape), b.Op("Neg", nil, b.sumTo(b.Mul(dx, n.Outputs[0]), y.Shape))}
}

// y = a mod b = a − b·q, q a whole number: da = dy, db = −dy·q, q = (a − y)/b.
func gradMod(b *Builder, n *Node, dy *Value) []*Value {
	x, y := n.Inputs[0], n.Inputs[1]
	q := b.Div(b.Sub(x, n.Outputs[0]), y)
	return []*Value{b.sumTo(dy, x.Shape), b.Op("Neg", nil, b.sumTo(b.Mul(dy, q), y.Shape))}
}

// y = xᵖ: dx = dy·p·xᵖ⁻¹, dp = dy·y·ln x, and 0 at x = 0 as PyTorch has it. The square, which decomposed
// normalisations hold, needs no power.
func gradPow(b *Builder, n *Node, dy *Value) []*Value {
	x, p := n.Inputs[0], n.Inputs[1]
	if p.Kind == Constant && len(p.Literal) == 1 && p.Literal[0] == 2 && len(p.Shape) <= len(x.Shape) {
		return []*Value{b.Mul(dy, b.Add(x, x)), nil}
	}
	exponent, less := p, (*Value)(nil)
	if p.DType == Float32 {
		less = b.Sub(p, b.Scalar(1))
	} else {
		exponent = b.Op("Cast", Attrs{"to": int64(Float32)}, p)
		less = b.Sub(p, b.Const(p.DType, []int{}, 1))
	}
	dx := b.sumTo(b.Mul(dy, b.Mul(exponent, b.Op("Pow", nil, x, less))), x.Shape)
	if p.DType != Float32 {
		return []*Value{dx, nil}
	}
	zero := b.Op("Equal", nil, x, b.Scalar(0))
	log := b.Op("Log", nil, b.Op("Where", nil, zero, b.Scalar(1), x))
	return []*Value{dx, b.sumTo(b.Mul(dy, b.Mul(n.Outputs[0], log)), p.Shape)}
}

// y = x: dx = dy. Also for Cast, since only one of the types that graphs have carries gradients.
func gradIdentity(_ *Builder, _ *Node, dy *Value) []*Value { return []*Value{dy} }

// y = −x: dx = −dy.
func gradNeg(b *Builder, _ *Node, dy *Value) []*Value {
	return []*Value{b.Op("Neg", nil, dy)}
}

// y = |x|: dx = dy·sign(x).
func gradAbs(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Mul(dy, b.Op("Sign", nil, n.Inputs[0]))}
}

// y = 1/x: dx = −dy·y².
func gradReciprocal(b *Builder, n *Node, dy *Value) []*Value {
	y := n.Outputs[0]
	return []*Value{b.Op("Neg", nil, b.Mul(dy, b.Mul(y, y)))}
}

// y = √x: dx = dy/(2y).
func gradSqrt(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Div(b.Scale(dy, 0.5), n.Outputs[0])}
}

// y = eˣ: dx = dy·y.
func gradExp(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Mul(dy, n.Outputs[0])}
}

// y = ln x: dx = dy/x.
func gradLog(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Div(dy, n.Inputs[0])}
}

// y = sin x: dx = dy·cos x.
func gradSin(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Mul(dy, b.Op("Cos", nil, n.Inputs[0]))}
}

// y = cos x: dx = −dy·sin x.
func gradCos(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Op("Neg", nil, b.Mul(dy, b.Op("Sin", nil, n.Inputs[0])))}
}

// y = erf x: dx = dy·(2/√π)·e^(−x²).
func gradErf(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	slope := b.Scale(b.Op("Exp", nil, b.Op("Neg", nil, b.Mul(x, x))), 2/math.SqrtPi)
	return []*Value{b.Mul(dy, slope)}
}

// y = tanh x: dx = dy·(1 − y²).
func gradTanh(b *Builder, n *Node, dy *Value) []*Value {
	y := n.Outputs[0]
	return []*Value{b.Mul(dy, b.Sub(b.Scalar(1), b.Mul(y, y)))}
}

// y = σ(x): dx = dy·y·(1 − y).
func gradSigmoid(b *Builder, n *Node, dy *Value) []*Value {
	y := n.Outputs[0]
	return []*Value{b.Mul(dy, b.Mul(y, b.Sub(b.Scalar(1), y)))}
}

// y = min(1, max(0, α·x + β)): dx = α·dy·[0 < y < 1]. sign(y·(1 − y)) is that indicator.
func gradHardSigmoid(b *Builder, n *Node, dy *Value) []*Value {
	y := n.Outputs[0]
	inside := b.Op("Sign", nil, b.Mul(y, b.Sub(b.Scalar(1), y)))
	return []*Value{b.Mul(dy, b.Scale(inside, n.Attrs.Float("alpha", 0.2)))}
}

// y = max(x, 0): dx = dy·[x > 0], with 0 at x = 0 as PyTorch has it. sign(y) is that indicator.
func gradRelu(b *Builder, n *Node, dy *Value) []*Value {
	return []*Value{b.Mul(dy, b.Op("Sign", nil, n.Outputs[0]))}
}

// y = x·Φ(x): dx = dy·(Φ(x) + x·φ(x)), Φ and φ the standard normal distribution and density.
// With u = x/√2 that is dy·(½ + ½·erf u + u·e^(−u²)/√π). Φ = ½ + ½·erf u lies within [0, 1], where HardSigmoid is the
// line αx + β: one pass over memory instead of two.
//
// With approximate = tanh, y = ½x(1 + tanh s), s = √(2/π)(x + 0.044715x³):
// dx = dy·½·(1 + t + x(1 − t²)·s′), t = tanh s, s′ = √(2/π)(1 + 3·0.044715x²).
//
// Source: Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv 1606.08415.
func gradGelu(b *Builder, n *Node, dy *Value) []*Value {
	x := n.Inputs[0]
	if n.Attrs["approximate"] == "tanh" {
		const c = 0.044715
		one := b.Scalar(1)
		root := math.Sqrt(2 / math.Pi)
		x2 := b.Mul(x, x)
		s := b.Scale(b.Mul(x, b.Add(b.Scale(x2, c), one)), root)
		t := b.Op("Tanh", nil, s)
		slope := b.Scale(b.Add(b.Scale(x2, 3*c), one), root)
		inner := b.Mul(b.Mul(x, b.Sub(one, b.Mul(t, t))), slope)
		return []*Value{b.Mul(dy, b.Scale(b.Add(b.Add(t, inner), one), 0.5))}
	}
	u := b.Scale(x, math.Sqrt2/2)
	density := b.Op("Exp", nil, b.Op("Neg", nil, b.Mul(u, u)))
	phi := b.Op("HardSigmoid", Attrs{"alpha": 0.5, "beta": 0.5}, b.Op("Erf", nil, u))
	return []*Value{b.Mul(b.Add(phi, b.Scale(b.Mul(u, density), 1/math.SqrtPi)), dy)}
}
