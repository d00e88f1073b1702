package graphtest

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func reduceCases() []Case {
	var out []Case
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"} {
		for _, axes := range [][]int64{{0}, {1}, {2}, {-1}, {0, 1}, {2, 0}, {-2, -1}, {0, 1, 2}} {
			for _, keep := range []int64{0, 1} {
				out = append(out, Case{op, fmt.Sprint(axes, " keepdims ", keep), func(c *Graph) *graphs.Value {
					return c.Op(op, graphs.Attrs{"keepdims": keep}, c.x(dimB, dimT, dim(3)), c.Ints(axes...))
				}})
			}
		}
		out = append(out, Case{op, "default keepdims", func(c *Graph) *graphs.Value {
			return c.Op(op, nil, c.x(dimB, dimT), c.Ints(1))
		}})
		for _, keep := range []int64{0, 1} {
			out = append(out, Case{op, fmt.Sprint("of everything, keepdims ", keep), func(c *Graph) *graphs.Value {
				return c.Op(op, graphs.Attrs{"keepdims": keep}, c.x(dimB, dimT))
			}})
		}
		out = append(out, Case{op, "of nothing", func(c *Graph) *graphs.Value {
			return c.Op(op, graphs.Attrs{"noop_with_empty_axes": int64(1)}, c.like(positive, dimB, dimT), c.Ints())
		}})
	}
	for _, op := range []string{"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"} {
		out = append(out, Case{op, "of integers", func(c *Graph) *graphs.Value {
			return c.number(c.Op(op, graphs.Attrs{"keepdims": int64(0)}, c.index(few, dimB, dimT), c.Ints(1)))
		}})
	}
	for i, op := range []string{"ReduceMax", "ReduceMin"} {
		out = append(out, Case{op, "one half below the other", func(c *Graph) *graphs.Value {
			// tanh(x) − 3 never reaches the maximum, tanh(x) + 3 never the minimum
			t := c.Op("Tanh", nil, c.x(dimB, dim(3)))
			return c.Op(op, nil, c.Concat(1, c.x(dimB, dim(2)), c.Add(t, c.Scalar(float64(6*i-3)))), c.Ints(1))
		}})
	}
	for flags := range 4 {
		for _, axis := range []float64{0, 1, -1} {
			attrs := graphs.Attrs{"exclusive": int64(flags & 1), "reverse": int64(flags >> 1)}
			out = append(out, Case{"CumSum", fmt.Sprint(attrs, " axis ", axis), func(c *Graph) *graphs.Value {
				return c.Op("CumSum", attrs, c.x(dimB, dimT, dim(3)), c.scalar(axis))
			}})
		}
	}
	return append(out,
		Case{"CumSum", "default attributes", func(c *Graph) *graphs.Value {
			return c.Op("CumSum", nil, c.x(dim(4)), c.scalar(0))
		}},
		Case{"CumSum", "positions of tokens that are there", func(c *Graph) *graphs.Value {
			mask := c.index(below(dim(2)), dimB, dimT)
			return c.number(c.Mul(c.Op("CumSum", nil, mask, c.scalar(1)), mask))
		}})
}
