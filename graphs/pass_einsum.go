package graphs

import "slices"

// passEinsum turns every Einsum of two operands into a product of matrices, which runtimes compute faster and the
// passes after it understand: scores "bihd,bjhd->bhij" become Transpose, Transpose, MatMul. One operand, or three and
// more, stay as they are.
func passEinsum(g *Graph, _ *Model, _ Options) (*Graph, error) {
	r := newRewriter(g)
	for _, n := range g.Nodes {
		if n.Op != "Einsum" || len(n.Inputs) != 2 {
			r.replace(n, r.copy(n))
			continue
		}
		e, err := parseEinsum(n)
		if err != nil {
			return nil, err
		}
		r.replace(n, []*Value{r.product(e, r.of(n.Inputs[0]), r.of(n.Inputs[1]))})
	}
	return r.finish(g)
}

// product computes an einsum of x and y as MatMul. Of the subscripts, b are in both operands and the result, m in x and
// the result, n in y and the result, k in both operands alone; what one operand alone has is summed before.
//
// Shapes: x as [b…, Πm, Πk], y as [b…, Πk, Πn], the product [b…, Πm, Πn], then the result's own order.
func (b *Builder) product(e *einsum, x, y *Value) *Value {
	left, right := e.in[0], e.in[1]
	x, left = b.sumAlone(x, left, right, e.out)
	y, right = b.sumAlone(y, right, left, e.out)
	var batch, m, n, k []rune
	for _, l := range e.out {
		switch {
		case slices.Contains(left, l) && slices.Contains(right, l):
			batch = append(batch, l)
		case slices.Contains(left, l):
			m = append(m, l)
		default:
			n = append(n, l)
		}
	}
	for _, l := range left {
		if !slices.Contains(e.out, l) {
			k = append(k, l)
		}
	}
	shape := func(labels []rune) Shape {
		s := Shape{}
		for _, l := range labels {
			s = append(s, e.size[l])
		}
		return s
	}
	as := func(v *Value, labels, rows, columns []rune) *Value {
		v = b.arrange(v, labels, slices.Concat(batch, rows, columns))
		return b.Reshape(v, append(shape(batch), shape(rows).Product(), shape(columns).Product()))
	}
	z := b.MatMul(as(x, left, m, k), as(y, right, k, n))
	order := slices.Concat(batch, m, n)
	return b.arrange(b.Reshape(z, shape(order)), order, e.out)
}

// sumAlone sums x over the subscripts that neither the other operand nor the result has.
func (b *Builder) sumAlone(x *Value, own, other, out []rune) (*Value, []rune) {
	var axes []int64
	var left []rune
	for i, l := range own {
		if slices.Contains(other, l) || slices.Contains(out, l) {
			left = append(left, l)
		} else {
			axes = append(axes, int64(i))
		}
	}
	if len(axes) == 0 {
		return x, own
	}
	return b.Sum(x, false, axes...), left
}

// arrange permutes the dimensions of x, labelled from, to the order of to.
func (b *Builder) arrange(x *Value, from, to []rune) *Value {
	if slices.Equal(from, to) {
		return x
	}
	perm := make([]int64, len(to))
	for i, l := range to {
		perm[i] = int64(slices.Index(from, l))
	}
	return b.Transpose(x, perm...)
}
