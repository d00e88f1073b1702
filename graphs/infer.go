package graphs

import "fmt"

// Shape functions: each reads a node's attributes and operands and sets DType and Shape of its outputs.
// Axis attributes may be negative, counted from the end, as in ONNX.

func (n *Node) set(t DType, s Shape) error {
	for _, o := range n.Outputs {
		o.DType, o.Shape = t, s
	}
	return nil
}

// operand returns operand i, or an error where it is absent.
func (n *Node) operand(i int) (*Value, error) {
	if i >= len(n.Inputs) || n.Inputs[i] == nil {
		return nil, fmt.Errorf("operand %d is missing", i)
	}
	return n.Inputs[i], nil
}

// literal returns the elements of operand i, which must be a constant, as integers.
func (n *Node) literal(i int) ([]int64, error) {
	v, err := n.operand(i)
	if err != nil {
		return nil, err
	}
	if v.Kind != Constant {
		return nil, fmt.Errorf("operand %d must be a constant", i)
	}
	out := make([]int64, len(v.Literal))
	for k, x := range v.Literal {
		out[k] = integer(x)
	}
	return out, nil
}

// normalAxis turns a possibly negative axis of a tensor of the given rank into an index.
func normalAxis(axis int64, rank int) (int, error) {
	if axis < 0 {
		axis += int64(rank)
	}
	if axis < 0 || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside a tensor of %d dimensions", axis, rank)
	}
	return int(axis), nil
}

// axisSet turns possibly negative axes of a tensor of the given rank into a set of indices.
func axisSet(axes []int64, rank int) (map[int]bool, error) {
	out := map[int]bool{}
	for _, a := range axes {
		k, err := normalAxis(a, rank)
		if err != nil {
			return nil, err
		}
		out[k] = true
	}
	return out, nil
}

func inferSame(n *Node) error {
	x := n.Inputs[0]
	return n.set(x.DType, x.Shape)
}

func inferMatMul(n *Node) error {
	x := n.Inputs[0]
	y := n.Inputs[1]
	p, q := len(x.Shape), len(y.Shape)
	if p < 2 || q < 2 {
		return fmt.Errorf("both operands need two dimensions or more, not %v and %v", x.Shape, y.Shape)
	}
	if x.Shape[p-1] != y.Shape[q-2] {
		return fmt.Errorf("inner dimensions %v and %v differ", x.Shape[p-1], y.Shape[q-2])
	}
	outer, err := broadcast(x.Shape[:p-2], y.Shape[:q-2])
	if err != nil {
		return err
	}
	return n.set(x.DType, append(append(Shape{}, outer...), x.Shape[p-2], y.Shape[q-1]))
}

func inferGemm(n *Node) error {
	a := n.Inputs[0]
	b := n.Inputs[1]
	if len(a.Shape) != 2 || len(b.Shape) != 2 {
		return fmt.Errorf("operands need two dimensions, not %v and %v", a.Shape, b.Shape)
	}
	ta, tb := n.Attrs.Int("transA", 0), n.Attrs.Int("transB", 0)
	if ta != 0 && ta != 1 || tb != 0 && tb != 1 {
		return fmt.Errorf("transA %d and transB %d must be 0 or 1", ta, tb)
	}
	if a.Shape[1-ta] != b.Shape[tb] {
		return fmt.Errorf("inner dimensions %v and %v differ", a.Shape[1-ta], b.Shape[tb])
	}
	out := Shape{a.Shape[ta], b.Shape[1-tb]}
	if len(n.Inputs) > 2 && n.Inputs[2] != nil {
		if s, err := broadcast(out, n.Inputs[2].Shape); err != nil || !s.Equal(out) {
			return fmt.Errorf("bias %v does not broadcast to %v", n.Inputs[2].Shape, out)
		}
	}
	return n.set(a.DType, out)
}

func inferLayerNorm(n *Node) error {
	x := n.Inputs[0]
	axis, err := normalAxis(n.Attrs.Int("axis", -1), len(x.Shape))
	if err != nil {
		return err
	}
	if axis != len(x.Shape)-1 {
		return fmt.Errorf("only the last axis can be normalised, not axis %d of %v", axis, x.Shape)
	}
	for i := 1; i < len(n.Inputs); i++ {
		if w := n.Inputs[i]; w != nil && !w.Shape.Equal(x.Shape[axis:]) {
			return fmt.Errorf("operand %d has shape %v, not %v", i, w.Shape, x.Shape[axis:])
		}
	}
	stats := x.Shape.with(axis, Static(1))
	for i, o := range n.Outputs {
		o.DType, o.Shape = x.DType, x.Shape
		if i > 0 { // Mean, InvStdDev
			o.Shape = stats
		}
	}
	return nil
}

func inferReduce(n *Node) error {
	x := n.Inputs[0]
	gone, err := reducedAxes(n)
	if err != nil {
		return err
	}
	out := Shape{}
	for i, d := range x.Shape {
		switch {
		case !gone[i]:
			out = append(out, d)
		case n.Attrs.Int("keepdims", 1) == 1:
			out = append(out, Static(1))
		}
	}
	return n.set(x.DType, out)
}

// reducedAxes are the axes that a reduction removes: the literal operand, or all where it is absent.
func reducedAxes(n *Node) (map[int]bool, error) {
	rank := len(n.Inputs[0].Shape)
	if len(n.Inputs) > 1 && n.Inputs[1] != nil {
		axes, err := n.literal(1)
		if err != nil {
			return nil, err
		}
		if len(axes) > 0 {
			return axisSet(axes, rank)
		}
	}
	if n.Attrs.Int("noop_with_empty_axes", 0) != 0 {
		return map[int]bool{}, nil
	}
	all := map[int]bool{}
	for i := range rank {
		all[i] = true
	}
	return all, nil
}

// inferCumSum handles CumSum(x, axis), the axis a literal of one element.
func inferCumSum(n *Node) error {
	if _, err := scanAxis(n); err != nil {
		return err
	}
	return inferSame(n)
}

// scanAxis is the axis that a cumulative sum runs along.
func scanAxis(n *Node) (int, error) {
	axis, err := n.literal(1)
	if err != nil {
		return 0, err
	}
	if len(axis) != 1 {
		return 0, fmt.Errorf("%d axes are given, not 1", len(axis))
	}
	return normalAxis(axis[0], len(n.Inputs[0].Shape))
}

func inferCast(n *Node) error {
	switch to := DType(n.Attrs.Int("to", int64(Float32))); to {
	case Float32, Uint8, Int64, Bool:
		return n.set(to, n.Inputs[0].Shape)
	default:
		return fmt.Errorf("%v is no element type of these graphs; use float32, uint8, int64 or bool", to)
	}
}

func inferShape(n *Node) error {
	x := n.Inputs[0]
	return n.set(Int64, StaticShape(len(x.Shape)))
}

func inferDequantize(n *Node) error {
	x := n.Inputs[0]
	return n.set(Float32, x.Shape)
}
