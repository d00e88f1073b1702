package graphtest

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func normCases() []Case {
	var out []Case
	norm := func(name string, attrs graphs.Attrs, outputs int, bias bool, x ...graphs.Dim) {
		out = append(out, Case{"LayerNormalization", name, func(c *Graph) *graphs.Value {
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
	out = append(out, Case{"LayerNormalization", "scaled by what it normalises", func(c *Graph) *graphs.Value {
		x := c.x(dim(4))
		return c.Op("LayerNormalization", nil, x, x, x)
	}})
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		for _, axis := range []int64{-1, 0, 1, 2, -2} {
			out = append(out, Case{op, fmt.Sprint("axis ", axis), func(c *Graph) *graphs.Value {
				return c.Op(op, graphs.Attrs{"axis": axis}, c.x(dimB, dimT, dim(3)))
			}})
		}
		out = append(out, Case{op, "default axis", func(c *Graph) *graphs.Value {
			return c.Op(op, nil, c.x(dimB, dim(2), dimT, dimT))
		}})
	}
	return out
}
