package eval

import (
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// slice is x[starts:ends:steps] along axes; a negative bound counts from the end, one outside is moved to the border.
func slice(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	if len(in[1].Data) != len(in[3].Data) || len(in[2].Data) != len(in[3].Data) {
		return nil, fmt.Errorf("starts, ends and axes of one length are wanted")
	}
	begin, step, shape := make([]int, len(x.Shape)), make([]int, len(x.Shape)), append([]int{}, x.Shape...)
	for i := range step {
		step[i] = 1
	}
	for i, a := range in[3].Data {
		axis, err := axisOf(int64(a), len(x.Shape))
		if err != nil {
			return nil, err
		}
		size := float64(x.Shape[axis])
		low, high := 0.0, size
		if len(in) > 4 && in[4] != nil {
			step[axis] = int(in[4].Data[i])
		}
		if step[axis] < 0 {
			low, high = -1, size-1
		}
		bound := func(v float64) int {
			if v < 0 {
				v += size
			}
			return int(min(max(v, low), high))
		}
		begin[axis] = bound(in[1].Data[i])
		shape[axis] = 0
		for k, end := begin[axis], bound(in[2].Data[i]); step[axis] > 0 && k < end || step[axis] < 0 && k > end; k += step[axis] {
			shape[axis]++
		}
	}
	y, k := zeros(shape), 0
	from := make([]int, len(shape))
	each(shape, func(index []int) {
		for i := range index {
			from[i] = begin[i] + index[i]*step[i]
		}
		y.Data[k] = x.at(from)
		k++
	})
	return one(y)
}

// split cuts x along axis into parts of the given sizes, or into as many equal ones as there are outputs.
func split(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	axis, err := axisOf(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return nil, err
	}
	var sizes []int
	if len(in) > 1 && in[1] != nil {
		sizes = integers(in[1])
	} else {
		for range n.Outputs {
			sizes = append(sizes, x.Shape[axis]/len(n.Outputs))
		}
	}
	total := 0
	for _, s := range sizes {
		total += s
	}
	if len(sizes) != len(n.Outputs) || slices.Min(sizes) < 0 || total != x.Shape[axis] {
		return nil, fmt.Errorf("%d elements do not split into the sizes %v of %d outputs", x.Shape[axis], sizes, len(n.Outputs))
	}
	var out []Tensor
	begin := 0
	for _, size := range sizes {
		shape := append([]int{}, x.Shape...)
		shape[axis] = size
		y, k := zeros(shape), 0
		from := make([]int, len(shape))
		each(shape, func(index []int) {
			copy(from, index)
			from[axis] += begin
			y.Data[k] = x.Data[x.offset(from)]
			k++
		})
		out, begin = append(out, y), begin+size
	}
	return out, nil
}

// pad surrounds x with a value, 0 where it is absent: pads holds how many before each dimension, then how many after.
func pad(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, pads := in[0], integers(in[1])
	rank := len(x.Shape)
	if len(pads) != 2*rank || len(pads) > 0 && slices.Min(pads) < 0 {
		return nil, fmt.Errorf("pads %v of a tensor of %d dimensions", pads, rank)
	}
	shape := make([]int, rank)
	for i, d := range x.Shape {
		shape[i] = pads[i] + d + pads[rank+i]
	}
	y, k := zeros(shape), 0
	if len(in) > 2 && in[2] != nil {
		for i := range y.Data {
			y.Data[i] = in[2].Data[0]
		}
	}
	to := make([]int, rank)
	each(x.Shape, func(index []int) {
		for i := range index {
			to[i] = index[i] + pads[i]
		}
		y.Data[y.offset(to)] = x.Data[k]
		k++
	})
	return one(y)
}

// relativeShift is y[i…, j, k] = x[i…, j, k − j + T − 1], x [..., T, 2T] or [..., 1, 2T], y with T columns.
func relativeShift(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	last := len(x.Shape) - 1
	tokens := x.Shape[last] / 2
	y, k := zeros(append(slices.Clone(x.Shape[:last]), tokens)), 0
	each(y.Shape, func(index []int) {
		index = slices.Clone(index)
		index[last] += tokens - 1 - index[last-1]
		y.Data[k] = x.at(index)
		k++
	})
	return one(y)
}
