package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// concat joins its operands along axis.
func concat(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	axis, err := axisOf(n.Attrs.Int("axis", 0), len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	shape := append([]int{}, in[0].Shape...)
	for _, x := range in[1:] {
		shape[axis] += x.Shape[axis]
	}
	y := zeros(shape)
	begin := 0
	for _, x := range in {
		for i, d := range x.Shape {
			if i != axis && d != shape[i] {
				return nil, fmt.Errorf("dimension %d is %d in one operand and %d in another", i, shape[i], d)
			}
		}
		place(&y, x, axis, begin)
		begin += x.Shape[axis]
	}
	return one(y)
}

// place copies x into y where along axis it begins at begin.
func place(y, x *Tensor, axis, begin int) {
	k := 0
	to := make([]int, len(y.Shape))
	each(x.Shape, func(index []int) {
		copy(to, index)
		to[axis] += begin
		y.Data[y.offset(to)] = x.Data[k]
		k++
	})
}

// expand stretches x to the broadcast of its shape and the given one.
func expand(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	shape, err := broadcast(x.Shape, integers(in[1]))
	if err != nil {
		return nil, err
	}
	y, k := zeros(shape), 0
	each(shape, func(index []int) {
		y.Data[k] = x.at(index)
		k++
	})
	return one(y)
}

// integers returns the elements of an int64 vector.
func integers(t *Tensor) []int {
	out := make([]int, len(t.Data))
	for i, v := range t.Data {
		out[i] = int(v)
	}
	return out
}

// reshape gives x the shape of the second operand, where 0 copies x's dimension and one −1 is inferred.
func reshape(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, target := in[0], integers(in[1])
	free := -1
	for i, d := range target {
		switch {
		case d == 0 && i < len(x.Shape):
			target[i] = x.Shape[i]
		case d == -1 && free < 0:
			free, target[i] = i, 1
		case d <= 0:
			return nil, fmt.Errorf("%v cannot be reshaped to %v", x.Shape, integers(in[1]))
		}
	}
	if rest := product(target); free >= 0 && rest > 0 {
		target[free] = len(x.Data) / rest
	}
	if product(target) != len(x.Data) {
		return nil, fmt.Errorf("%v cannot be reshaped to %v", x.Shape, integers(in[1]))
	}
	return one(Tensor{Shape: target, Data: x.Data})
}

// transpose is y[i[perm[0]], i[perm[1]], …] = x[i].
func transpose(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	y, err := permute(in[0], n.Attrs.Ints("perm"))
	return []Tensor{y}, err
}

func permute(x *Tensor, perm []int64) (Tensor, error) {
	if len(perm) != len(x.Shape) {
		return Tensor{}, fmt.Errorf("permutation %v does not fit shape %v", perm, x.Shape)
	}
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = x.Shape[p]
	}
	y, k := zeros(shape), 0
	to := make([]int, len(perm))
	each(x.Shape, func(index []int) {
		for i, p := range perm {
			to[i] = index[p]
		}
		y.Data[y.offset(to)] = x.Data[k]
		k++
	})
	return y, nil
}

// squeeze removes the dimensions of size 1 at axes.
func squeeze(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	gone, err := axesOf(in[1], len(x.Shape))
	if err != nil {
		return nil, err
	}
	shape := []int{}
	for i, d := range x.Shape {
		if !gone[i] {
			shape = append(shape, d)
		}
	}
	return one(Tensor{Shape: shape, Data: x.Data})
}

// unsqueeze inserts dimensions of size 1 so that they stand at axes of the result.
func unsqueeze(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	rank := len(x.Shape) + len(in[1].Data)
	fresh, err := axesOf(in[1], rank)
	if err != nil {
		return nil, err
	}
	if len(fresh) != len(in[1].Data) {
		return nil, fmt.Errorf("axes %v name a dimension twice", in[1].Data)
	}
	shape, next := []int{}, 0
	for i := range rank {
		if fresh[i] {
			shape = append(shape, 1)
			continue
		}
		shape = append(shape, x.Shape[next])
		next++
	}
	return one(Tensor{Shape: shape, Data: x.Data})
}

// tile is x repeated along each dimension, y[i] = x[i mod size].
func tile(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, times := in[0], integers(in[1])
	if len(times) != len(x.Shape) || len(times) > 0 && slices.Min(times) < 0 {
		return nil, fmt.Errorf("repeats %v of a tensor of %d dimensions", times, len(x.Shape))
	}
	shape := make([]int, len(times))
	for i, d := range x.Shape {
		shape[i] = d * times[i]
	}
	y, k := zeros(shape), 0
	from := make([]int, len(shape))
	each(shape, func(index []int) {
		for i, v := range index {
			from[i] = v % x.Shape[i]
		}
		y.Data[k] = x.at(from)
		k++
	})
	return one(y)
}

// trilu is x[…, i, j] where j − i ≥ k (upper, the default) or j − i ≤ k, and 0 elsewhere.
func trilu(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, diagonal := in[0], 0
	if len(in) > 1 && in[1] != nil {
		diagonal = integers(in[1])[0]
	}
	y, k := zeros(x.Shape), 0
	each(x.Shape, func(index []int) {
		above := index[len(index)-1] - index[len(index)-2] - diagonal
		if n.Attrs.Int("upper", 1) != 0 && above >= 0 || n.Attrs.Int("upper", 1) == 0 && above <= 0 {
			y.Data[k] = x.Data[k]
		}
		k++
	})
	return one(y)
}

// rangeOf is start, start + delta, … before limit.
func rangeOf(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	start, limit, delta := in[0].Data[0], in[1].Data[0], in[2].Data[0]
	count := math.Ceil((limit - start) / delta)
	if !(count >= 0 && count <= 1<<24) {
		return nil, fmt.Errorf("the range from %v to %v by %v has %v elements", start, limit, delta, count)
	}
	y := zeros([]int{int(count)})
	for i := range y.Data {
		y.Data[i] = start + float64(i)*delta
	}
	return one(y)
}
