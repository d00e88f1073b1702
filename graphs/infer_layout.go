package graphs

import "fmt"

// Shape functions of the operators that select elements or change layout.

func inferGather(n *Node) error {
	x := n.Inputs[0]
	index := n.Inputs[1]
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	if index.DType != Int64 {
		return fmt.Errorf("indices must be int64, not %v", index.DType)
	}
	out := append(Shape{}, x.Shape[:axis]...)
	out = append(out, index.Shape...)
	return n.set(x.DType, append(out, x.Shape[axis+1:]...))
}

// inferSlice handles Slice(x, starts, ends, axes) with step 1. Bounds are literals or run-time vectors; the
// attribute "to" then gives the resulting shape, which the builder knows symbolically.
func inferSlice(n *Node) error {
	x := n.Inputs[0]
	if to, ok := n.Attrs["to"].(Shape); ok {
		return n.set(x.DType, to)
	}
	starts, err := n.literal(1)
	if err != nil {
		return err
	}
	ends, err := n.literal(2)
	if err != nil {
		return err
	}
	axes, err := n.literal(3)
	if err != nil {
		return err
	}
	if len(starts) != len(axes) || len(ends) != len(axes) {
		return fmt.Errorf("%d starts, %d ends and %d axes must be as many", len(starts), len(ends), len(axes))
	}
	out := append(Shape{}, x.Shape...)
	for i, a := range axes {
		k, err := normalAxis(a, len(x.Shape))
		if err != nil {
			return err
		}
		if !x.Shape[k].IsStatic() || starts[i] < 0 || ends[i] > int64(x.Shape[k].Coef) || ends[i] < starts[i] {
			return fmt.Errorf("range %d:%d does not lie within dimension %v", starts[i], ends[i], x.Shape[k])
		}
		out[k] = Static(int(ends[i] - starts[i]))
	}
	return n.set(x.DType, out)
}

// inferPad handles Pad(x, pads) with zeros; the attribute "to" holds the resulting shape.
func inferPad(n *Node) error {
	x := n.Inputs[0]
	to, ok := n.Attrs["to"].(Shape)
	if !ok || len(to) != len(x.Shape) {
		return fmt.Errorf("the resulting shape of a padding of %v is not given", x.Shape)
	}
	return n.set(x.DType, to)
}

func inferConcat(n *Node) error {
	x := n.Inputs[0]
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	total := x.Shape[axis]
	for i := range n.Inputs[1:] {
		y, err := n.operand(i + 1)
		if err != nil {
			return err
		}
		if len(y.Shape) != len(x.Shape) || !y.Shape.with(axis, x.Shape[axis]).Equal(x.Shape) || y.DType != x.DType {
			return fmt.Errorf("operands %v and %v differ outside axis %d", x.Shape, y.Shape, axis)
		}
		d := y.Shape[axis]
		if d.B != total.B || d.T != total.T || d.S != total.S {
			return fmt.Errorf("sizes %v and %v along axis %d cannot be added", total, d, axis)
		}
		total.Coef += d.Coef
	}
	return n.set(x.DType, x.Shape.with(axis, total))
}

func inferReshape(n *Node) error {
	x := n.Inputs[0]
	to, ok := n.Attrs["to"].(Shape)
	if !ok || to.Product() != x.Shape.Product() {
		return fmt.Errorf("%v does not hold the elements of %v", to, x.Shape)
	}
	return n.set(x.DType, to)
}

func inferExpand(n *Node) error {
	x := n.Inputs[0]
	to, ok := n.Attrs["to"].(Shape)
	if !ok {
		return fmt.Errorf("the resulting shape of an expansion of %v is not given", x.Shape)
	}
	s, err := broadcast(x.Shape, to)
	if err != nil {
		return err
	}
	return n.set(x.DType, s)
}

func inferConstantOfShape(n *Node) error {
	to, ok := n.Attrs["to"].(Shape)
	if !ok {
		return fmt.Errorf("the shape to fill is not given")
	}
	return n.set(Float32, to)
}

func inferTranspose(n *Node) error {
	x := n.Inputs[0]
	perm := n.Attrs.Ints("perm")
	if !isPermutation(perm, len(x.Shape)) {
		return fmt.Errorf("%v is not a permutation of the dimensions of %v", perm, x.Shape)
	}
	out := make(Shape, len(perm))
	for i, p := range perm {
		out[i] = x.Shape[p]
	}
	return n.set(x.DType, out)
}

// isPermutation reports whether perm holds each of 0 … rank−1 once.
func isPermutation(perm []int64, rank int) bool {
	seen := map[int64]bool{}
	for _, p := range perm {
		if p < 0 || p >= int64(rank) || seen[p] {
			return false
		}
		seen[p] = true
	}
	return len(seen) == rank
}

func inferSqueeze(n *Node) error {
	x := n.Inputs[0]
	axes, err := n.literal(1)
	if err != nil {
		return err
	}
	gone, err := axisSet(axes, len(x.Shape))
	if err != nil {
		return err
	}
	out := Shape{}
	for i, d := range x.Shape {
		switch {
		case !gone[i]:
			out = append(out, d)
		case !d.Is(1):
			return fmt.Errorf("dimension %v of %v is not 1", d, x.Shape)
		}
	}
	return n.set(x.DType, out)
}

func inferUnsqueeze(n *Node) error {
	x := n.Inputs[0]
	axes, err := n.literal(1)
	if err != nil {
		return err
	}
	rank := len(x.Shape) + len(axes)
	fresh, err := axisSet(axes, rank)
	if err != nil {
		return err
	}
	if len(fresh) != len(axes) {
		return fmt.Errorf("axes %v name a dimension twice", axes)
	}
	out, next := make(Shape, rank), 0
	for i := range out {
		if fresh[i] {
			out[i] = Static(1)
			continue
		}
		out[i] = x.Shape[next]
		next++
	}
	return n.set(x.DType, out)
}
