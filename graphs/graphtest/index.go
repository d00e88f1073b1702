package graphtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func gatherCases() []Case {
	var out []Case
	add := func(name string, build func(c *Graph) *graphs.Value) {
		out = append(out, Case{"Gather", name, build})
	}
	gather := func(c *Graph, axis int64, x, index *graphs.Value) *graphs.Value {
		return c.Op("Gather", graphs.Attrs{"axis": axis}, x, index)
	}
	literal := func(c *Graph, x ...float64) *graphs.Value { return c.Const(graphs.Int64, []int{len(x)}, x...) }

	for axis, last := range []float64{0, 0, 2} {
		add(fmt.Sprint("literal scalar, axis ", axis), func(c *Graph) *graphs.Value {
			return gather(c, int64(axis), c.x(dimB, dimT, dim(3)), c.Const(graphs.Int64, []int{}, last))
		})
		add(fmt.Sprint("literal vector, axis ", axis-3), func(c *Graph) *graphs.Value {
			return gather(c, int64(axis-3), c.x(dimB, dimT, dim(3)), literal(c, last))
		})
	}
	add("literal from the end", func(c *Graph) *graphs.Value { return gather(c, 0, c.x(dim(5), dimT), literal(c, -2)) })
	add("literals from both ends", func(c *Graph) *graphs.Value { return gather(c, 0, c.x(dim(5), dimT), literal(c, 4, -1, 0, -1)) })
	add("literal from the end of another axis", func(c *Graph) *graphs.Value { return gather(c, 1, c.x(dimB, dim(3)), literal(c, -1)) })
	add("default axis", func(c *Graph) *graphs.Value { return c.Op("Gather", nil, c.x(dim(5), dim(2)), literal(c, 3, 1, 3)) })

	for _, index := range []graphs.Shape{{dimB, dimT}, {dimB}, {}, {dim(3)}} {
		for _, table := range []graphs.Shape{{dim(7)}, {dim(7), dim(2)}, {dim(7), dim(2), dim(3)}, {dim(1), dim(2)}} {
			add(fmt.Sprint("small table ", table, index), func(c *Graph) *graphs.Value {
				return gather(c, 0, c.x(table...), c.index(below(table[0]), index...))
			})
		}
		large := dim(LargeTable)
		add(fmt.Sprint("large table ", index), func(c *Graph) *graphs.Value {
			return gather(c, 0, c.x(large, dim(2)), c.index(below(large), index...))
		})
		add(fmt.Sprint("large table read twice ", index), func(c *Graph) *graphs.Value {
			table := c.x(large, dim(2))
			few := c.index(below(dim(4)), index...) // surely the same rows more than once
			return c.Mul(gather(c, 0, table, few), gather(c, 0, table, c.index(below(dim(4)), index...)))
		})
		add(fmt.Sprint("large table read by another operator too ", index), func(c *Graph) *graphs.Value {
			table := c.x(large, dim(2))
			rows := gather(c, 0, table, c.index(below(dim(4)), index...))
			return c.Mul(rows, c.Sum(c.Mul(table, table), true, 0))
		})
		add(fmt.Sprint("large table of three dimensions ", index), func(c *Graph) *graphs.Value {
			return gather(c, 0, c.x(large, dim(2), dim(1)), c.index(below(large), index...))
		})
	}
	add("large table, literal index", func(c *Graph) *graphs.Value {
		return gather(c, 0, c.x(dim(LargeTable), dim(2)), literal(c, 5, 5, 1, -2))
	})
	add("one row below a large table", func(c *Graph) *graphs.Value {
		rows := dim(LargeTable - 1)
		return gather(c, 0, c.x(rows, dim(2)), c.index(below(rows), dimB))
	})
	add("large table that is computed", func(c *Graph) *graphs.Value {
		large := dim(LargeTable)
		return gather(c, 0, c.Op("Tanh", nil, c.x(large, dim(2))), c.index(below(large), dimB, dimT))
	})
	for _, axis := range []int64{1, 2, -1} {
		for _, index := range []graphs.Shape{{dimB, dimT}, {dim(4)}, {}} {
			add(fmt.Sprint("axis ", axis, " by ", index), func(c *Graph) *graphs.Value {
				return gather(c, axis, c.x(dimB, dim(5), dim(5)), c.index(below(dim(5)), index...))
			})
		}
		add(fmt.Sprint("literals along axis ", axis), func(c *Graph) *graphs.Value {
			return gather(c, axis, c.x(dimB, dim(4), dim(4)), literal(c, 1, 3, -1, 1))
		})
	}
	add("tokens of every example", func(c *Graph) *graphs.Value {
		return gather(c, 1, c.x(dimB, dimT, dim(3)), c.index(below(dimT), dim(2), dim(2)))
	})
	add("examples of the batch", func(c *Graph) *graphs.Value {
		return gather(c, 0, c.x(dimB, dimT, dim(3)), c.index(below(dimB), dim(5)))
	})
	add("large table along axis 1", func(c *Graph) *graphs.Value {
		return gather(c, 1, c.x(dim(2), dim(LargeTable)), c.index(below(dim(LargeTable)), dimB, dimT))
	})
	add("buckets of relative positions", func(c *Graph) *graphs.Value { // MPNet
		bias := gather(c, 0, c.x(dim(8), dim(2)), c.index(below(dim(8)), dimT, dimT))
		return c.Add(c.x(dimB, dim(2), dimT, dimT), c.Unsqueeze(c.Transpose(bias, 2, 0, 1), 0))
	})
	return out
}

func indexCases() []Case {
	var out []Case
	add := func(op, name string, build func(c *Graph) *graphs.Value) {
		out = append(out, Case{op, name, build})
	}
	place := func(sizes ...graphs.Dim) generator { // a coordinate under the smallest of the sizes
		return func(r *rand.Rand, batch, tokens int) float64 {
			n := sizes[0].Size(batch, tokens)
			for _, d := range sizes[1:] {
				n = min(n, d.Size(batch, tokens))
			}
			return float64(r.IntN(n))
		}
	}
	for _, n := range []struct {
		data, index graphs.Shape
		batch       int64
	}{
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dim(4), dim(1)}, 0},
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dim(4), dim(2)}, 0},
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dim(3)}, 0},
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimT, dim(2), dim(3)}, 0},
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimB, dim(1)}, 1},
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimB, dimT, dim(2)}, 1},
		{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimB, dimT, dim(1)}, 2},
		{graphs.Shape{dimB, dim(2), dimT, dim(3)}, graphs.Shape{dimB, dim(2), dim(5), dim(1)}, 2},
	} {
		add("GatherND", fmt.Sprint(n.data, n.index, " batch_dims ", n.batch), func(c *Graph) *graphs.Value {
			index := c.index(place(n.data[n.batch:]...), n.index...)
			return c.Op("GatherND", graphs.Attrs{"batch_dims": n.batch}, c.x(n.data...), index)
		})
	}
	add("GatherND", "default", func(c *Graph) *graphs.Value {
		return c.Op("GatherND", nil, c.x(dim(4), dim(3)), c.Const(graphs.Int64, []int{3, 1}, 2, -1, 2))
	})
	for axis, d := range []graphs.Dim{dimB, dimT, dim(3)} {
		index := graphs.Shape{dimB, dimT, dim(3)}
		index[axis] = dim(4)
		add("GatherElements", fmt.Sprint("axis ", axis), func(c *Graph) *graphs.Value {
			return c.Op("GatherElements", graphs.Attrs{"axis": int64(axis)}, c.x(dimB, dimT, dim(3)), c.index(below(d), index...))
		})
		for _, reduction := range []string{"add", "none"} {
			add("ScatterElements", fmt.Sprint(reduction, ", axis ", axis), func(c *Graph) *graphs.Value {
				where, g := index, below(d)
				if reduction == "none" { // indices that do not repeat: one of them along the axis
					where = graphs.Shape{dimB, dimT, dim(3)}
					where[axis] = dim(1)
				}
				attrs := graphs.Attrs{"axis": int64(axis - 3), "reduction": reduction}
				return c.Op("ScatterElements", attrs, c.x(dimB, dimT, dim(3)), c.index(g, where...), c.x(where...))
			})
		}
	}
	add("GatherElements", "from the end, default axis", func(c *Graph) *graphs.Value {
		return c.Op("GatherElements", nil, c.x(dim(4), dim(2)), c.Const(graphs.Int64, []int{2, 2}, -1, 0, 3, -4))
	})
	add("GatherElements", "relative positions", func(c *Graph) *graphs.Value { // DeBERTa
		scores := c.x(dimB, dim(2), dimT, dim(8))
		at := c.index(below(dim(8)), dim(1), dim(1), dimT, dimT)
		whole := graphs.Shape{dimB, dim(2), dimT, dimT}
		at = c.Op("Expand", graphs.Attrs{"to": whole}, at, c.ShapeOf(whole))
		return c.Op("GatherElements", graphs.Attrs{"axis": int64(-1)}, scores, at)
	})
	add("ScatterElements", "default", func(c *Graph) *graphs.Value {
		return c.Op("ScatterElements", nil, c.x(dim(4), dim(2)), c.Const(graphs.Int64, []int{1, 2}, 3, -4), c.x(dim(1), dim(2)))
	})
	add("ScatterND", "add", func(c *Graph) *graphs.Value {
		return c.Op("ScatterND", graphs.Attrs{"reduction": "add"}, c.x(dim(5), dim(3)), c.index(below(dim(5)), dimB, dimT, dim(1)), c.x(dimB, dimT, dim(3)))
	})
	add("ScatterND", "add elements", func(c *Graph) *graphs.Value {
		return c.Op("ScatterND", graphs.Attrs{"reduction": "add"}, c.x(dimB, dimT), c.index(place(dimB, dimT), dim(4), dim(2)), c.x(dim(4)))
	})
	add("ScatterND", "replace", func(c *Graph) *graphs.Value {
		return c.Op("ScatterND", nil, c.x(dim(5), dimT), c.Const(graphs.Int64, []int{2, 1}, 3, -5), c.x(dim(2), dimT))
	})
	add("ScatterND", "replace, attribute none", func(c *Graph) *graphs.Value {
		return c.Op("ScatterND", graphs.Attrs{"reduction": "none"}, c.x(dim(5), dim(2)), c.Const(graphs.Int64, []int{2, 2}, 3, 1, 0, 0), c.x(dim(2)))
	})
	return out
}
