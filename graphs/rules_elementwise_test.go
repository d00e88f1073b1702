package graphs_test

import (
	"fmt"

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

func elementwiseCases() []ruleCase {
	var out []ruleCase
	for _, op := range []string{"Add", "Sub", "Mul", "Div"} {
		for _, p := range broadcastPairs {
			out = append(out, ruleCase{op, fmt.Sprint(p.a, p.b), func(c *caseGraph) *graphs.Value {
				return c.Op(op, nil, c.x(p.a...), c.like(away, p.b...))
			}})
		}
		out = append(out,
			ruleCase{op, "with itself", func(c *caseGraph) *graphs.Value {
				x := c.like(away, dimB, dimT)
				return c.Op(op, nil, x, x)
			}},
			ruleCase{op, "with a literal", func(c *caseGraph) *graphs.Value {
				return c.Op(op, nil, c.Op(op, nil, c.Scalar(3), c.like(away, dimB, dimT)), c.Const(graphs.Float32, []int{2, 1, 1}, 5, -7))
			}})
	}
	for _, u := range []struct {
		op string
		g  generator
	}{
		{"Neg", normal}, {"Abs", away}, {"Reciprocal", away}, {"Sqrt", positive}, {"Exp", normal}, {"Log", positive},
		{"Erf", normal}, {"Tanh", normal}, {"Sigmoid", normal}, {"Relu", away}, {"Gelu", normal}, {"Cast", normal},
	} {
		for _, shape := range []graphs.Shape{{dimB, dimT, dim(3)}, {}} {
			var attrs graphs.Attrs
			if u.op == "Cast" {
				attrs = graphs.Attrs{"to": int64(graphs.Float32)}
			}
			out = append(out, ruleCase{u.op, shape.String(), func(c *caseGraph) *graphs.Value {
				return c.Op(u.op, attrs, c.like(u.g, shape...))
			}})
		}
	}
	return append(out,
		ruleCase{"Gelu", "tanh", func(c *caseGraph) *graphs.Value {
			return c.Op("Gelu", graphs.Attrs{"approximate": "tanh"}, c.x(dimB, dimT, dim(3)))
		}},
		ruleCase{"Gelu", "none", func(c *caseGraph) *graphs.Value {
			return c.Op("Gelu", graphs.Attrs{"approximate": "none"}, c.x(dimB, dimT, dim(3)))
		}},
		ruleCase{"Mul", "three uses of one value", func(c *caseGraph) *graphs.Value {
			x := c.x(dimB, dimT)
			return c.Add(c.Mul(x, c.Op("Tanh", nil, x)), c.Mul(x, c.x(dimT)))
		}},
		// Integers and masks take part, but no gradient reaches them.
		ruleCase{"Mul", "with a cast mask", func(c *caseGraph) *graphs.Value {
			mask := c.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, c.index(below(dim(2)), dimB, dimT))
			return c.Mul(c.x(dimB, dimT), mask)
		}},
	)
}
