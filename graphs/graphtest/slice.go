package graphtest

import (
	"fmt"
	"math"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func sliceCases() []Case {
	var out []Case
	add := func(op, name string, build func(c *Graph) *graphs.Value) {
		out = append(out, Case{op, name, build})
	}
	twice := func(d graphs.Dim) graphs.Dim { return graphs.Static(2).Mul(d) }
	to := func(s ...graphs.Dim) graphs.Attrs { return graphs.Attrs{"to": graphs.Shape(s)} }

	add("Slice", "static", func(c *Graph) *graphs.Value {
		return c.Op("Slice", nil, c.x(dimB, dim(5), dim(4)), c.Ints(1, 0), c.Ints(4, 2), c.Ints(1, -1))
	})
	add("Slice", "whole", func(c *Graph) *graphs.Value {
		return c.Op("Slice", nil, c.x(dim(5)), c.Ints(0), c.Ints(5), c.Ints(0))
	})
	add("Slice", "first T positions", func(c *Graph) *graphs.Value {
		y := c.x(dimB, dimT, dim(3))
		return c.Add(y, c.Op("Slice", to(dimT, dim(3)), c.x(dim(9), dim(3)), c.Ints(0), c.ShapeOf(graphs.Shape{dimT}), c.Ints(0)))
	})
	add("Slice", "second T positions", func(c *Graph) *graphs.Value {
		y := c.x(dimB, dimT, dim(3))
		ends := c.ShapeOf(graphs.Shape{twice(dimT)})
		return c.Add(y, c.Op("Slice", to(dimT, dim(3)), c.x(dim(9), dim(3)), c.ShapeOf(graphs.Shape{dimT}), ends, c.Ints(-2)))
	})
	add("Slice", "clean half", func(c *Graph) *graphs.Value {
		c.sizes()
		return c.Op("Slice", to(dimB, dim(3)), c.x(twice(dimB), dim(3)), c.Ints(0), c.ShapeOf(graphs.Shape{dimB}), c.Ints(0))
	})
	add("Slice", "two axes at run time", func(c *Graph) *graphs.Value {
		c.sizes()
		both := graphs.Shape{dimB, dimT}
		return c.Op("Slice", to(dimB, dimT), c.x(twice(dimB), twice(dimT)), c.ShapeOf(both), c.ShapeOf(graphs.Shape{twice(dimB), twice(dimT)}), c.Ints(0, 1))
	})

	add("Pad", "literal", func(c *Graph) *graphs.Value {
		return c.Op("Pad", to(dimB, dim(6)), c.x(dimB, dim(3)), c.Ints(0, 1, 0, 2))
	})
	add("Pad", "nothing", func(c *Graph) *graphs.Value {
		return c.Op("Pad", to(dimB, dim(3)), c.x(dimB, dim(3)), c.Ints(0, 0, 0, 0))
	})
	add("Pad", "by T before", func(c *Graph) *graphs.Value {
		x := c.x(dimB, dimT)
		pads := c.Concat(0, c.Ints(0), c.ShapeOf(graphs.Shape{dimT}), c.Ints(0, 0))
		return c.Op("Pad", to(dimB, twice(dimT)), x, pads)
	})
	add("Pad", "by B after", func(c *Graph) *graphs.Value {
		x := c.x(dimB, dimT)
		pads := c.Concat(0, c.Ints(0, 0), c.ShapeOf(graphs.Shape{dimB}), c.Ints(0))
		return c.Op("Pad", to(twice(dimB), dimT), x, pads)
	})
	add("Pad", "static, with a value", func(c *Graph) *graphs.Value {
		return c.Op("Pad", nil, c.x(dimB, dim(3)), c.Ints(0, 1, 0, 2), c.Scalar(-2.5))
	})
	add("Pad", "of integers", func(c *Graph) *graphs.Value {
		return c.number(c.Op("Pad", graphs.Attrs{"mode": "constant"}, c.index(few, dimB, dim(3)), c.Ints(0, 1, 0, 0), c.scalar(1)))
	})

	for _, r := range []struct{ start, end, step int64 }{
		{0, 5, 2}, {1, 5, 2}, {1, 6, 3}, {-3, math.MaxInt64, 1}, {0, -1, 1}, {-99, 99, 1}, {4, 0, -1}, {-1, math.MinInt64, -1},
		{-1, -6, -2}, {5, 0, -3}, {2, 3, 4},
	} {
		for axis := range int64(2) {
			add("Slice", fmt.Sprint(r, " of axis ", axis), func(c *Graph) *graphs.Value {
				return c.Op("Slice", nil, c.x(dim(6), dim(6), dimB), c.Ints(r.start), c.Ints(r.end), c.Ints(axis), c.Ints(r.step))
			})
		}
	}
	for name, r := range []struct{ start, end int64 }{{0, 1}, {-1, math.MaxInt64}, {0, math.MaxInt64}} {
		add("Slice", fmt.Sprint("of a symbolic axis ", name), func(c *Graph) *graphs.Value {
			return c.Op("Slice", nil, c.x(dimB, dimT, dim(3)), c.Ints(r.start, 1), c.Ints(r.end, 3), c.Ints(1, 2))
		})
	}

	both := func(c *Graph, y []*graphs.Value) *graphs.Value { // outputs of one shape
		sum := y[0]
		for i, v := range y[1:] {
			sum = c.Add(c.Mul(sum, v), c.Scalar(float64(i)))
		}
		return sum
	}
	for axis := range int64(3) {
		add("Split", fmt.Sprint("equal sizes, axis ", axis), func(c *Graph) *graphs.Value {
			return both(c, c.Split(c.x(dim(4), dim(4), dim(4)), axis, 2, 2))
		})
		add("Split", fmt.Sprint("equal outputs, axis ", axis), func(c *Graph) *graphs.Value {
			attrs := graphs.Attrs{"axis": axis - 3, "num_outputs": int64(3)}
			return both(c, c.OpN("Split", 3, attrs, c.x(dim(3), dim(6), dim(9))))
		})
	}
	add("Split", "of the batch", func(c *Graph) *graphs.Value {
		c.sizes()
		return both(c, c.OpN("Split", 2, graphs.Attrs{"num_outputs": int64(2)}, c.x(twice(dimB), dimT)))
	})
	add("Split", "gate and value", func(c *Graph) *graphs.Value {
		y := c.Split(c.x(dimB, dimT, dim(6)), -1, 3, 3)
		return c.Mul(c.Op("Gelu", nil, y[0]), y[1])
	})
	add("Split", "one output read, the last", func(c *Graph) *graphs.Value { return c.Split(c.x(dimB, dim(6)), 1, 1, 2, 3)[2] })
	add("Split", "one output read, the first", func(c *Graph) *graphs.Value { return c.Split(c.x(dimB, dim(6)), 1, 1, 2, 3)[0] })
	return out
}
