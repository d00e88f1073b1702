package graphtest

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func matrixCases() []Case {
	var out []Case
	for _, p := range []struct{ a, b graphs.Shape }{
		{graphs.Shape{dimB, dim(4)}, graphs.Shape{dim(4), dim(3)}},
		{graphs.Shape{dimB, dimT, dim(4)}, graphs.Shape{dim(4), dim(3)}},
		{graphs.Shape{dimT, dim(4)}, graphs.Shape{dimB, dim(4), dim(3)}},
		{graphs.Shape{dimB, dimT, dim(4)}, graphs.Shape{dimB, dim(4), dimT}},
		{graphs.Shape{dimB, dim(2), dimT, dim(4)}, graphs.Shape{dimB, dim(2), dim(4), dimT}},
		{graphs.Shape{dimB, dim(2), dimT, dimT}, graphs.Shape{dimB, dim(2), dimT, dim(3)}},
		{graphs.Shape{dimB, dim(2), dimT, dim(4)}, graphs.Shape{dim(2), dim(4), dim(3)}},
		{graphs.Shape{dim(1), dim(2), dimT, dim(4)}, graphs.Shape{dimB, dim(1), dim(4), dim(3)}},
	} {
		out = append(out, Case{"MatMul", fmt.Sprint(p.a, p.b), func(c *Graph) *graphs.Value {
			return c.MatMul(c.x(p.a...), c.x(p.b...))
		}})
	}
	out = append(out,
		Case{"MatMul", "queries and keys", func(c *Graph) *graphs.Value {
			q, k := c.x(dimB, dim(2), dimT, dim(3)), c.x(dimB, dimT, dim(2), dim(3))
			return c.MatMul(q, c.Transpose(c.Transpose(k, 0, 2, 1, 3), 0, 1, 3, 2))
		}},
		Case{"MatMul", "with its own transpose", func(c *Graph) *graphs.Value {
			x := c.x(dimB, dimT, dim(3))
			return c.MatMul(x, c.Transpose(x, 0, 2, 1))
		}},
		Case{"MatMul", "of a transpose", func(c *Graph) *graphs.Value {
			return c.MatMul(c.Transpose(c.x(dimB, dim(4), dimT), 0, 2, 1), c.x(dim(4), dim(3)))
		}})

	rows := graphs.Dim{Coef: 1, B: 1, T: 1}
	biases := []graphs.Shape{nil, {dim(3)}, {rows, dim(3)}, {dim(1), dim(3)}, {rows, dim(1)}, {}, {dim(1)}}
	for trans := range 4 {
		ta, tb := int64(trans&1), int64(trans>>1)
		for i, bias := range biases {
			attrs := graphs.Attrs{"transA": ta, "transB": tb}
			if i%2 == 1 {
				attrs["alpha"], attrs["beta"] = 0.5, -2.0
			}
			a, b := graphs.Shape{rows, dim(4)}, graphs.Shape{dim(4), dim(3)}
			if ta == 1 {
				a = graphs.Shape{dim(4), rows}
			}
			if tb == 1 {
				b = graphs.Shape{dim(3), dim(4)}
			}
			out = append(out, Case{"Gemm", fmt.Sprint(attrs, bias), func(c *Graph) *graphs.Value {
				in := []*graphs.Value{c.x(a...), c.x(b...)}
				if bias != nil {
					in = append(in, c.x(bias...))
				}
				c.index(below(dimT), dimB, dimT) // tells B and T apart
				return c.Op("Gemm", attrs, in...)
			}})
		}
	}
	return append(out,
		Case{"Gemm", "without attributes", func(c *Graph) *graphs.Value {
			return c.Op("Gemm", nil, c.x(dimB, dim(4)), c.x(dim(4), dim(3)), c.x(dim(3)))
		}},
		Case{"Gemm", "absent bias", func(c *Graph) *graphs.Value {
			return c.Op("Gemm", graphs.Attrs{"alpha": 3.0}, c.x(dimB, dim(4)), c.x(dim(4), dim(3)), nil)
		}},
		Case{"Gemm", "of one matrix", func(c *Graph) *graphs.Value {
			x := c.x(dimB, dim(3))
			return c.Op("Gemm", graphs.Attrs{"transB": int64(1)}, x, x)
		}})
}
