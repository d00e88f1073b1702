package graphs

import "fmt"

// Shape functions of element-wise operators of two operands and more.

// inferBroadcast serves operators whose operands have one element type, which the result has too.
func inferBroadcast(n *Node) error {
	x := n.Inputs[0]
	s, t := x.Shape, x.DType
	for i := range n.Inputs[1:] {
		y, err := n.operand(i + 1)
		if err != nil {
			return err
		}
		if y.DType != t {
			return fmt.Errorf("element types %v and %v differ", t, y.DType)
		}
		if s, err = broadcast(s, y.Shape); err != nil {
			return err
		}
	}
	return n.set(t, s)
}

func inferCompare(n *Node) error {
	if err := inferBroadcast(n); err != nil {
		return err
	}
	return n.set(Bool, n.Outputs[0].Shape)
}

func inferLogic(n *Node) error {
	if x := n.Inputs[0]; x.DType != Bool {
		return fmt.Errorf("operands must be bool, not %v", x.DType)
	}
	return inferBroadcast(n)
}

func inferIsNaN(n *Node) error {
	if x := n.Inputs[0]; x.DType != Float32 {
		return fmt.Errorf("the operand must be float32, not %v", x.DType)
	}
	return n.set(Bool, n.Inputs[0].Shape)
}

// inferPow handles powers; the exponent may have a type of its own.
func inferPow(n *Node) error {
	s, err := broadcast(n.Inputs[0].Shape, n.Inputs[1].Shape)
	if err != nil {
		return err
	}
	return n.set(n.Inputs[0].DType, s)
}

// inferMod handles remainders; those of floats have the sign of the dividend, which fmod = 1 says.
func inferMod(n *Node) error {
	if n.Inputs[0].DType == Float32 && n.Attrs.Int("fmod", 0) != 1 {
		return fmt.Errorf("fmod must be 1 for %v", n.Inputs[0].DType)
	}
	return inferBroadcast(n)
}

func inferWhere(n *Node) error {
	c, x, y := n.Inputs[0], n.Inputs[1], n.Inputs[2]
	if c.DType != Bool || x.DType != y.DType {
		return fmt.Errorf("a bool and two operands of one type are wanted, not %v, %v and %v", c.DType, x.DType, y.DType)
	}
	s, err := broadcast(x.Shape, y.Shape)
	if err != nil {
		return err
	}
	if s, err = broadcast(c.Shape, s); err != nil {
		return err
	}
	return n.set(x.DType, s)
}

// inferClip handles Clip(x, min, max) with scalar bounds, either of which may be absent.
func inferClip(n *Node) error {
	x := n.Inputs[0]
	for _, v := range n.Inputs[1:] {
		if v != nil && (len(v.Shape) != 0 || v.DType != x.DType) {
			return fmt.Errorf("bound %v%v must be a scalar of type %v", v.DType, v.Shape, x.DType)
		}
	}
	return inferSame(n)
}
