package graphtest

import "github.com/r3f-ort/r3f-ort/graphs"

func einsumCases() []Case {
	var out []Case
	heads, width := dim(2), dim(3)
	q := graphs.Shape{dimB, dimT, heads, width}
	h := graphs.Shape{dimB, heads, dimT, width}
	for _, e := range []struct {
		equation string
		operands []graphs.Shape
	}{
		{"bihd,bjhd->bhij", []graphs.Shape{q, q}},                                          // scores
		{"bhij,bjhd->bihd", []graphs.Shape{{dimB, heads, dimT, dimT}, q}},                  // values
		{"bhid,bhjd->bhij", []graphs.Shape{h, h}},                                          // scores, heads in front
		{"bhld,lrd->bhlr", []graphs.Shape{h, {dimT, dimT, width}}},                         // relative keys
		{"bthd,hdc->btc", []graphs.Shape{q, {heads, width, dim(4)}}},                       // output projection
		{"bhid, bhjd -> bhij", []graphs.Shape{h, h}},                                       // with blanks
		{"i,j->ij", []graphs.Shape{{dimT}, {dim(3)}}},                                      // rotary angles
		{"ij->ji", []graphs.Shape{{dimB, dimT}}},                                           // transpose
		{"ij->i", []graphs.Shape{{dimB, dimT}}},                                            // row sums
		{"ij->", []graphs.Shape{{dimB, dimT}}},                                             // all
		{"ijk,ik->ij", []graphs.Shape{{dimB, dimT, dim(3)}, {dimB, dim(3)}}},               // pooling
		{"bij,bj->b", []graphs.Shape{{dimB, dimT, dim(3)}, {dimB, dim(3)}}},                // a subscript of one operand alone
		{"ab,bc,cd->ad", []graphs.Shape{{dimB, dim(2)}, {dim(2), dim(3)}, {dim(3), dimT}}}, // three operands
		{"...i,ij->...j", []graphs.Shape{{dimB, dimT, dim(3)}, {dim(3), dim(2)}}},          // ellipsis
		{"...id,...jd->...ij", []graphs.Shape{h, h}},                                       // ellipsis in both
		{"...d->...", []graphs.Shape{{dimB, dimT, dim(3)}}},                                // ellipsis, one operand
		{"ij,jk", []graphs.Shape{{dimB, dim(3)}, {dim(3), dimT}}},                          // implicit result
		{"ba", []graphs.Shape{{dimB, dimT}}},                                               // implicit transpose
		{"ib,ib->b", []graphs.Shape{{dimT, dimB}, {dimT, dimB}}},                           // products of columns
	} {
		out = append(out, Case{"Einsum", e.equation, func(c *Graph) *graphs.Value {
			var in []*graphs.Value
			for _, s := range e.operands {
				in = append(in, c.x(s...))
			}
			return c.Op("Einsum", graphs.Attrs{"equation": e.equation}, in...)
		}})
	}
	return append(out, Case{"Einsum", "of one value twice", func(c *Graph) *graphs.Value {
		x := c.x(h...)
		return c.Op("Einsum", graphs.Attrs{"equation": "bhid,bhjd->bhij"}, x, x)
	}})
}
