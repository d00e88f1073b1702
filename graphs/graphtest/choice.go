package graphtest

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func choiceCases() []Case {
	var out []Case
	for _, p := range broadcastPairs {
		for _, op := range []string{"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"} {
			out = append(out, Case{op, fmt.Sprint(p.a, p.b), func(c *Graph) *graphs.Value {
				return c.number(c.Op(op, nil, c.index(few, p.a...), c.index(few, p.b...)))
			}})
		}
		for _, op := range []string{"And", "Or"} {
			out = append(out, Case{op, fmt.Sprint(p.a, p.b), func(c *Graph) *graphs.Value {
				return c.number(c.Op(op, nil, c.truth(p.a...), c.truth(p.b...)))
			}})
		}
		out = append(out,
			Case{"Where", fmt.Sprint("choices ", p.a, p.b), func(c *Graph) *graphs.Value {
				return c.Op("Where", nil, c.truth(p.a...), c.x(p.a...), c.x(p.b...))
			}},
			Case{"Where", fmt.Sprint("condition ", p.a, " of ", p.b), func(c *Graph) *graphs.Value {
				return c.Op("Where", nil, c.truth(p.a...), c.x(p.b...), c.x(p.b...))
			}})
	}
	for _, op := range []string{"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"} {
		out = append(out, Case{op, "of floats", func(c *Graph) *graphs.Value {
			return c.number(c.Op(op, nil, c.x(dimB, dimT), c.x(dimT)))
		}})
	}
	for _, op := range []string{"Min", "Max"} {
		out = append(out,
			Case{op, "of one", func(c *Graph) *graphs.Value { return c.Op(op, nil, c.x(dimB, dimT)) }},
			Case{op, "of three", func(c *Graph) *graphs.Value { return c.Op(op, nil, c.x(dimB, dimT), c.x(dimT), c.Scalar(0.25)) }},
			Case{op, "with the lowest float", func(c *Graph) *graphs.Value {
				return c.Op(op, nil, c.x(dimB, dimT), c.Scalar(-3.4028234663852886e38))
			}})
	}
	for _, bounds := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		for _, literal := range []bool{false, true} {
			out = append(out, Case{"Clip", fmt.Sprint("bounds ", bounds, ", literal ", literal), func(c *Graph) *graphs.Value {
				in := []*graphs.Value{c.x(dimB, dimT, dim(3)), nil, nil}
				for i, there := range bounds {
					if !there {
						continue
					}
					if in[i+1] = c.Scalar(float64(i) - 0.5); !literal { // the bound is computed, and learns
						in[i+1] = c.Add(in[i+1], c.Scale(c.Op("Tanh", nil, c.x()), 0.1))
					}
				}
				return c.Op("Clip", nil, in...)
			}})
		}
	}
	return append(out,
		Case{"Equal", "of bools", func(c *Graph) *graphs.Value { return c.number(c.Op("Equal", nil, c.truth(dimB), c.truth(dimB))) }},
		Case{"Not", "padding", func(c *Graph) *graphs.Value { return c.number(c.Op("Not", nil, c.truth(dimB, dimT))) }},
		Case{"IsNaN", "of 0/0", func(c *Graph) *graphs.Value {
			x := c.number(c.index(few, dimB, dimT))
			return c.number(c.Op("IsNaN", nil, c.Div(x, x)))
		}},
		Case{"Clip", "without bounds", func(c *Graph) *graphs.Value { return c.Op("Clip", nil, c.x(dimB)) }},
		Case{"Clip", "of integers", func(c *Graph) *graphs.Value {
			return c.number(c.Op("Clip", nil, c.index(few, dimB, dimT), c.scalar(-1), c.scalar(1)))
		}},
		Case{"Where", "of one value twice", func(c *Graph) *graphs.Value {
			x := c.x(dimB, dimT)
			return c.Op("Where", nil, c.truth(dimT), x, c.Mul(x, x))
		}},
		Case{"Where", "attention mask", func(c *Graph) *graphs.Value {
			scores := c.x(dimB, dim(2), dimT, dimT)
			masked := c.Op("Where", nil, c.truth(dimB, dim(1), dim(1), dimT), scores, c.Scalar(-1e9))
			return c.Op("Softmax", nil, masked)
		}},
		Case{"Where", "of integers", func(c *Graph) *graphs.Value {
			return c.number(c.Op("Where", nil, c.truth(dimB, dimT), c.index(few, dimT), c.scalar(7)))
		}})
}
