package graphs_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func matrixCases() []ruleCase {
	var out []ruleCase
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
		out = append(out, ruleCase{"MatMul", fmt.Sprint(p.a, p.b), func(c *caseGraph) *graphs.Value {
			return c.MatMul(c.x(p.a...), c.x(p.b...))
		}})
	}
	out = append(out,
		ruleCase{"MatMul", "queries and keys", func(c *caseGraph) *graphs.Value {
			q, k := c.x(dimB, dim(2), dimT, dim(3)), c.x(dimB, dimT, dim(2), dim(3))
			return c.MatMul(q, c.Transpose(c.Transpose(k, 0, 2, 1, 3), 0, 1, 3, 2))
		}},
		ruleCase{"MatMul", "with its own transpose", func(c *caseGraph) *graphs.Value {
			x := c.x(dimB, dimT, dim(3))
			return c.MatMul(x, c.Transpose(x, 0, 2, 1))
		}},
		ruleCase{"MatMul", "of a transpose", func(c *caseGraph) *graphs.Value {
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
			out = append(out, ruleCase{"Gemm", fmt.Sprint(attrs, bias), func(c *caseGraph) *graphs.Value {
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
		ruleCase{"Gemm", "without attributes", func(c *caseGraph) *graphs.Value {
			return c.Op("Gemm", nil, c.x(dimB, dim(4)), c.x(dim(4), dim(3)), c.x(dim(3)))
		}},
		ruleCase{"Gemm", "absent bias", func(c *caseGraph) *graphs.Value {
			return c.Op("Gemm", graphs.Attrs{"alpha": 3.0}, c.x(dimB, dim(4)), c.x(dim(4), dim(3)), nil)
		}},
		ruleCase{"Gemm", "of one matrix", func(c *caseGraph) *graphs.Value {
			x := c.x(dimB, dim(3))
			return c.Op("Gemm", graphs.Attrs{"transB": int64(1)}, x, x)
		}})
}

func normCases() []ruleCase {
	var out []ruleCase
	norm := func(name string, attrs graphs.Attrs, outputs int, bias bool, x ...graphs.Dim) {
		out = append(out, ruleCase{"LayerNormalization", name, func(c *caseGraph) *graphs.Value {
			in := []*graphs.Value{c.x(x...), c.x(dim(4))}
			if bias {
				in = append(in, c.x(dim(4)))
			}
			return c.OpN("LayerNormalization", outputs, attrs, in...)[0]
		}})
	}
	norm("of tokens", graphs.Attrs{"axis": int64(-1), "epsilon": 1e-12}, 1, true, dimB, dimT, dim(4))
	norm("of rows, large epsilon", graphs.Attrs{"axis": int64(1), "epsilon": 0.5}, 1, true, dimB, dim(4))
	norm("without bias or attributes", nil, 1, false, dimB, dimT, dim(4))
	norm("with its statistics", nil, 3, true, dimB, dim(2), dimT, dim(4))
	norm("of a vector", nil, 1, true, dim(4))
	out = append(out, ruleCase{"LayerNormalization", "scaled by what it normalises", func(c *caseGraph) *graphs.Value {
		x := c.x(dim(4))
		return c.Op("LayerNormalization", nil, x, x, x)
	}})
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		for _, axis := range []int64{-1, 0, 1, 2, -2} {
			out = append(out, ruleCase{op, fmt.Sprint("axis ", axis), func(c *caseGraph) *graphs.Value {
				return c.Op(op, graphs.Attrs{"axis": axis}, c.x(dimB, dimT, dim(3)))
			}})
		}
		out = append(out, ruleCase{op, "default axis", func(c *caseGraph) *graphs.Value {
			return c.Op(op, nil, c.x(dimB, dim(2), dimT, dimT))
		}})
	}
	for _, op := range []string{"ReduceSum", "ReduceMean"} {
		for _, axes := range [][]int64{{0}, {1}, {2}, {-1}, {0, 1}, {2, 0}, {-2, -1}, {0, 1, 2}} {
			for _, keep := range []int64{0, 1} {
				out = append(out, ruleCase{op, fmt.Sprint(axes, " keepdims ", keep), func(c *caseGraph) *graphs.Value {
					return c.Op(op, graphs.Attrs{"keepdims": keep}, c.x(dimB, dimT, dim(3)), c.Ints(axes...))
				}})
			}
		}
		out = append(out, ruleCase{op, "default keepdims", func(c *caseGraph) *graphs.Value {
			return c.Op(op, nil, c.x(dimB, dimT), c.Ints(1))
		}})
	}
	return out
}
