package graphtest

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func layoutCases() []Case {
	var out []Case
	add := func(op, name string, build func(c *Graph) *graphs.Value) {
		out = append(out, Case{op, name, build})
	}
	twice := func(d graphs.Dim) graphs.Dim { return graphs.Static(2).Mul(d) }
	to := func(s ...graphs.Dim) graphs.Attrs { return graphs.Attrs{"to": graphs.Shape(s)} }

	add("Concat", "channels", func(c *Graph) *graphs.Value {
		return c.Concat(-1, c.x(dimB, dimT, dim(3)), c.x(dimB, dimT, dim(1)), c.x(dimB, dimT, dim(2)))
	})
	add("Concat", "batches", func(c *Graph) *graphs.Value {
		return c.Concat(0, c.x(dimB, dim(3)), c.x(twice(dimB), dim(3)), c.x(dimB, dim(3)))
	})
	add("Concat", "tokens", func(c *Graph) *graphs.Value {
		return c.Concat(1, c.x(dimB, dimT), c.x(dimB, twice(dimT)))
	})
	add("Concat", "flattened rows", func(c *Graph) *graphs.Value {
		rows := dimB.Mul(dimT)
		c.sizes()
		return c.Concat(0, c.x(rows, dim(2)), c.x(rows, dim(2)))
	})
	add("Concat", "with itself", func(c *Graph) *graphs.Value {
		x := c.x(dimB, dimT)
		return c.Concat(0, x, x)
	})
	add("Concat", "one", func(c *Graph) *graphs.Value { return c.Concat(0, c.x(dimB, dimT)) })

	for _, s := range []struct{ from, to graphs.Shape }{
		{graphs.Shape{dim(1), dimT, dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
		{graphs.Shape{dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
		{graphs.Shape{}, graphs.Shape{dimB}},
		{graphs.Shape{dimB, dimT}, graphs.Shape{dimB, dimT}},
		{graphs.Shape{dimB, dim(1), dim(3)}, graphs.Shape{dimT, dim(1)}},
		{graphs.Shape{dimB, dim(1)}, graphs.Shape{twice(dimT)}},
	} {
		add("Expand", fmt.Sprint(s.from, s.to), func(c *Graph) *graphs.Value {
			c.sizes()
			return c.Op("Expand", to(s.to...), c.x(s.from...), c.ShapeOf(s.to))
		})
	}

	rows := dimB.Mul(dimT)
	for _, s := range []struct{ from, to graphs.Shape }{
		{graphs.Shape{dimB, dimT, dim(6)}, graphs.Shape{rows, dim(6)}},
		{graphs.Shape{dimB, dimT, dim(6)}, graphs.Shape{dimB, dimT, dim(2), dim(3)}},
		{graphs.Shape{rows, dim(6)}, graphs.Shape{dimB, dimT, dim(2), dim(3)}},
		{graphs.Shape{dimB, dim(2), dimT, dim(3)}, graphs.Shape{twice(dimB), dimT, dim(3)}},
		{graphs.Shape{dimB, dimT}, graphs.Shape{dimT, dimB}},
		{graphs.Shape{dim(6)}, graphs.Shape{dim(2), dim(3)}},
		{graphs.Shape{dim(1)}, graphs.Shape{}},
		{graphs.Shape{}, graphs.Shape{dim(1), dim(1)}},
	} {
		add("Reshape", fmt.Sprint(s.from, s.to), func(c *Graph) *graphs.Value {
			c.sizes()
			return c.Reshape(c.x(s.from...), s.to)
		})
	}

	for _, perm := range [][]int64{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		add("Transpose", fmt.Sprint(perm), func(c *Graph) *graphs.Value {
			return c.Transpose(c.x(dimB, dimT, dim(3)), perm...)
		})
		add("Transpose", fmt.Sprint("merged with another, ", perm), func(c *Graph) *graphs.Value {
			x := c.x(dimB, dimT, dim(3))
			y := c.Transpose(c.Transpose(x, 2, 0, 1), perm...) // cancels for 1 2 0
			return c.Add(c.Sum(c.Mul(y, y), false, 0, 1, 2), c.Transpose(x, 2, 1, 0))
		})
	}

	add("Transpose", "of a transpose", func(c *Graph) *graphs.Value {
		perm := graphs.Attrs{"perm": []int64{1, 2, 0}}
		return c.Op("Transpose", perm, c.Op("Transpose", perm, c.x(dimB, dimT, dim(3))))
	})

	add("Squeeze", "one axis", func(c *Graph) *graphs.Value { return c.Squeeze(c.x(dimB, dim(1), dimT), 1) })
	add("Squeeze", "two axes", func(c *Graph) *graphs.Value { return c.Squeeze(c.x(dim(1), dimB, dimT, dim(1)), -1, 0) })
	add("Unsqueeze", "one axis", func(c *Graph) *graphs.Value { return c.Unsqueeze(c.x(dimB, dimT), 1) })
	add("Squeeze", "every axis of 1", func(c *Graph) *graphs.Value { return c.Squeeze(c.x(dim(1), dimB, dimT, dim(1))) })
	add("Unsqueeze", "two axes", func(c *Graph) *graphs.Value { return c.Unsqueeze(c.x(dimB, dimT), -1, 0) })

	for _, times := range [][]int64{{1, 1}, {2, 1}, {1, 3}, {3, 2}} {
		add("Tile", fmt.Sprint(times), func(c *Graph) *graphs.Value { return c.Op("Tile", nil, c.x(dimB, dim(3)), c.Ints(times...)) })
	}
	add("Tile", "T times", func(c *Graph) *graphs.Value {
		c.sizes()
		return c.Op("Tile", to(twice(dimB).Mul(dimT), dim(3)), c.x(twice(dimB), dim(3)), c.Concat(0, c.ShapeOf(graphs.Shape{dimT}), c.Ints(1)))
	})
	add("Tile", "integers", func(c *Graph) *graphs.Value {
		return c.number(c.Op("Tile", nil, c.index(few, dimB, dimT), c.Ints(1, 2)))
	})
	for _, upper := range []int64{0, 1} {
		for _, k := range []float64{-1, 0, 2} {
			add("Trilu", fmt.Sprint("upper ", upper, ", diagonal ", k), func(c *Graph) *graphs.Value {
				return c.Op("Trilu", graphs.Attrs{"upper": upper}, c.x(dimB, dimT, dim(3)), c.scalar(k))
			})
		}
	}
	add("Trilu", "default", func(c *Graph) *graphs.Value { return c.Op("Trilu", nil, c.x(dim(3), dim(3))) })
	add("Trilu", "of bools", func(c *Graph) *graphs.Value { return c.number(c.Op("Trilu", nil, c.truth(dimT, dimT))) })

	add("Range", "literals", func(c *Graph) *graphs.Value {
		return c.Mul(c.x(dimB, dim(3)), c.number(c.Op("Range", nil, c.scalar(7), c.scalar(1), c.scalar(-2))))
	})
	add("Range", "of T", func(c *Graph) *graphs.Value {
		x := c.x(dimB, dimT)
		limit := c.Reshape(c.ShapeOf(graphs.Shape{dimT}), graphs.Shape{})
		return c.Mul(x, c.number(c.Op("Range", to(dimT), c.scalar(0), limit, c.scalar(1))))
	})
	add("Range", "of floats", func(c *Graph) *graphs.Value {
		return c.Mul(c.x(dimB, dim(4)), c.Op("Range", nil, c.Scalar(0), c.Scalar(2), c.Scalar(0.5)))
	})
	add("Shape", "sizes as factors", func(c *Graph) *graphs.Value {
		x := c.x(dimB, dimT, dim(3))
		return c.Mul(x, c.number(c.Op("Shape", nil, x)))
	})
	add("ConstantOfShape", "zeros", func(c *Graph) *graphs.Value {
		x := c.x(dimB, dimT)
		return c.Add(x, c.Op("ConstantOfShape", to(dimB, dimT), c.ShapeOf(x.Shape)))
	})
	return out
}
