package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// Names, literals and shapes.

// identity renames. An initialiser under the name of another parameter is one that the exporter found equal and
// merged; it gets a copy of its own, for training makes them differ.
func (im *importer) identity(n *node) ([]*value, error) {
	v, name := n.in[0], n.Outputs[0]
	if v.tensor != nil && isModuleName(name) && name != v.name {
		return []*value{{name: name, dtype: v.dtype, shape: v.shape, tensor: v.tensor}}, nil
	}
	return []*value{v}, nil
}

func (im *importer) constant(n *node) ([]*value, error) {
	for _, a := range n.Attributes {
		switch x := a.Value.(type) {
		case *onnxpb.Tensor:
			v, err := im.initialiser(n.Outputs[0], x, false)
			return []*value{v}, err
		case int64:
			return []*value{folded(uniform(graphs.Shape{}, number(float64(x))), graphs.Int64)}, nil
		case float32:
			return []*value{folded(uniform(graphs.Shape{}, number(float64(x))), graphs.Float32)}, nil
		case []int64:
			return im.listConstant(len(x), graphs.Int64, func(i int) float64 { return float64(x[i]) }), nil
		case []float32:
			return im.listConstant(len(x), graphs.Float32, func(i int) float64 { return float64(x[i]) }), nil
		}
	}
	return nil, fmt.Errorf("it holds no tensor of numbers")
}

func (im *importer) listConstant(n int, t graphs.DType, at func(int) float64) []*value {
	data := make([]float64, n)
	for i := range data {
		data[i] = at(i)
	}
	shape := graphs.StaticShape(n)
	if c := literal(shape, data); c != nil {
		return []*value{folded(c, t)}
	}
	return im.results(im.Const(t, []int{n}, data...))
}

func (im *importer) constantOfShape(n *node) ([]*value, error) {
	shape, err := n.shape(0)
	if err != nil {
		return nil, err
	}
	x, t := 0.0, graphs.Float32
	if tensor, ok := n.attribute("value").(*onnxpb.Tensor); ok {
		data, err := im.numbers(tensor)
		if err != nil {
			return nil, err
		}
		if len(data) != 1 {
			return nil, fmt.Errorf("its value has %d elements, not one", len(data))
		}
		if t, err = elementType(tensor.DataType); err != nil {
			return nil, err
		}
		x = data[0]
	}
	return []*value{folded(uniform(shape, number(x)), t)}, nil
}

// shape reads operand i as sizes.
func (n *node) shape(i int) (graphs.Shape, error) {
	v := n.operand(i)
	if v == nil || v.known == nil {
		return nil, fmt.Errorf("the sizes in operand %d are computed from the batch's content; they must follow from its shape", i)
	}
	s, ok := v.known.asShape()
	if !ok {
		return nil, fmt.Errorf("operand %d is no list of sizes in the batch size and the token count", i)
	}
	return s, nil
}

func (im *importer) shapeOf(n *node) ([]*value, error) {
	s := n.in[0].shape
	bound := func(name string, def int) int {
		k := int(n.int(name, int64(def)))
		if k < 0 {
			k += len(s)
		}
		return max(0, min(len(s), k))
	}
	start, end := bound("start", 0), bound("end", len(s))
	var list []poly
	for _, d := range s[start:max(start, end)] {
		list = append(list, dimension(d))
	}
	return []*value{folded(vector(list...), graphs.Int64)}, nil
}

func (im *importer) size(n *node) ([]*value, error) {
	return []*value{folded(uniform(graphs.Shape{}, dimension(n.in[0].shape.Product())), graphs.Int64)}, nil
}

func (im *importer) rangeOf(n *node) ([]*value, error) {
	var bounds [3]poly
	for i, v := range n.in[:3] {
		if v.known == nil {
			return nil, fmt.Errorf("its bounds are computed from the batch's content; they must follow from its shape")
		}
		p, ok := v.known.uniformly()
		if !ok {
			return nil, fmt.Errorf("operand %d is no scalar", i)
		}
		bounds[i] = p
	}
	step, ok := bounds[2].constant()
	span, whole := bounds[1].minus(bounds[0]).over(number(step))
	if !ok || step == 0 || !whole {
		return nil, fmt.Errorf("its step is not a constant other than 0")
	}
	if x, isNumber := span.constant(); isNumber {
		span = number(math.Max(0, math.Ceil(x)))
	}
	d, ok := span.dim()
	if !ok {
		return nil, fmt.Errorf("its length is no product of batch size and token count")
	}
	return []*value{folded(ramp(graphs.Shape{d}, bounds[0], bounds[2]), n.in[0].dtype)}, nil
}

func (im *importer) cast(n *node) ([]*value, error) {
	to, err := elementType(int32(n.int("to", 1)))
	if err != nil {
		return nil, fmt.Errorf("casting to what cannot be trained: %w", err)
	}
	return im.castTo(n.in[0], to)
}

func (im *importer) castLike(n *node) ([]*value, error) {
	return im.castTo(n.in[0], n.in[1].dtype)
}

func (im *importer) castTo(v *value, to graphs.DType) ([]*value, error) {
	if v.dtype == to {
		return []*value{v}, nil
	}
	if v.known != nil {
		c := v.known
		switch {
		case to == graphs.Bool:
			zero := uniform(graphs.Shape{}, nil)
			if c = pointwise(folders["Equal"], c, zero); c != nil {
				c = pointwise(folders["Not"], c)
			}
		case to == graphs.Int64 && slices.ContainsFunc(c.elems, func(e affine) bool { return !e.start.whole() }):
			c = pointwise(onNumbers(func(x []float64) float64 { return math.Trunc(x[0]) }), c)
		}
		if c != nil {
			return []*value{folded(c, to)}, nil
		}
	}
	x := im.small(v)
	if v.dtype == graphs.Float32 && to == graphs.Int64 { // infinities, which buckets of positions discard, have no integer
		x = im.Op("Clip", nil, x, im.Scalar(math.MinInt32), im.Scalar(math.MaxInt32))
	}
	return []*value{computed(im.Op("Cast", graphs.Attrs{"to": int64(to)}, x), v.shape)}, nil
}

// dropout becomes the marker that the dropout pass works on, whatever probability and mode the file says.
func (im *importer) dropout(n *node) ([]*value, error) {
	im.dropouts++
	return im.results(im.Op("Dropout", nil, im.whole(n.in[0]))), nil
}
