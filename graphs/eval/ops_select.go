package eval

import (
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// gather is y[i…, j…, k…] = x[i…, index[j…], k…], the index at axis; a negative index counts from the end.
func gather(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, index := in[0], in[1]
	axis, err := axisOf(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return nil, err
	}
	size := x.Shape[axis]
	before, after := product(x.Shape[:axis]), product(x.Shape[axis+1:])
	y := zeros(slices.Concat(x.Shape[:axis], index.Shape, x.Shape[axis+1:]))
	k := 0
	for i := range before {
		for _, v := range index.Data {
			j, err := element(v, size)
			if err != nil {
				return nil, err
			}
			k += copy(y.Data[k:], x.Data[(i*size+j)*after:][:after])
		}
	}
	return one(y)
}

// element turns a possibly negative index into a place among size.
func element(v float64, size int) (int, error) {
	j := int(v)
	if j < 0 {
		j += size
	}
	if j < 0 || j >= size {
		return 0, fmt.Errorf("index %v is outside a dimension of %d", v, size)
	}
	return j, nil
}

// scatterND is y = data, then y[indices[i…]] += updates[i…] for every i…, the last dimension of indices
// holding a place along data's first dimensions. Without reduction = add the update replaces.
func scatterND(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	data, indices, updates := in[0], in[1], in[2]
	last := len(indices.Shape) - 1
	if last < 0 || indices.Shape[last] > len(data.Shape) {
		return nil, fmt.Errorf("indices of shape %v do not fit data of shape %v", indices.Shape, data.Shape)
	}
	depth := indices.Shape[last]
	if want := slices.Concat(indices.Shape[:last], data.Shape[depth:]); !slices.Equal(updates.Shape, want) {
		return nil, fmt.Errorf("updates have shape %v, not %v", updates.Shape, want)
	}
	reduction := n.Attrs["reduction"]
	if reduction != nil && reduction != "none" && reduction != "add" {
		return nil, fmt.Errorf("reduction is %v; none and add are supported", reduction)
	}
	y := Tensor{Shape: data.Shape, Data: slices.Clone(data.Data)}
	block := product(data.Shape[depth:])
	for i := range product(indices.Shape[:last]) {
		at := 0
		for k, v := range indices.Data[i*depth:][:depth] {
			j, err := element(v, data.Shape[k])
			if err != nil {
				return nil, err
			}
			at = at*data.Shape[k] + j
		}
		for k, u := range updates.Data[i*block:][:block] {
			if reduction == "add" {
				u += y.Data[at*block+k]
			}
			y.Data[at*block+k] = u
		}
	}
	return one(y)
}

// slice is x[starts:ends] along axes with step 1; a negative bound counts from the end, one outside is moved
// to the border.
func slice(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	if len(in) != 4 || len(in[1].Data) != len(in[3].Data) || len(in[2].Data) != len(in[3].Data) {
		return nil, fmt.Errorf("starts, ends and axes of one length are wanted")
	}
	begin, shape := make([]int, len(x.Shape)), append([]int{}, x.Shape...)
	for i, a := range in[3].Data {
		axis, err := axisOf(int64(a), len(x.Shape))
		if err != nil {
			return nil, err
		}
		size := x.Shape[axis]
		bound := func(v float64) int {
			if v < 0 {
				v += float64(size)
			}
			return int(min(max(v, 0), float64(size)))
		}
		begin[axis] = bound(in[1].Data[i])
		shape[axis] = max(0, bound(in[2].Data[i])-begin[axis])
	}
	y, k := zeros(shape), 0
	from := make([]int, len(shape))
	each(shape, func(index []int) {
		for i := range index {
			from[i] = index[i] + begin[i]
		}
		y.Data[k] = x.at(from)
		k++
	})
	return one(y)
}

// pad surrounds x with zeros: pads holds how many before each dimension, then how many after.
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
