package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// unary is y[i] = f(x[i]).
func unary(f func(float64) float64) function {
	return func(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
		y := zeros(in[0].Shape)
		for i, x := range in[0].Data {
			y.Data[i] = f(x)
		}
		return one(y)
	}
}

// hardSigmoid is y[i] = min(1, max(0, α·x[i] + β)).
func hardSigmoid(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	alpha, beta := n.Attrs.Float("alpha", 0.2), n.Attrs.Float("beta", 0.5)
	return unary(func(x float64) float64 { return min(1, max(0, alpha*x+beta)) })(n, in)
}

// binary is y[i] = f(a[i], b[i]) with broadcasting.
func binary(f func(a, b float64) float64) function {
	return func(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
		a, b := in[0], in[1]
		shape, err := broadcast(a.Shape, b.Shape)
		if err != nil {
			return nil, err
		}
		y := zeros(shape)
		k := 0
		each(shape, func(i []int) {
			y.Data[k] = f(a.at(i), b.at(i))
			k++
		})
		return one(y)
	}
}

// broadcast is the shape of an element-wise operation: aligned at the last dimension, 1 stretches.
func broadcast(a, b []int) ([]int, error) {
	rank := max(len(a), len(b))
	size := func(s []int, i int) int {
		if i -= rank - len(s); i >= 0 {
			return s[i]
		}
		return 1
	}
	out := make([]int, rank)
	for i := range out {
		p, q := size(a, i), size(b, i)
		switch {
		case p == q || q == 1:
			out[i] = p
		case p == 1:
			out[i] = q
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// div is a/b; integers truncate towards zero.
func div(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	integers := n.Outputs[0].DType != graphs.Float32
	if integers && slices.Contains(in[1].Data, 0) {
		return nil, fmt.Errorf("an integer is divided by zero")
	}
	return binary(func(a, b float64) float64 {
		if integers {
			return math.Trunc(a / b)
		}
		return a / b
	})(n, in)
}

// mod is a − b·q: with fmod q = a/b rounded towards zero, the remainder having a's sign, else rounded down, the
// remainder having b's sign.
func mod(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	if n.Outputs[0].DType != graphs.Float32 && slices.Contains(in[1].Data, 0) {
		return nil, fmt.Errorf("an integer is divided by zero")
	}
	return binary(func(a, b float64) float64 {
		if n.Attrs.Int("fmod", 0) != 0 {
			return math.Mod(a, b)
		}
		return a - b*math.Floor(a/b)
	})(n, in)
}

// pow is aᵇ; an integer a has an integer power, fractions dropped.
func pow(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	return binary(func(a, b float64) float64 {
		if y := math.Pow(a, b); n.Outputs[0].DType == graphs.Float32 {
			return y
		} else {
			return math.Trunc(y)
		}
	})(n, in)
}

// gelu is x·Φ(x), Φ the standard normal distribution, or with approximate = tanh
// ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
func gelu(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	switch a := n.Attrs["approximate"]; a {
	case nil, "none":
		return unary(func(x float64) float64 { return x * 0.5 * (1 + math.Erf(x/math.Sqrt2)) })(n, in)
	case "tanh":
		return unary(func(x float64) float64 {
			return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		})(n, in)
	default:
		return nil, fmt.Errorf("approximate is %v; none and tanh exist", a)
	}
}
