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
	last, reduction := len(indices.Shape)-1, n.Attrs["reduction"]
	depth := indices.Shape[last]
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

// gatherND is y[b…, i…, k…] = x[b…, index[b…, i…], k…], the last dimension of index holding a place along the
// dimensions of x that follow the batch_dims leading ones b.
func gatherND(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, index := in[0], in[1]
	batch, last := int(n.Attrs.Int("batch_dims", 0)), len(index.Shape)-1
	depth := index.Shape[last]
	y := zeros(slices.Concat(index.Shape[:last], x.Shape[batch+depth:]))
	places, examples := product(index.Shape[:last]), product(x.Shape[:batch])
	block := product(x.Shape[batch+depth:])
	for i := range places {
		at := i / (places / examples)
		for k, v := range index.Data[i*depth:][:depth] {
			j, err := element(v, x.Shape[batch+k])
			if err != nil {
				return nil, err
			}
			at = at*x.Shape[batch+k] + j
		}
		copy(y.Data[i*block:][:block], x.Data[at*block:])
	}
	return one(y)
}

// elementwise calls visit with each element of index and the place in data it names: its own position, except along
// axis, where it holds the coordinate.
func elementwise(n *graphs.Node, data, index *Tensor, visit func(k, place int)) error {
	axis, err := axisOf(n.Attrs.Int("axis", 0), len(data.Shape))
	if err != nil {
		return err
	}
	k := 0
	each(index.Shape, func(i []int) {
		to := slices.Clone(i)
		j, bad := element(index.Data[k], data.Shape[axis])
		to[axis] = j
		for a, v := range to {
			if bad == nil && v >= data.Shape[a] {
				bad = fmt.Errorf("indices of shape %v do not fit data of shape %v", index.Shape, data.Shape)
			}
		}
		if bad != nil {
			err = bad
		}
		if err == nil {
			visit(k, data.offset(to))
		}
		k++
	})
	return err
}

// gatherElements is y[i] = x[i with index[i] along axis].
func gatherElements(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, y := in[0], zeros(in[1].Shape)
	err := elementwise(n, x, in[1], func(k, place int) { y.Data[k] = x.Data[place] })
	return []Tensor{y}, err
}

// scatterElements is y = data, then y[i with index[i] along axis] += updates[i]. Without reduction = add the update
// replaces.
func scatterElements(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	data, updates := in[0], in[2]
	y := Tensor{Shape: data.Shape, Data: slices.Clone(data.Data)}
	err := elementwise(n, data, in[1], func(k, place int) {
		u := updates.Data[k]
		if n.Attrs["reduction"] == "add" {
			u += y.Data[place]
		}
		y.Data[place] = u
	})
	return []Tensor{y}, err
}
