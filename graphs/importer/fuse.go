package importer

import (
	"math"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Decomposed layers are recognised at their last operator and replaced by the one operator they are. What they were
// made of is then read by nobody and falls away.

// fused returns what the pattern that ends in y computes, or y.
func (im *importer) fused(y *graphs.Value) *graphs.Value {
	switch y.Producer.Op {
	case "Mul":
		if v := im.fusedGelu(y); v != nil {
			return v
		}
		if v := im.fusedNorm(y); v != nil {
			return v
		}
	case "Add":
		if v := im.fusedNormBias(y); v != nil {
			return v
		}
	}
	return y
}

// producedBy returns the node of that operator that computes v, or nil.
func producedBy(v *graphs.Value, op string) *graphs.Node {
	if v != nil && v.Kind == graphs.Result && v.Producer != nil && v.Producer.Op == op {
		return v.Producer
	}
	return nil
}

// scalar returns a literal of one element.
func scalar(v *graphs.Value) (float64, bool) {
	if v.Kind != graphs.Constant || len(v.Literal) != 1 {
		return 0, false
	}
	return v.Literal[0], true
}

func near(x, y float64) bool { return math.Abs(x-y) <= 1e-4*math.Abs(y) }

// withScalar splits a commutative operator with a literal operand near x into its other operand.
func withScalar(v *graphs.Value, op string, x float64) *graphs.Value {
	n := producedBy(v, op)
	if n == nil {
		return nil
	}
	for i, w := range n.Inputs {
		if c, ok := scalar(w); ok && near(c, x) {
			return n.Inputs[1-i]
		}
	}
	return nil
}

// fusedNorm recognises w·(x − mean x)/√(mean (x − mean x)² + ε).
func (im *importer) fusedNorm(y *graphs.Value) *graphs.Value {
	for i, w := range y.Producer.Inputs {
		if w.Kind != graphs.Parameter || len(w.Shape) != 1 {
			continue
		}
		x, epsilon, ok := standardised(y.Producer.Inputs[1-i])
		if ok && len(x.Shape) > 0 && x.Shape[len(x.Shape)-1] == w.Shape[0] {
			return im.normalised(x, w, nil, epsilon)
		}
	}
	return nil
}

// fusedNormBias recognises a LayerNormalization without bias and the bias added to it.
func (im *importer) fusedNormBias(y *graphs.Value) *graphs.Value {
	for i, bias := range y.Producer.Inputs {
		n := producedBy(y.Producer.Inputs[1-i], "LayerNormalization")
		if n != nil && len(n.Inputs) == 2 && bias.Kind == graphs.Parameter && bias.Shape.Equal(n.Inputs[1].Shape) {
			return im.normalised(n.Inputs[0], n.Inputs[1], bias, n.Attrs.Float("epsilon", 1e-5))
		}
	}
	return nil
}

// standardised recognises (x − mean x)/√(mean (x − mean x)² + ε) along the last dimension, as a quotient or as a
// product with the reciprocal.
func standardised(v *graphs.Value) (x *graphs.Value, epsilon float64, ok bool) {
	centred, root := v, (*graphs.Value)(nil)
	if n := producedBy(v, "Div"); n != nil {
		centred, root = n.Inputs[0], n.Inputs[1]
	} else if n := producedBy(v, "Mul"); n != nil {
		for i, w := range n.Inputs {
			if r := producedBy(w, "Reciprocal"); r != nil {
				centred, root = n.Inputs[1-i], r.Inputs[0]
			}
		}
	}
	sqrt := producedBy(root, "Sqrt")
	if sqrt == nil {
		return nil, 0, false
	}
	sum := producedBy(sqrt.Inputs[0], "Add")
	if sum == nil {
		return nil, 0, false
	}
	for i, w := range sum.Inputs {
		epsilon, isNumber := scalar(w)
		variance := meanOf(sum.Inputs[1-i])
		if !isNumber || variance == nil {
			continue
		}
		square := producedBy(variance, "Mul")
		if square == nil || square.Inputs[0] != square.Inputs[1] {
			continue
		}
		x := centredOf(centred)
		if x != nil && x == centredOf(square.Inputs[0]) {
			return x, epsilon, true
		}
	}
	return nil, 0, false
}

// meanOf returns x of mean x along the last dimension, kept.
func meanOf(v *graphs.Value) *graphs.Value {
	n := producedBy(v, "ReduceMean")
	if n == nil || n.Attrs.Int("keepdims", 1) != 1 {
		return nil
	}
	x := n.Inputs[0]
	k, ok := scalar(n.Inputs[1])
	if !ok || int(k) != len(x.Shape)-1 {
		return nil
	}
	return x
}

// centredOf returns x of x − mean x.
func centredOf(v *graphs.Value) *graphs.Value {
	n := producedBy(v, "Sub")
	if n == nil || meanOf(n.Inputs[1]) != n.Inputs[0] {
		return nil
	}
	return n.Inputs[0]
}

// fusedGelu recognises ½·x·g for a gate g = 1 + erf(x/√2) or 1 + tanh(√(2/π)·(x + 0.044715·x³)), multiplied in any
// order.
func (im *importer) fusedGelu(y *graphs.Value) *graphs.Value {
	try := func(x, gate *graphs.Value) *graphs.Value {
		if of, attrs := gateOf(gate); of != nil && of == x {
			return im.Op("Gelu", attrs, x)
		}
		return nil
	}
	if product := producedBy(half(y), "Mul"); product != nil { // (x·g)·½
		for i, gate := range product.Inputs {
			if v := try(product.Inputs[1-i], gate); v != nil {
				return v
			}
		}
	}
	for i, v := range y.Producer.Inputs {
		other := y.Producer.Inputs[1-i]
		if x := half(v); x != nil { // (x·½)·g
			if v := try(x, other); v != nil {
				return v
			}
		}
		if gate := half(v); gate != nil { // x·(g·½)
			if v := try(other, gate); v != nil {
				return v
			}
		}
	}
	return nil
}

// half returns x of ½·x.
func half(v *graphs.Value) *graphs.Value { return withScalar(v, "Mul", 0.5) }

// gateOf returns x of 1 + erf(x/√2) or of 1 + tanh(√(2/π)·(x + 0.044715·x³)), and Gelu's attributes.
func gateOf(v *graphs.Value) (*graphs.Value, graphs.Attrs) {
	inner := withScalar(v, "Add", 1)
	if erf := producedBy(inner, "Erf"); erf != nil {
		if x := withScalar(erf.Inputs[0], "Mul", math.Sqrt2/2); x != nil {
			return x, nil
		}
		if n := producedBy(erf.Inputs[0], "Div"); n != nil {
			if c, ok := scalar(n.Inputs[1]); ok && near(c, math.Sqrt2) {
				return n.Inputs[0], nil
			}
		}
	}
	if tanh := producedBy(inner, "Tanh"); tanh != nil {
		sum := producedBy(withScalar(tanh.Inputs[0], "Mul", math.Sqrt(2/math.Pi)), "Add")
		if sum == nil {
			return nil, nil
		}
		for i, x := range sum.Inputs {
			if cubeOf(withScalar(sum.Inputs[1-i], "Mul", 0.044715)) == x {
				return x, graphs.Attrs{"approximate": "tanh"}
			}
		}
	}
	return nil, nil
}

// cubeOf returns x of x·x·x.
func cubeOf(v *graphs.Value) *graphs.Value {
	n := producedBy(v, "Mul")
	if n == nil {
		return nil
	}
	for i, x := range n.Inputs {
		if square := producedBy(n.Inputs[1-i], "Mul"); square != nil && square.Inputs[0] == x && square.Inputs[1] == x {
			return x
		}
	}
	return nil
}
