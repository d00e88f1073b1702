package eval

import (
	"fmt"
	"math"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// fold is y = f(… f(f(first, x₀), x₁) …) over the elements along axes; no axes are all axes, or none with
// noop_with_empty_axes.
func fold(first float64, f func(a, b float64) float64) function {
	return func(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
		x, gone := in[0], map[int]bool{}
		if len(in) > 1 && in[1] != nil {
			var err error
			if gone, err = axesOf(in[1], len(x.Shape)); err != nil {
				return nil, err
			}
		}
		all := len(gone) == 0 && n.Attrs.Int("noop_with_empty_axes", 0) == 0
		var kept, short []int // with the reduced dimensions as 1, and without them
		for i, d := range x.Shape {
			if gone[i] || all {
				kept = append(kept, 1)
				continue
			}
			kept, short = append(kept, d), append(short, d)
		}
		y, k := zeros(kept), 0
		for i := range y.Data {
			y.Data[i] = first
		}
		each(x.Shape, func(index []int) {
			at := y.offset(index) // a reduced dimension has size 1 and is written at 0
			y.Data[at] = f(y.Data[at], x.Data[k])
			k++
		})
		if n.Attrs.Int("keepdims", 1) == 0 {
			y.Shape = append([]int{}, short...)
		}
		return one(y)
	}
}

// reduceSum is Σ x over axes.
func reduceSum(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	return fold(0, func(a, b float64) float64 { return a + b })(n, in)
}

// reduceMean is reduceSum over the number of summed elements.
func reduceMean(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	out, err := reduceSum(n, in)
	if err != nil {
		return nil, err
	}
	count := float64(len(in[0].Data)) / float64(len(out[0].Data))
	return unary(func(x float64) float64 { return x / count })(n, []*Tensor{&out[0]})
}

// reduceL2 is √Σ x² over axes.
func reduceL2(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	out, err := fold(0, func(a, b float64) float64 { return a + b*b })(n, in)
	if err != nil {
		return nil, err
	}
	return unary(math.Sqrt)(n, []*Tensor{&out[0]})
}

// cumSum is y[i] = Σ x[j] over j ≤ i along axis, with exclusive over j < i, with reverse from the other end.
func cumSum(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	if len(in[1].Data) != 1 {
		return nil, fmt.Errorf("%d axes are given, not 1", len(in[1].Data))
	}
	axis, err := axisOf(int64(in[1].Data[0]), len(x.Shape))
	if err != nil {
		return nil, err
	}
	y := zeros(x.Shape)
	for _, l := range lanes(x.Shape, axis) {
		values, sum := l.of(x.Data), 0.0
		for k := range values {
			i := k
			if n.Attrs.Int("reverse", 0) != 0 {
				i = len(values) - 1 - k
			}
			v := values[i]
			if n.Attrs.Int("exclusive", 0) != 0 {
				values[i] = sum
			} else {
				values[i] = sum + v
			}
			sum += v
		}
		l.put(y.Data, values)
	}
	return one(y)
}
