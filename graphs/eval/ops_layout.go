package eval

import (
	"fmt"

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
