package graphs

import (
	"fmt"
	"math"
)

// Shape functions of the operators that select or place elements.

func inferGather(n *Node) error {
	x := n.Inputs[0]
	index := n.Inputs[1]
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	if err := integers(index); err != nil {
		return err
	}
	if err := withinDimension(index, x.Shape[axis]); err != nil {
		return err
	}
	out := append(Shape{}, x.Shape[:axis]...)
	out = append(out, index.Shape...)
	return n.set(x.DType, append(out, x.Shape[axis+1:]...))
}

func integers(index *Value) error {
	if index.DType != Int64 {
		return fmt.Errorf("indices must be int64, not %v", index.DType)
	}
	return nil
}

// withinDimension checks literal indices, negative ones counted from the end, against a static dimension.
func withinDimension(index *Value, d Dim) error {
	if index.Kind != Constant || !d.IsStatic() {
		return nil
	}
	for _, v := range index.Literal {
		if v >= float64(d.Coef) || v < -float64(d.Coef) {
			return fmt.Errorf("index %v lies outside dimension %v", v, d)
		}
	}
	return nil
}

// inferGatherND handles y[b…, i…] = x[b…, index[b…, i…]] with batch_dims leading dimensions b in common.
func inferGatherND(n *Node) error {
	x, index := n.Inputs[0], n.Inputs[1]
	if err := integers(index); err != nil {
		return err
	}
	batch := int(n.Attrs.Int("batch_dims", 0))
	depth, err := indexDepth(x.Shape, index.Shape, batch)
	if err != nil {
		return err
	}
	if !x.Shape[:batch].Equal(index.Shape[:batch]) {
		return fmt.Errorf("the first %d dimensions of %v and %v differ", batch, x.Shape, index.Shape)
	}
	out := append(Shape{}, index.Shape[:len(index.Shape)-1]...)
	return n.set(x.DType, append(out, x.Shape[batch+depth:]...))
}

// indexDepth is how many dimensions of data an index of shape [..., depth] names after the batch dimensions.
func indexDepth(data, index Shape, batch int) (int, error) {
	if batch < 0 || batch >= min(len(data), len(index)) {
		return 0, fmt.Errorf("%d batch dimensions of data %v and indices %v", batch, data, index)
	}
	last := index[len(index)-1]
	if !last.IsStatic() || last.Coef < 1 || batch+last.Coef > len(data) {
		return 0, fmt.Errorf("indices of shape %v do not fit data of shape %v", index, data)
	}
	return last.Coef, nil
}

// inferGatherElements handles y[i] = x[i with index[i] along axis].
func inferGatherElements(n *Node) error {
	x, index := n.Inputs[0], n.Inputs[1]
	if err := alongAxis(n, x, index); err != nil {
		return err
	}
	return n.set(x.DType, index.Shape)
}

// alongAxis checks an operator that addresses data by an index of its rank along attribute axis.
func alongAxis(n *Node, data, index *Value) error {
	if _, err := normalAxis(n.Attrs.Int("axis", 0), len(data.Shape)); err != nil {
		return err
	}
	if len(index.Shape) != len(data.Shape) {
		return fmt.Errorf("indices %v and data %v differ in rank", index.Shape, data.Shape)
	}
	return integers(index)
}

func inferScatterND(n *Node) error {
	x, index, updates := n.Inputs[0], n.Inputs[1], n.Inputs[2]
	if err := integers(index); err != nil {
		return err
	}
	depth, err := indexDepth(x.Shape, index.Shape, 0)
	if err != nil {
		return err
	}
	want := append(append(Shape{}, index.Shape[:len(index.Shape)-1]...), x.Shape[depth:]...)
	return inferScatter(n, updates, want)
}

func inferScatterElements(n *Node) error {
	x, index, updates := n.Inputs[0], n.Inputs[1], n.Inputs[2]
	if err := alongAxis(n, x, index); err != nil {
		return err
	}
	return inferScatter(n, updates, index.Shape)
}

// inferScatter checks what is placed and how.
func inferScatter(n *Node, updates *Value, want Shape) error {
	if !updates.Shape.Equal(want) || updates.DType != n.Inputs[0].DType {
		return fmt.Errorf("updates are %v%v, not %v%v", updates.DType, updates.Shape, n.Inputs[0].DType, want)
	}
	if r, ok := n.Attrs["reduction"]; ok && r != "none" && r != "add" {
		return fmt.Errorf("reduction is %v; none and add are supported", r)
	}
	return inferSame(n)
}

// inferSlice handles Slice(x, starts, ends, axes, steps). Bounds are literals or run-time vectors; the attribute "to"
// then gives the resulting shape, which the builder knows symbolically. Steps are literals.
func inferSlice(n *Node) error {
	x := n.Inputs[0]
	if to, ok := n.Attrs["to"].(Shape); ok {
		if len(to) != len(x.Shape) {
			return fmt.Errorf("%v is no part of %v", to, x.Shape)
		}
		return n.set(x.DType, to)
	}
	cuts, err := sliceCuts(n)
	if err != nil {
		return err
	}
	out := append(Shape{}, x.Shape...)
	for axis, c := range cuts {
		if c.count < 1 {
			return fmt.Errorf("dimension %v is cut to nothing", x.Shape[axis])
		}
		if c.count < whole {
			out[axis] = Static(c.count)
		}
	}
	return n.set(x.DType, out)
}

// cut is a selection along one axis: begin, begin + step, …, count of them; whole for all there are.
type cut struct{ begin, step, count int }

const whole = math.MaxInt

// sliceCuts reads the literal bounds of a Slice by axis.
func sliceCuts(n *Node) (map[int]cut, error) {
	x := n.Inputs[0]
	var parts [4][]int64 // starts, ends, axes, steps
	for i := range parts {
		if i == 3 && (len(n.Inputs) < 5 || n.Inputs[4] == nil) {
			for range parts[0] {
				parts[3] = append(parts[3], 1)
			}
			break
		}
		var err error
		if parts[i], err = n.literal(i + 1); err != nil {
			return nil, err
		}
	}
	starts, ends, axes, steps := parts[0], parts[1], parts[2], parts[3]
	if len(starts) != len(axes) || len(ends) != len(axes) || len(steps) != len(axes) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes and %d steps must be as many", len(starts), len(ends), len(axes), len(steps))
	}
	out := map[int]cut{}
	for i, a := range axes {
		k, err := normalAxis(a, len(x.Shape))
		if err != nil {
			return nil, err
		}
		c, ok := cutOf(starts[i], ends[i], steps[i], x.Shape[k])
		if !ok {
			return nil, fmt.Errorf("range %d:%d:%d of dimension %v is not known before the batch is", starts[i], ends[i], steps[i], x.Shape[k])
		}
		out[k] = c
	}
	return out, nil
}

// cutOf resolves bounds as ONNX does: negative ones count from the end, those outside move to the border. Of a
// dimension that depends on the batch it knows the whole, the first and the last element.
func cutOf(start, end, step int64, d Dim) (cut, bool) {
	if step == 0 {
		return cut{}, false
	}
	if !d.IsStatic() {
		switch {
		case step == 1 && start == 0 && end >= math.MaxInt32:
			return cut{0, 1, whole}, true
		case step == 1 && start == 0 && end == 1:
			return cut{0, 1, 1}, true
		case step == 1 && start == -1 && end >= math.MaxInt32:
			return cut{-1, 1, 1}, true
		}
		return cut{}, false
	}
	size := int64(d.Coef)
	low, high := int64(0), size // borders of start and end
	if step < 0 {
		low, high = -1, size-1
	}
	bound := func(v int64) int64 {
		if v < 0 {
			v += size
		}
		return min(max(v, low), high)
	}
	from, to := bound(start), bound(end)
	if step < 0 {
		return cut{int(from), int(step), int((from - to - step - 1) / -step)}, true
	}
	return cut{int(from), int(step), int((to - from + step - 1) / step)}, true
}

// inferSplit handles Split(x, sizes) along attribute axis, or into num_outputs equal parts.
func inferSplit(n *Node) error {
	x := n.Inputs[0]
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	sizes, err := splitSizes(n, x.Shape[axis])
	if err != nil {
		return err
	}
	for i, o := range n.Outputs {
		o.DType, o.Shape = x.DType, x.Shape.with(axis, sizes[i])
	}
	return nil
}

// splitSizes are the sizes of the outputs along the axis of dimension d.
func splitSizes(n *Node, d Dim) (Shape, error) {
	count := len(n.Outputs)
	if len(n.Inputs) > 1 && n.Inputs[1] != nil {
		sizes, err := n.literal(1)
		if err != nil {
			return nil, err
		}
		out, rest := make(Shape, len(sizes)), int64(d.Coef)
		for i, s := range sizes {
			if s < 1 || s > rest {
				rest = -1
				break
			}
			out[i], rest = Static(int(s)), rest-s
		}
		if len(sizes) != count || !d.IsStatic() || rest != 0 {
			return nil, fmt.Errorf("dimension %v does not split into the sizes %v of %d outputs", d, sizes, count)
		}
		return out, nil
	}
	if n.Attrs.Int("num_outputs", 0) != int64(count) || count == 0 || d.Coef%count != 0 {
		return nil, fmt.Errorf("dimension %v does not split into %d equal outputs for num_outputs %d", d, count, n.Attrs.Int("num_outputs", 0))
	}
	d.Coef /= count
	out := make(Shape, count)
	for i := range out {
		out[i] = d
	}
	return out, nil
}
