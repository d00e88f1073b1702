package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// value is what an ONNX tensor name stands for: known content, an initialiser not yet used, or a computed tensor.
//
// A computed tensor is kept as small as it is: compact broadcasts to shape. So Expand costs nothing, and a mask that
// an exporter stretched to [B, 1, T, T] stays [B, 1, 1, T] until something needs all of it.
type value struct {
	name    string // in the file
	dtype   graphs.DType
	shape   graphs.Shape // as the file has it
	known   *content
	tensor  *onnxpb.Tensor // initialiser that becomes a parameter when it is read
	compact *graphs.Value
	merged  *value               // of which this is a view whose first dimension joins the leading ones
	nanOf   *value               // IsNaN of it
	later   func() *graphs.Value // computes compact when it is read: index arithmetic of which often only the shape is
}

// computed makes a value of a graph's value, stretched to a shape.
func computed(v *graphs.Value, shape graphs.Shape) *value {
	return &value{dtype: v.DType, shape: shape, compact: v}
}

// folded makes a value of known content.
func folded(c *content, t graphs.DType) *value {
	return &value{dtype: t, shape: c.shape, known: c}
}

// is reports the number x everywhere.
func (v *value) is(x float64) bool {
	if v == nil || v.known == nil {
		return false
	}
	p, ok := v.known.uniformly()
	return ok && p.is(x)
}

// number returns the one number that v holds everywhere.
func (v *value) number() (float64, bool) {
	if v == nil || v.known == nil {
		return 0, false
	}
	p, ok := v.known.uniformly()
	if !ok {
		return 0, false
	}
	return p.constant()
}

// small returns the graph's value of v in its compact form.
func (im *importer) small(v *value) *graphs.Value {
	if v.compact != nil {
		return v.compact
	}
	if v.tensor != nil {
		v.compact = im.parameter(v)
		return v.compact
	}
	if v.later != nil {
		v.compact = v.later()
		return v.compact
	}
	v.compact = im.materialise(v)
	return v.compact
}

// view is v in another shape, past the views that v itself is.
func (im *importer) view(v *graphs.Value, to graphs.Shape) *graphs.Value {
	if t := im.unmerged(v, to); t != nil {
		return t
	}
	for {
		n := producedBy(v, "Reshape")
		if n == nil {
			n = producedBy(v, "Unsqueeze")
		}
		if n == nil {
			return im.Reshape(v, to)
		}
		v = n.Inputs[0]
	}
}

// unmerged recognises a transposition between two views, of which the first joins leading dimensions and the second
// takes them apart again, as the dynamo exporter writes kᵀ. It is one transposition of all dimensions, or nil.
func (im *importer) unmerged(v *graphs.Value, to graphs.Shape) *graphs.Value {
	turn := producedBy(v, "Transpose")
	if turn == nil {
		return nil
	}
	perm := turn.Attrs.Ints("perm")
	merge := producedBy(turn.Inputs[0], "Reshape")
	if merge == nil || perm[0] != 0 {
		return nil
	}
	x, merged := merge.Inputs[0], merge.Outputs[0].Shape
	extra := len(x.Shape) - len(merged)
	if extra < 1 || !x.Shape[extra+1:].Equal(merged[1:]) {
		return nil
	}
	full, shape := make([]int64, len(x.Shape)), make(graphs.Shape, len(x.Shape))
	for i := range full {
		full[i] = int64(i)
		if i > extra {
			full[i] = perm[i-extra] + int64(extra)
		}
		shape[i] = x.Shape[full[i]]
	}
	if !shape.Equal(to) {
		return nil
	}
	return im.Transpose(x, full...)
}

// whole returns the graph's value of v in its full shape.
func (im *importer) whole(v *value) *graphs.Value {
	x := im.small(v)
	if x.Shape.Equal(v.shape) {
		return x
	}
	return im.Op("Expand", graphs.Attrs{"to": v.shape}, x, im.ShapeOf(v.shape))
}

// materialise computes known content at run time.
func (im *importer) materialise(v *value) *graphs.Value {
	c := v.known
	if p, ok := c.uniformly(); ok {
		if x, isNumber := p.constant(); isNumber {
			return im.Const(v.dtype, slices.Repeat([]int{1}, len(c.shape)), im.finite(x))
		}
	}
	once := c.once()
	if numbers, ok := once.constants(); ok {
		for i, x := range numbers {
			numbers[i] = im.finite(x)
		}
		return im.Const(v.dtype, sizes(once.shape), numbers...)
	}
	if s, ok := c.asShape(); ok && v.dtype == graphs.Int64 {
		return im.Reshape(im.ShapeOf(s), c.shape)
	}
	if ramp := im.materialiseRamp(v); ramp != nil {
		return ramp
	}
	im.fail(fmt.Errorf("index arithmetic of shape %v that depends on the batch does not come out as positions, sizes or a mask; export the encoder with dynamic axes for batch and tokens only", v.shape))
	return im.Const(graphs.Int64, nil, 0)
}

// materialiseRamp computes start + Σ step·i with one counter 0, 1, …, T−1 for each dimension that matters; nil where
// the content is something else.
func (im *importer) materialiseRamp(v *value) *graphs.Value {
	c := v.known
	if len(c.elems) != 1 || v.dtype != graphs.Int64 {
		return nil
	}
	start, ok := c.elems[0].start.constant()
	if !ok {
		return nil
	}
	sum := im.Const(graphs.Int64, nil, start)
	for k, s := range c.elems[0].step {
		step, isNumber := s.constant()
		if !isNumber || step != 0 && c.shape[k] != graphs.Tokens {
			return nil
		}
		if step == 0 {
			continue
		}
		to := make(graphs.Shape, len(c.shape)-k) // trailing dimensions; broadcasting adds the leading ones
		for i := range to {
			to[i] = graphs.Static(1)
		}
		to[0] = graphs.Tokens
		sum = im.Add(sum, im.Mul(im.Reshape(im.positions(), to), im.Const(graphs.Int64, nil, step)))
	}
	return sum
}

// positions is the vector 0, 1, …, T−1.
func (im *importer) positions() *graphs.Value {
	if im.counter == nil {
		scalar := func(x float64) *graphs.Value { return im.Const(graphs.Int64, nil, x) }
		tokens := im.Reshape(im.ShapeOf(graphs.Shape{graphs.Tokens}), graphs.Shape{})
		im.counter = im.Op("Range", graphs.Attrs{"to": graphs.Shape{graphs.Tokens}}, scalar(0), tokens, scalar(1))
	}
	return im.counter
}

// finite replaces the infinities of masks by the largest float32: a softmax gives the same weights, and a row without
// any unmasked element stays a number.
func (im *importer) finite(x float64) float64 {
	return max(-math.MaxFloat32, min(math.MaxFloat32, x))
}

func sizes(s graphs.Shape) []int {
	out := make([]int, len(s))
	for i, d := range s {
		out[i] = d.Coef
	}
	return out
}

// parameter declares an initialiser as a trained tensor and reads its data.
func (im *importer) parameter(v *value) *graphs.Value {
	data, err := im.floats(v.tensor)
	if err != nil {
		im.fail(err)
		return im.Const(graphs.Float32, nil, 0)
	}
	if isBuffer(v.name) {
		return im.Const(graphs.Float32, sizes(v.shape), widen(data)...)
	}
	if _, twice := im.weights[v.name]; !twice {
		im.weights[v.name] = graphs.Weight{Name: v.name, Shape: sizes(v.shape), Data: data}
	}
	return im.Parameter(v.name, sizes(v.shape)...)
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
