package graphs_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func gatherCases() []ruleCase {
	var out []ruleCase
	add := func(name string, build func(c *caseGraph) *graphs.Value) {
		out = append(out, ruleCase{"Gather", name, build})
	}
	gather := func(c *caseGraph, axis int64, x, index *graphs.Value) *graphs.Value {
		return c.Op("Gather", graphs.Attrs{"axis": axis}, x, index)
	}
	literal := func(c *caseGraph, x ...float64) *graphs.Value { return c.Const(graphs.Int64, []int{len(x)}, x...) }

	for axis, last := range []float64{0, 0, 2} {
		add(fmt.Sprint("literal scalar, axis ", axis), func(c *caseGraph) *graphs.Value {
			return gather(c, int64(axis), c.x(dimB, dimT, dim(3)), c.Const(graphs.Int64, []int{}, last))
		})
		add(fmt.Sprint("literal vector, axis ", axis-3), func(c *caseGraph) *graphs.Value {
			return gather(c, int64(axis-3), c.x(dimB, dimT, dim(3)), literal(c, last))
		})
	}
	add("literal from the end", func(c *caseGraph) *graphs.Value { return gather(c, 0, c.x(dim(5), dimT), literal(c, -2)) })
	add("literals from both ends", func(c *caseGraph) *graphs.Value { return gather(c, 0, c.x(dim(5), dimT), literal(c, 4, -1, 0, -1)) })
	add("literal from the end of another axis", func(c *caseGraph) *graphs.Value { return gather(c, 1, c.x(dimB, dim(3)), literal(c, -1)) })
	add("default axis", func(c *caseGraph) *graphs.Value { return c.Op("Gather", nil, c.x(dim(5), dim(2)), literal(c, 3, 1, 3)) })

	for _, index := range []graphs.Shape{{dimB, dimT}, {dimB}, {}, {dim(3)}} {
		for _, table := range []graphs.Shape{{dim(7)}, {dim(7), dim(2)}, {dim(7), dim(2), dim(3)}, {dim(1), dim(2)}} {
			add(fmt.Sprint("small table ", table, index), func(c *caseGraph) *graphs.Value {
				return gather(c, 0, c.x(table...), c.index(below(table[0]), index...))
			})
		}
		large := dim(graphs.RowTableSize)
		add(fmt.Sprint("large table ", index), func(c *caseGraph) *graphs.Value {
			return gather(c, 0, c.x(large, dim(2)), c.index(below(large), index...))
		})
		add(fmt.Sprint("large table read twice ", index), func(c *caseGraph) *graphs.Value {
			table := c.x(large, dim(2))
			few := c.index(below(dim(4)), index...) // surely the same rows more than once
			return c.Mul(gather(c, 0, table, few), gather(c, 0, table, c.index(below(dim(4)), index...)))
		})
		add(fmt.Sprint("large table read by another operator too ", index), func(c *caseGraph) *graphs.Value {
			table := c.x(large, dim(2))
			rows := gather(c, 0, table, c.index(below(dim(4)), index...))
			return c.Mul(rows, c.Sum(c.Mul(table, table), true, 0))
		})
		add(fmt.Sprint("large table of three dimensions ", index), func(c *caseGraph) *graphs.Value {
			return gather(c, 0, c.x(large, dim(2), dim(1)), c.index(below(large), index...))
		})
	}
	add("large table, literal index", func(c *caseGraph) *graphs.Value {
		return gather(c, 0, c.x(dim(graphs.RowTableSize), dim(2)), literal(c, 5, 5, 1, -2))
	})
	add("one row below a large table", func(c *caseGraph) *graphs.Value {
		rows := dim(graphs.RowTableSize - 1)
		return gather(c, 0, c.x(rows, dim(2)), c.index(below(rows), dimB))
	})
	add("large table that is computed", func(c *caseGraph) *graphs.Value {
		large := dim(graphs.RowTableSize)
		return gather(c, 0, c.Op("Tanh", nil, c.x(large, dim(2))), c.index(below(large), dimB, dimT))
	})
	add("examples of the batch", func(c *caseGraph) *graphs.Value {
		return gather(c, 0, c.x(dimB, dimT, dim(3)), c.index(below(dimB), dim(5)))
	})
	return out
}

func layoutCases() []ruleCase {
	var out []ruleCase
	add := func(op, name string, build func(c *caseGraph) *graphs.Value) {
		out = append(out, ruleCase{op, name, build})
	}
	twice := func(d graphs.Dim) graphs.Dim { return graphs.Static(2).Mul(d) }
	to := func(s ...graphs.Dim) graphs.Attrs { return graphs.Attrs{"to": graphs.Shape(s)} }

	add("Slice", "static", func(c *caseGraph) *graphs.Value {
		return c.Op("Slice", nil, c.x(dimB, dim(5), dim(4)), c.Ints(1, 0), c.Ints(4, 2), c.Ints(1, -1))
	})
	add("Slice", "whole", func(c *caseGraph) *graphs.Value {
		return c.Op("Slice", nil, c.x(dim(5)), c.Ints(0), c.Ints(5), c.Ints(0))
	})
	add("Slice", "first T positions", func(c *caseGraph) *graphs.Value {
		y := c.x(dimB, dimT, dim(3))
		return c.Add(y, c.Op("Slice", to(dimT, dim(3)), c.x(dim(9), dim(3)), c.Ints(0), c.ShapeOf(graphs.Shape{dimT}), c.Ints(0)))
	})
	add("Slice", "second T positions", func(c *caseGraph) *graphs.Value {
		y := c.x(dimB, dimT, dim(3))
		ends := c.ShapeOf(graphs.Shape{twice(dimT)})
		return c.Add(y, c.Op("Slice", to(dimT, dim(3)), c.x(dim(9), dim(3)), c.ShapeOf(graphs.Shape{dimT}), ends, c.Ints(-2)))
	})
	add("Slice", "clean half", func(c *caseGraph) *graphs.Value {
		c.index(below(dimT), dimB, dimT)
		return c.Op("Slice", to(dimB, dim(3)), c.x(twice(dimB), dim(3)), c.Ints(0), c.ShapeOf(graphs.Shape{dimB}), c.Ints(0))
	})
	add("Slice", "two axes at run time", func(c *caseGraph) *graphs.Value {
		c.index(below(dimT), dimB, dimT)
		both := graphs.Shape{dimB, dimT}
		return c.Op("Slice", to(dimB, dimT), c.x(twice(dimB), twice(dimT)), c.ShapeOf(both), c.ShapeOf(graphs.Shape{twice(dimB), twice(dimT)}), c.Ints(0, 1))
	})

	add("Pad", "literal", func(c *caseGraph) *graphs.Value {
		return c.Op("Pad", to(dimB, dim(6)), c.x(dimB, dim(3)), c.Ints(0, 1, 0, 2))
	})
	add("Pad", "nothing", func(c *caseGraph) *graphs.Value {
		return c.Op("Pad", to(dimB, dim(3)), c.x(dimB, dim(3)), c.Ints(0, 0, 0, 0))
	})
	add("Pad", "by T before", func(c *caseGraph) *graphs.Value {
		x := c.x(dimB, dimT)
		pads := c.Concat(0, c.Ints(0), c.ShapeOf(graphs.Shape{dimT}), c.Ints(0, 0))
		return c.Op("Pad", to(dimB, twice(dimT)), x, pads)
	})
	add("Pad", "by B after", func(c *caseGraph) *graphs.Value {
		x := c.x(dimB, dimT)
		pads := c.Concat(0, c.Ints(0, 0), c.ShapeOf(graphs.Shape{dimB}), c.Ints(0))
		return c.Op("Pad", to(twice(dimB), dimT), x, pads)
	})

	add("Concat", "channels", func(c *caseGraph) *graphs.Value {
		return c.Concat(-1, c.x(dimB, dimT, dim(3)), c.x(dimB, dimT, dim(1)), c.x(dimB, dimT, dim(2)))
	})
	add("Concat", "batches", func(c *caseGraph) *graphs.Value {
		return c.Concat(0, c.x(dimB, dim(3)), c.x(twice(dimB), dim(3)), c.x(dimB, dim(3)))
	})
	add("Concat", "tokens", func(c *caseGraph) *graphs.Value {
		return c.Concat(1, c.x(dimB, dimT), c.x(dimB, twice(dimT)))
	})
	add("Concat", "flattened rows", func(c *caseGraph) *graphs.Value {
		rows := dimB.Mul(dimT)
		c.index(below(dimT), dimB, dimT)
		return c.Concat(0, c.x(rows, dim(2)), c.x(rows, dim(2)))
	})
	add("Concat", "with itself", func(c *caseGraph) *graphs.Value {
		x := c.x(dimB, dimT)
		return c.Concat(0, x, x)
	})
	add("Concat", "one", func(c *caseGraph) *graphs.Value { return c.Concat(0, c.x(dimB, dimT)) })

	for _, s := range []struct{ from, to graphs.Shape }{
		{graphs.Shape{dim(1), dimT, dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
		{graphs.Shape{dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
		{graphs.Shape{}, graphs.Shape{dimB}},
		{graphs.Shape{dimB, dimT}, graphs.Shape{dimB, dimT}},
		{graphs.Shape{dimB, dim(1), dim(3)}, graphs.Shape{dimT, dim(1)}},
		{graphs.Shape{dimB, dim(1)}, graphs.Shape{twice(dimT)}},
	} {
		add("Expand", fmt.Sprint(s.from, s.to), func(c *caseGraph) *graphs.Value {
			c.index(below(dimT), dimB, dimT)
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
		add("Reshape", fmt.Sprint(s.from, s.to), func(c *caseGraph) *graphs.Value {
			c.index(below(dimT), dimB, dimT)
			return c.Reshape(c.x(s.from...), s.to)
		})
	}

	for _, perm := range [][]int64{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		add("Transpose", fmt.Sprint(perm), func(c *caseGraph) *graphs.Value {
			return c.Transpose(c.x(dimB, dimT, dim(3)), perm...)
		})
		add("Transpose", fmt.Sprint("merged with another, ", perm), func(c *caseGraph) *graphs.Value {
			x := c.x(dimB, dimT, dim(3))
			y := c.Transpose(c.Transpose(x, 2, 0, 1), perm...) // cancels for 1 2 0
			return c.Add(c.Sum(c.Mul(y, y), false, 0, 1, 2), c.Transpose(x, 2, 1, 0))
		})
	}

	add("Transpose", "of a transpose", func(c *caseGraph) *graphs.Value {
		perm := graphs.Attrs{"perm": []int64{1, 2, 0}}
		return c.Op("Transpose", perm, c.Op("Transpose", perm, c.x(dimB, dimT, dim(3))))
	})

	add("Squeeze", "one axis", func(c *caseGraph) *graphs.Value { return c.Squeeze(c.x(dimB, dim(1), dimT), 1) })
	add("Squeeze", "two axes", func(c *caseGraph) *graphs.Value { return c.Squeeze(c.x(dim(1), dimB, dimT, dim(1)), -1, 0) })
	add("Unsqueeze", "one axis", func(c *caseGraph) *graphs.Value { return c.Unsqueeze(c.x(dimB, dimT), 1) })
	add("Unsqueeze", "two axes", func(c *caseGraph) *graphs.Value { return c.Unsqueeze(c.x(dimB, dimT), -1, 0) })
	return out
}
