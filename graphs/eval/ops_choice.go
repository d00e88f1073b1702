package eval

import (
	"math"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// compare is y[i] = 1 where f(a[i], b[i]) holds, else 0, with broadcasting.
func compare(f func(a, b float64) bool) function {
	return binary(func(a, b float64) float64 { return indicator(f(a, b)) })
}

// where is y[i] = a[i] where c[i], else b[i], with broadcasting.
func where(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	c, a, b := in[0], in[1], in[2]
	shape, err := broadcast(a.Shape, b.Shape)
	if err != nil {
		return nil, err
	}
	if shape, err = broadcast(c.Shape, shape); err != nil {
		return nil, err
	}
	y, k := zeros(shape), 0
	each(shape, func(i []int) {
		if y.Data[k] = b.at(i); c.at(i) != 0 {
			y.Data[k] = a.at(i)
		}
		k++
	})
	return one(y)
}

// clip is y[i] = min(max(x[i], low), high), an absent bound being no bound.
func clip(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	low, high := math.Inf(-1), math.Inf(1)
	if len(in) > 1 && in[1] != nil {
		low = in[1].Data[0]
	}
	if len(in) > 2 && in[2] != nil {
		high = in[2].Data[0]
	}
	return unary(func(x float64) float64 { return min(max(x, low), high) })(n, in)
}

// extremum is the fold of f over the operands with broadcasting.
func extremum(f func(a, b float64) float64) function {
	return func(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
		y := *in[0]
		for _, x := range in[1:] {
			out, err := binary(f)(n, []*Tensor{&y, x})
			if err != nil {
				return nil, err
			}
			y = out[0]
		}
		return one(y)
	}
}
