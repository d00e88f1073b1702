package graphs

import (
	"fmt"
	"math"
)

// Shape functions of the operators that change layout.

// inferPad handles Pad(x, pads, value) in mode constant, pads before every dimension and then after every one, the
// value a literal. Pads are literals of static dimensions, or the attribute "to" holds the resulting shape.
func inferPad(n *Node) error {
	x := n.Inputs[0]
	rank := len(x.Shape)
	if mode, ok := n.Attrs["mode"]; ok && mode != "constant" {
		return fmt.Errorf("mode is %v; only constant is supported", mode)
	}
	if len(n.Inputs) > 2 && n.Inputs[2] != nil && n.Inputs[2].Kind != Constant {
		return fmt.Errorf("the value to pad with must be a constant")
	}
	if to, ok := n.Attrs["to"].(Shape); ok {
		if len(to) != rank {
			return fmt.Errorf("padding does not turn %v into %v", x.Shape, to)
		}
		return n.set(x.DType, to)
	}
	pads, err := n.literal(1)
	if err != nil {
		return fmt.Errorf("the resulting shape of a padding of %v is not given: %w", x.Shape, err)
	}
	if len(pads) != 2*rank {
		return fmt.Errorf("%d pads for %v, not %d", len(pads), x.Shape, 2*rank)
	}
	out := append(Shape{}, x.Shape...)
	for i, d := range x.Shape {
		before, after := pads[i], pads[rank+i]
		switch {
		case before == 0 && after == 0:
		case max(before, after) > math.MaxInt32:
			return fmt.Errorf("pads %d and %d of dimension %v are too many", before, after, d)
		case before < 0 || after < 0:
			return fmt.Errorf("pads %d and %d of dimension %v: use Slice to remove elements", before, after, d)
		case !d.IsStatic():
			return fmt.Errorf("the resulting shape of a padding of %v is not given", x.Shape)
		default:
			out[i] = Static(int(before) + d.Coef + int(after))
		}
	}
	return n.set(x.DType, out)
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
	return n.set(x.DType, permuted(x.Shape, perm))
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

// inferTile handles Tile(x, repeats): repeats are literals, or the attribute "to" holds the resulting shape.
func inferTile(n *Node) error {
	x := n.Inputs[0]
	if to, ok := n.Attrs["to"].(Shape); ok {
		if _, err := repeats(x.Shape, to); err != nil {
			return err
		}
		return n.set(x.DType, to)
	}
	times, err := n.literal(1)
	if err != nil {
		return err
	}
	if len(times) != len(x.Shape) {
		return fmt.Errorf("%d repeats for %v, not %d", len(times), x.Shape, len(x.Shape))
	}
	out := make(Shape, len(x.Shape))
	for i, d := range x.Shape {
		if times[i] < 1 || times[i] > math.MaxInt32 {
			return fmt.Errorf("dimension %v is repeated %d times", d, times[i])
		}
		out[i] = d.Mul(Static(int(times[i])))
	}
	return n.set(x.DType, out)
}

// repeats says how often each dimension of from lies in that of to.
func repeats(from, to Shape) (Shape, error) {
	if len(from) != len(to) {
		return nil, fmt.Errorf("%v is no repetition of %v", to, from)
	}
	out := make(Shape, len(to))
	for i, d := range to {
		e := from[i]
		if e.Coef == 0 || d.Coef%e.Coef != 0 || d.B < e.B || d.T < e.T || d.S < e.S {
			return nil, fmt.Errorf("%v is no repetition of %v: dimension %v against %v", to, from, d, e)
		}
		out[i] = Dim{d.Coef / e.Coef, d.B - e.B, d.T - e.T, d.S - e.S}
	}
	return out, nil
}

func inferTrilu(n *Node) error {
	if x := n.Inputs[0]; len(x.Shape) < 2 {
		return fmt.Errorf("%v is no matrix", x.Shape)
	}
	if len(n.Inputs) > 1 && n.Inputs[1] != nil && n.Inputs[1].DType != Int64 {
		return fmt.Errorf("the diagonal must be int64, not %v", n.Inputs[1].DType)
	}
	return inferSame(n)
}

// inferRange handles Range(start, limit, delta) of scalars: literals, or the attribute "to" holds the resulting shape.
func inferRange(n *Node) error {
	t := n.Inputs[0].DType
	for i, v := range n.Inputs {
		if len(v.Shape) != 0 || v.DType != t {
			return fmt.Errorf("operand %d is %v%v; scalars of one type are wanted", i, v.DType, v.Shape)
		}
	}
	if to, ok := n.Attrs["to"].(Shape); ok {
		if len(to) != 1 {
			return fmt.Errorf("a range is no tensor of shape %v", to)
		}
		return n.set(t, to)
	}
	var bounds [3]float64
	for i, v := range n.Inputs {
		if v.Kind != Constant {
			return fmt.Errorf("the resulting shape of a range is not given and operand %d is not a constant", i)
		}
		bounds[i] = v.Literal[0]
	}
	count := math.Ceil((bounds[1] - bounds[0]) / bounds[2])
	if !(count >= 1 && count <= math.MaxInt32) {
		return fmt.Errorf("the range from %v to %v by %v has no elements, or too many", bounds[0], bounds[1], bounds[2])
	}
	return n.set(t, StaticShape(int(count)))
}
