package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// cast converts to the type that the node declares: to an integer by dropping the fraction, to bool by x ≠ 0.
// Floats stay float64.
func cast(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	to := n.Outputs[0].DType
	out, err := unary(func(x float64) float64 {
		switch to {
		case graphs.Bool:
			return indicator(x != 0)
		case graphs.Int64, graphs.Uint8:
			return math.Trunc(x)
		}
		return x
	})(n, in)
	if err != nil {
		return nil, err
	}
	for i, x := range out[0].Data {
		if !holds(to, x) {
			return nil, fmt.Errorf("element %d is %v, which is no %v", i, in[0].Data[i], to)
		}
	}
	return out, nil
}

// shape is the vector of x's sizes.
func shape(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	y := zeros([]int{len(in[0].Shape)})
	for i, d := range in[0].Shape {
		y.Data[i] = float64(d)
	}
	return one(y)
}

// constantOfShape is zeros of the shape that the operand holds.
func constantOfShape(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	sizes := integers(in[0])
	if len(sizes) > 0 && slices.Min(sizes) < 0 {
		return nil, fmt.Errorf("sizes %v are negative", sizes)
	}
	return one(zeros(sizes))
}

// dequantizeLinear is x·scale with one scale and no zero point.
func dequantizeLinear(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	if len(in) != 2 || len(in[1].Data) != 1 {
		return nil, fmt.Errorf("one scale and no zero point are wanted")
	}
	scale := in[1].Data[0]
	return unary(func(x float64) float64 { return x * scale })(nil, in)
}

// dropout is the marker of a site, which has no meaning until a mask is attached.
func dropout(_ *graphs.Node, _ []*Tensor) ([]Tensor, error) {
	return nil, fmt.Errorf("the marker of a dropout site cannot be evaluated: Model.Prepare replaces it by a mask or removes it")
}
