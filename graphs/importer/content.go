package importer

import (
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// content is a tensor whose elements are known at import in terms of B and T: sizes, indices, masks of nothing. Along
// some dimensions its elements are listed; along the others an element is an affine function of the index, which is
// how arange(T) of unknown length is known:
//
//	x[i₀, i₁, …] = elems[listed i] .start + Σ_k .step[k]·i_k
type content struct {
	shape  graphs.Shape
	listed []bool   // by dimension; a listed dimension is static
	elems  []affine // over the listed dimensions, row-major
}

// affine is start + Σ_k step[k]·i_k; a step is nil along listed dimensions.
type affine struct {
	start poly
	step  []poly
}

// maxListed bounds the elements of a content; tensors with more are left to run time.
const maxListed = 1024

// tabulate makes a content of a shape, calling at for every listed position (0 along the other dimensions). It
// returns nil where an element is unknown or there are too many.
func tabulate(shape graphs.Shape, listed []bool, at func(i []int) (affine, bool)) *content {
	n := 1
	for k, d := range shape {
		if !listed[k] {
			continue
		}
		if !d.IsStatic() || d.Coef < 0 || d.Coef > maxListed {
			return nil
		}
		if n *= d.Coef; n > maxListed {
			return nil
		}
	}
	c := &content{shape, listed, make([]affine, 0, n)}
	index := make([]int, len(shape))
	for range n {
		e, ok := at(index)
		if !ok || !e.start.sane() {
			return nil
		}
		for k, s := range e.step {
			if !s.sane() || len(s) > 0 && listed[k] {
				return nil
			}
		}
		c.elems = append(c.elems, e)
		for k := len(shape) - 1; k >= 0; k-- {
			if !listed[k] {
				continue
			}
			if index[k]++; index[k] < shape[k].Coef {
				break
			}
			index[k] = 0
		}
	}
	return c
}

// vector is a listed one-dimensional content.
func vector(x ...poly) *content {
	return tabulate(graphs.Shape{graphs.Static(len(x))}, []bool{true}, func(i []int) (affine, bool) {
		return affine{x[i[0]], make([]poly, 1)}, true
	})
}

// uniform is one value everywhere.
func uniform(shape graphs.Shape, x poly) *content {
	return tabulate(shape, make([]bool, len(shape)), func([]int) (affine, bool) {
		return affine{x, make([]poly, len(shape))}, true
	})
}

// ramp is start, start + step, … along the last of the dimensions.
func ramp(shape graphs.Shape, start, step poly) *content {
	return tabulate(shape, make([]bool, len(shape)), func([]int) (affine, bool) {
		steps := make([]poly, len(shape))
		steps[len(shape)-1] = step
		return affine{start, steps}, true
	})
}

// at is the element at a position: along listed dimensions that one, along others affine unless fixed, in which case
// the index is put in.
func (c *content) at(i []int, fixed []bool) affine {
	flat := 0
	for k, d := range c.shape {
		if c.listed[k] {
			flat = flat*d.Coef + i[k]
		}
	}
	e := c.elems[flat]
	out := affine{e.start, make([]poly, len(c.shape))}
	for k, s := range e.step {
		if fixed != nil && fixed[k] {
			out.start = out.start.plus(s.times(number(float64(i[k]))))
		} else {
			out.step[k] = s
		}
	}
	return out
}

// uniformly returns the one value that all elements have.
func (c *content) uniformly() (poly, bool) {
	for _, e := range c.elems {
		if !e.start.equal(c.elems[0].start) || slices.ContainsFunc(e.step, func(s poly) bool { return len(s) > 0 }) {
			return nil, false
		}
	}
	if len(c.elems) == 0 {
		return nil, false
	}
	return c.elems[0].start, true
}

// list returns the elements in order where none depends on an index that is not listed.
func (c *content) list() ([]poly, bool) {
	all := make([]bool, len(c.shape))
	for k := range all {
		all[k] = true
	}
	full := tabulate(c.shape, all, func(i []int) (affine, bool) { return c.at(i, all), true })
	if full == nil {
		return nil, false
	}
	out := make([]poly, len(full.elems))
	for i, e := range full.elems {
		out[i] = e.start
	}
	return out, true
}

// once is c with one element along the dimensions that its elements do not depend on.
func (c *content) once() *content {
	shape := slices.Clone(c.shape)
	for k := range shape {
		if !c.listed[k] && !slices.ContainsFunc(c.elems, func(e affine) bool { return len(e.step[k]) > 0 }) {
			shape[k] = graphs.Static(1)
		}
	}
	return &content{shape, c.listed, c.elems}
}

// constants returns the elements in order where they are numbers.
func (c *content) constants() ([]float64, bool) {
	list, ok := c.list()
	out := make([]float64, len(list))
	for i, p := range list {
		v, isNumber := p.constant()
		out[i], ok = v, ok && isNumber
	}
	return out, ok
}

// asShape reads a one-dimensional content as sizes.
func (c *content) asShape() (graphs.Shape, bool) {
	list, ok := c.list()
	if !ok || len(c.shape) > 1 {
		return nil, false
	}
	out := make(graphs.Shape, len(list))
	for i, p := range list {
		d, isDim := p.dim()
		out[i], ok = d, ok && isDim
	}
	return out, ok
}

// literal makes a content of numbers: listed, or for a long arithmetic sequence along the last dimension a ramp.
func literal(shape graphs.Shape, data []float64) *content {
	if n := len(data); n > 0 && n == shape.Product().Coef && len(shape) > 0 && n == shape[len(shape)-1].Coef && n > 2 {
		step := data[1] - data[0]
		for i := range data {
			if data[i] != data[0]+step*float64(i) {
				step = 0
				break
			}
		}
		if step != 0 {
			return ramp(shape, number(data[0]), number(step))
		}
	}
	if len(data) > 0 && !slices.ContainsFunc(data, func(x float64) bool { return x != data[0] }) {
		return uniform(shape, number(data[0]))
	}
	all := make([]bool, len(shape))
	for k := range all {
		all[k] = true
	}
	next := 0
	return tabulate(shape, all, func([]int) (affine, bool) {
		next++
		return affine{number(data[next-1]), make([]poly, len(shape))}, true
	})
}
