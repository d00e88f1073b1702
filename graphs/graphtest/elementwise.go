package graphtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// broadcastPairs are the ways in which two operands can differ in shape.
var broadcastPairs = []struct{ a, b graphs.Shape }{
	{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
	{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{}},
	{graphs.Shape{}, graphs.Shape{dimB, dimT, dim(3)}},
	{graphs.Shape{}, graphs.Shape{}},
	{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dim(3)}},
	{graphs.Shape{dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
	{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimT, dim(3)}},
	{graphs.Shape{dimB, dimT, dim(3)}, graphs.Shape{dimB, dim(1), dim(3)}},
	{graphs.Shape{dimB, dim(1), dim(3)}, graphs.Shape{dimB, dimT, dim(3)}},
	{graphs.Shape{dimB, dim(1), dim(3)}, graphs.Shape{dim(1), dimT, dim(1)}},
	{graphs.Shape{dimB, dim(1)}, graphs.Shape{dim(2), dim(1), dimT}},
	{graphs.Shape{dim(1), dim(1)}, graphs.Shape{dimB, dim(1)}},
	{graphs.Shape{{Coef: 2, B: 1}, dimT}, graphs.Shape{dim(1), dimT}},
}

func elementwiseCases() []Case {
	var out []Case
	for _, o := range []struct {
		op    string
		attrs graphs.Attrs
		a, b  generator
	}{
		{"Add", nil, normal, normal}, {"Sub", nil, normal, normal}, {"Mul", nil, normal, normal}, {"Div", nil, normal, away},
		{"Pow", nil, positive, normal}, {"Mod", graphs.Attrs{"fmod": int64(1)}, normal, away}, {"Min", nil, normal, normal}, {"Max", nil, normal, normal},
	} {
		for _, p := range broadcastPairs {
			out = append(out, Case{o.op, fmt.Sprint(p.a, p.b), func(c *Graph) *graphs.Value {
				return c.Op(o.op, o.attrs, c.like(o.a, p.a...), c.like(o.b, p.b...))
			}})
		}
		out = append(out,
			Case{o.op, "with itself", func(c *Graph) *graphs.Value {
				x := c.like(positive, dimB, dimT)
				return c.Op(o.op, o.attrs, x, x)
			}},
			Case{o.op, "with a literal", func(c *Graph) *graphs.Value {
				y := c.Op(o.op, o.attrs, c.Scalar(3), c.like(positive, dimB, dimT))
				return c.Op(o.op, o.attrs, y, c.Const(graphs.Float32, []int{2, 1, 1}, 5, 7))
			}},
			Case{o.op, "of integers", func(c *Graph) *graphs.Value {
				attrs := graphs.Attrs{}
				whole := func(r *rand.Rand, _, _ int) float64 { return float64(1 + r.IntN(4)) }
				return c.number(c.Op(o.op, attrs, c.index(few, dimB, dimT), c.index(whole, dimT)))
			}})
	}
	for _, p := range []float64{2, 3, 1, 0.5, -1} {
		out = append(out, Case{"Pow", fmt.Sprint("to the literal ", p), func(c *Graph) *graphs.Value {
			return c.Op("Pow", nil, c.like(positive, dimB, dimT), c.Scalar(p))
		}})
	}
	for _, u := range []struct {
		op string
		g  generator
	}{
		{"Neg", normal}, {"Abs", away}, {"Reciprocal", away}, {"Sqrt", positive}, {"Exp", normal}, {"Log", positive},
		{"Erf", normal}, {"Tanh", normal}, {"Sigmoid", normal}, {"Relu", away}, {"Gelu", normal}, {"Cast", normal},
		{"Sin", normal}, {"Cos", normal}, {"HardSigmoid", away}, {"Identity", normal},
		{"Sign", away}, {"Floor", normal}, {"Ceil", normal}, {"Round", normal},
	} {
		for _, shape := range []graphs.Shape{{dimB, dimT, dim(3)}, {}} {
			var attrs graphs.Attrs
			if u.op == "Cast" {
				attrs = graphs.Attrs{"to": int64(graphs.Float32)}
			}
			out = append(out, Case{u.op, shape.String(), func(c *Graph) *graphs.Value {
				return c.Op(u.op, attrs, c.like(u.g, shape...))
			}})
		}
	}
	for _, op := range []string{"Neg", "Abs", "Sign", "Identity"} {
		out = append(out, Case{op, "of integers", func(c *Graph) *graphs.Value {
			return c.number(c.Op(op, nil, c.index(few, dimB, dimT)))
		}})
	}
	return append(out,
		Case{"StopGradient", "as a factor", func(c *Graph) *graphs.Value {
			return c.Mul(c.x(dimB, dimT), c.Op("StopGradient", nil, c.number(c.index(few, dimB, dimT))))
		}},
		Case{"Round", "of halves", func(c *Graph) *graphs.Value {
			return c.Op("Round", nil, c.Scale(c.number(c.index(few, dimB, dimT)), 0.5))
		}},
		Case{"Pow", "to the square, stretched", func(c *Graph) *graphs.Value {
			return c.Op("Pow", nil, c.x(dimB, dim(3)), c.Const(graphs.Float32, []int{1, 1, 1}, 2))
		}},
		Case{"Pow", "negative to an integer", func(c *Graph) *graphs.Value {
			return c.Op("Pow", nil, c.x(dimB, dim(3)), c.Const(graphs.Int64, []int{}, 3))
		}},
		Case{"Pow", "negative to a literal", func(c *Graph) *graphs.Value {
			return c.Op("Pow", nil, c.x(dimB, dim(3)), c.Scalar(3))
		}},
		Case{"Mod", "of integers with fmod", func(c *Graph) *graphs.Value {
			return c.number(c.Op("Mod", graphs.Attrs{"fmod": int64(1)}, c.index(few, dimB, dimT), c.Ints(3)))
		}},
		Case{"HardSigmoid", "steep", func(c *Graph) *graphs.Value {
			return c.Op("HardSigmoid", graphs.Attrs{"alpha": 0.5, "beta": 0.25}, c.x(dimB, dimT, dim(3)))
		}},
		Case{"Cast", "to an integer and back", func(c *Graph) *graphs.Value {
			return c.number(c.Op("Cast", graphs.Attrs{"to": int64(graphs.Int64)}, c.Scale(c.x(dimB, dimT), 3)))
		}},
		Case{"Cast", "to bool and back", func(c *Graph) *graphs.Value {
			return c.number(c.Op("Cast", graphs.Attrs{"to": int64(graphs.Bool)}, c.index(few, dimB, dimT)))
		}},
		Case{"DequantizeLinear", "bytes", func(c *Graph) *graphs.Value {
			bytes := c.Op("Cast", graphs.Attrs{"to": int64(graphs.Uint8)}, c.index(below(dim(2)), dimB, dimT))
			return c.Mul(c.x(dimB, dimT), c.Op("DequantizeLinear", nil, bytes, c.Scalar(1.25)))
		}},
		Case{"Gelu", "tanh", func(c *Graph) *graphs.Value {
			return c.Op("Gelu", graphs.Attrs{"approximate": "tanh"}, c.x(dimB, dimT, dim(3)))
		}},
		Case{"Gelu", "none", func(c *Graph) *graphs.Value {
			return c.Op("Gelu", graphs.Attrs{"approximate": "none"}, c.x(dimB, dimT, dim(3)))
		}},
		Case{"Mul", "three uses of one value", func(c *Graph) *graphs.Value {
			x := c.x(dimB, dimT)
			return c.Add(c.Mul(x, c.Op("Tanh", nil, x)), c.Mul(x, c.x(dimT)))
		}},
		// Integers and masks take part, but no gradient reaches them.
		Case{"Mul", "with a cast mask", func(c *Graph) *graphs.Value {
			mask := c.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, c.index(below(dim(2)), dimB, dimT))
			return c.Mul(c.x(dimB, dimT), mask)
		}},
	)
}
