package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// elementwise translates an operator that works element by element under broadcasting. Known operands fold; neutral
// ones disappear. A result type of 0 is the first operand's.
func elementwise(op string, t graphs.DType) func(*importer, *node) ([]*value, error) {
	return func(im *importer, n *node) ([]*value, error) {
		v, err := im.pointwise(op, t, n.in...)
		return []*value{v}, err
	}
}

func (im *importer) pointwise(op string, t graphs.DType, in ...*value) (*value, error) {
	shapes := make([]graphs.Shape, len(in))
	contents := make([]*content, len(in))
	for i, v := range in {
		if v == nil {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
		shapes[i], contents[i] = v.shape, v.known
	}
	shape, ok := broadcast(shapes...)
	if !ok {
		return nil, fmt.Errorf("its operands' shapes %v do not broadcast", shapes)
	}
	if t == 0 {
		t = in[0].dtype
	}
	if fold := folders[op]; fold != nil {
		if c := pointwise(fold, contents...); c != nil {
			return folded(c, t), nil
		}
	}
	if len(in) == 2 {
		if v := im.withoutNeutral(op, in[0], in[1], shape); v != nil {
			return v, nil
		}
	}
	compute := func() *graphs.Value {
		operands := make([]*graphs.Value, len(in))
		for i, v := range in {
			operands[i] = im.small(v)
		}
		return im.fused(im.Op(op, nil, operands...))
	}
	if !slices.Contains(contents, nil) {
		return &value{dtype: t, shape: shape, later: compute}, nil
	}
	return computed(compute(), shape), nil
}

// neutral is the operand that changes nothing: x + 0, x − 0, x·1, x/1, x ∧ true, x ∨ false.
var neutral = map[string]struct {
	number float64
	either bool // on either side
}{
	"Add": {0, true}, "Sub": {0, false}, "Mul": {1, true}, "Div": {1, false}, "And": {1, true}, "Or": {0, true},
}

func (im *importer) withoutNeutral(op string, x, y *value, shape graphs.Shape) *value {
	rule, ok := neutral[op]
	switch {
	case !ok:
		return nil
	case y.is(rule.number):
	case rule.either && x.is(rule.number):
		x = y
	default:
		return nil
	}
	return computed(im.small(x), shape)
}

func (im *importer) div(n *node) ([]*value, error) {
	x, y := n.in[0], n.in[1]
	if x.known != nil && y.known != nil {
		if c := divide(x.known, y.known, x.dtype == graphs.Int64); c != nil {
			return []*value{folded(c, x.dtype)}, nil
		}
	}
	return elementwise("Div", 0)(im, n)
}

// pow writes small exponents as products, which is what they are differentiated as.
func (im *importer) pow(n *node) ([]*value, error) {
	x := n.in[0]
	exponent, ok := n.in[1].number()
	if ok && x.known == nil {
		switch exponent {
		case 0.5:
			v, err := im.pointwise("Sqrt", 0, x)
			return []*value{v}, err
		case 1:
			return []*value{x}, nil
		case 2, 3:
			v := im.small(x)
			y := im.Mul(v, v)
			if exponent == 3 {
				y = im.Mul(y, v)
			}
			return []*value{computed(y, x.shape)}, nil
		}
	}
	return elementwise("Pow", 0)(im, n)
}

// where chooses. An additive mask, 0 where a token counts and a large negative number where not, becomes
// (1 − mask)·number, what the native families compute.
func (im *importer) where(n *node) ([]*value, error) {
	cond, x, y := n.in[0], n.in[1], n.in[2]
	shape, ok := broadcast(cond.shape, x.shape, y.shape)
	if !ok {
		return nil, fmt.Errorf("its operands' shapes %v, %v and %v do not broadcast", cond.shape, x.shape, y.shape)
	}
	if c, known := cond.number(); known {
		if c == 0 {
			x = y
		}
		if x.known != nil {
			if e := pointwise(func(_ graphs.Shape, e []affine) (affine, bool) { return e[0], true }, x.known, uniform(shape, nil)); e != nil {
				return []*value{folded(e, x.dtype)}, nil
			}
		}
		return []*value{computed(im.small(x), shape)}, nil
	}
	if cond.nanOf != nil && cond.nanOf == y && x.is(0) {
		return []*value{y}, nil // a softmax with a token to attend to is a number
	}
	a, constA := x.number()
	b, constB := y.number()
	if n := im.truthOf(cond); n != nil && n == y.compact {
		b, constB = 0, true // y where y is 0
	}
	if cond.known == nil && x.dtype == graphs.Float32 && constA && constB && (a == 0) != (b == 0) {
		return []*value{computed(im.additiveMask(im.small(cond), a, b), shape)}, nil
	}
	v, err := im.pointwise("Where", x.dtype, cond, x, y)
	return []*value{v}, err
}

// truthOf is the tensor whose elements other than 0 a condition is true for, nil where it is known as none.
func (im *importer) truthOf(cond *value) *graphs.Value {
	if cond.known != nil || cond.later != nil {
		return nil
	}
	if n := producedBy(im.small(cond), "Cast"); n != nil {
		return n.Inputs[0]
	}
	return nil
}

// maskKey is an additive mask: the condition and what it chooses between.
type maskKey struct {
	cond *graphs.Value
	a, b float64
}

// additiveMask is a where cond holds and b elsewhere, one of them 0. Layers that compute the same one share it.
func (im *importer) additiveMask(cond *graphs.Value, a, b float64) *graphs.Value {
	key := maskKey{cond, a, b}
	if im.masks[key] == nil {
		m := im.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, cond)
		if a == 0 {
			m, a = im.Sub(im.Scalar(1), m), b
		}
		im.masks[key] = im.Scale(m, im.finite(a))
	}
	return im.masks[key]
}

// isNaN guards a softmax over nothing but masked tokens; where looks through it.
func (im *importer) isNaN(n *node) ([]*value, error) {
	x := n.in[0]
	later := func() *graphs.Value { return im.Op("IsNaN", nil, im.small(x)) }
	return []*value{{dtype: graphs.Bool, shape: x.shape, later: later, nanOf: x}}, nil
}

func (im *importer) clip(n *node) ([]*value, error) {
	if n.operand(1) == nil && n.operand(2) == nil {
		return []*value{n.in[0]}, nil
	}
	operands := []*graphs.Value{im.small(n.in[0]), nil, nil}
	for i := 1; i < 3; i++ {
		if v := n.operand(i); v != nil {
			operands[i] = im.Reshape(im.small(v), graphs.Shape{})
		}
	}
	return []*value{computed(im.Op("Clip", nil, operands...), n.in[0].shape)}, nil
}

// matMul keeps weights as the file has them. A number that exporters multiply the queries, the keys or both by goes
// behind the product, where one multiplication does.
func (im *importer) matMul(n *node) ([]*value, error) {
	x, a := unscaled(im.whole(n.in[0]))
	y, b := unscaled(im.whole(n.in[1]))
	z := im.MatMul(x, y)
	if a*b != 1 {
		z = im.Scale(z, a*b)
	}
	return im.results(z), nil
}

// unscaled splits x·c with a literal c; of other values it is 1.
func unscaled(v *graphs.Value) (*graphs.Value, float64) {
	if n := producedBy(v, "Mul"); n != nil {
		for i, w := range n.Inputs {
			if c, ok := scalar(w); ok && n.Inputs[1-i].Shape.Equal(v.Shape) {
				return n.Inputs[1-i], c
			}
		}
	}
	return v, 1
}

// gemm becomes the product and the sum it stands for; the Gemm pass joins them again after the passes that read them.
func (im *importer) gemm(n *node) ([]*value, error) {
	turned := func(v *value, attribute string) *graphs.Value {
		x := im.whole(v)
		if n.int(attribute, 0) != 0 {
			return im.Transpose(x, 1, 0)
		}
		return x
	}
	if len(n.in[0].shape) != 2 || len(n.in[1].shape) != 2 {
		return nil, fmt.Errorf("operands %v and %v must have two dimensions", n.in[0].shape, n.in[1].shape)
	}
	y := im.MatMul(turned(n.in[0], "transA"), turned(n.in[1], "transB"))
	if alpha := n.float("alpha", 1); alpha != 1 {
		y = im.Scale(y, alpha)
	}
	if c := n.operand(2); c != nil {
		bias := im.small(c)
		if beta := n.float("beta", 1); beta != 1 {
			bias = im.Scale(bias, beta)
		}
		y = im.Add(y, bias)
	}
	return im.results(y), nil
}

// fusedMatMul is com.microsoft's alpha·x·y with either operand's last dimensions exchanged.
func (im *importer) fusedMatMul(n *node) ([]*value, error) {
	turned := func(v *value, attribute string) *graphs.Value {
		x := im.whole(v)
		if n.int(attribute, 0) == 0 || len(x.Shape) < 2 {
			return x
		}
		perm := make([]int64, len(x.Shape))
		for i := range perm {
			perm[i] = int64(i)
		}
		last := len(perm) - 1
		perm[last], perm[last-1] = perm[last-1], perm[last]
		return im.Transpose(x, perm...)
	}
	if n.int("transBatchA", 0) != 0 || n.int("transBatchB", 0) != 0 {
		return nil, fmt.Errorf("transposed batches are not supported; %s", unfused)
	}
	y := im.MatMul(turned(n.in[0], "transA"), turned(n.in[1], "transB"))
	if alpha := n.float("alpha", 1); alpha != 1 {
		y = im.Scale(y, alpha)
	}
	return im.results(y), nil
}

func (im *importer) softmax(n *node) ([]*value, error) {
	x := im.whole(n.in[0])
	k, err := axis(n.int("axis", -1), len(x.Shape))
	if err != nil {
		return nil, err
	}
	a := int64(k)
	if k == len(x.Shape)-1 {
		a = -1
	}
	return im.results(im.Op(n.OpType, graphs.Attrs{"axis": a}, x)), nil
}

// reduce reads its axes as attribute or operand; without any it reduces all dimensions.
func (im *importer) reduce(n *node) ([]*value, error) {
	x := n.in[0]
	list, ok, err := n.ints("axes", 1)
	if err != nil {
		return nil, err
	}
	if (!ok || len(list) == 0) && n.int("noop_with_empty_axes", 0) != 0 {
		return []*value{x}, nil
	}
	gone, err := axes(list, len(x.shape))
	if err != nil {
		return nil, err
	}
	if len(gone) == 0 {
		for k := range x.shape {
			gone = append(gone, k)
		}
	}
	operand := make([]int64, len(gone))
	for i, k := range gone {
		operand[i] = int64(k)
	}
	keep := n.int("keepdims", 1)
	return im.results(im.Op(n.OpType, graphs.Attrs{"keepdims": keep}, im.whole(x), im.Ints(operand...))), nil
}

// reduceProd multiplies sizes together, as exporters join dimensions; a product of what is computed has no gradient.
func (im *importer) reduceProd(n *node) ([]*value, error) {
	x := n.in[0]
	along, _, err := n.ints("axes", 1)
	if err != nil {
		return nil, err
	}
	if _, err := axes(along, len(x.shape)); err != nil {
		return nil, err
	}
	if x.known == nil || len(x.shape) != 1 || len(along) == 0 && n.int("noop_with_empty_axes", 0) != 0 {
		return im.reduce(n)
	}
	list, ok := x.known.list()
	if !ok {
		return im.reduce(n)
	}
	product := number(1)
	for _, p := range list {
		if product = product.times(p); !product.sane() {
			return nil, fmt.Errorf("the product of %d sizes is larger than any tensor", len(list))
		}
	}
	shape := graphs.Shape{}
	if n.int("keepdims", 1) != 0 {
		shape = graphs.StaticShape(1)
	}
	return []*value{folded(uniform(shape, product), x.dtype)}, nil
}

func (im *importer) layerNorm(n *node) ([]*value, error) {
	x := im.whole(n.in[0])
	k, err := axis(n.int("axis", -1), len(x.Shape))
	if err != nil {
		return nil, err
	}
	if k != len(x.Shape)-1 {
		return nil, fmt.Errorf("it normalises from dimension %d of %v on; only the last dimension can be", k, x.Shape)
	}
	var bias *graphs.Value
	if v := n.operand(2); v != nil {
		bias = im.small(v)
	}
	return im.results(im.normalised(x, im.small(n.in[1]), bias, n.float("epsilon", 1e-5))), nil
}

// normalised is LayerNormalization over the last dimension.
func (im *importer) normalised(x, weight, bias *graphs.Value, epsilon float64) *graphs.Value {
	operands := []*graphs.Value{x, weight}
	if bias != nil {
		operands = append(operands, bias)
	}
	return im.Op("LayerNormalization", graphs.Attrs{"axis": int64(-1), "epsilon": epsilon}, operands...)
}

// skipLayerNorm is com.microsoft's LayerNorm(x + skip + bias).
func (im *importer) skipLayerNorm(n *node) ([]*value, error) {
	x := im.whole(n.in[0])
	if v := n.operand(4); v != nil {
		x = im.Add(x, im.small(v))
	}
	x = im.Add(x, im.whole(n.in[1]))
	var bias *graphs.Value
	if v := n.operand(3); v != nil {
		bias = im.small(v)
	}
	y := im.normalised(x, im.small(n.in[2]), bias, n.float("epsilon", 1e-12))
	out := im.results(y)
	if len(n.Outputs) > 3 && slices.Contains(n.Outputs[1:3], "") { // the sum itself is the fourth output
		out = append(out, nil, nil, computed(x, x.Shape))
	}
	return out, nil
}

// hardSigmoid is max(0, min(1, alpha·x + beta)).
func (im *importer) hardSigmoid(n *node) ([]*value, error) {
	x := n.in[0]
	attrs := graphs.Attrs{"alpha": n.float("alpha", 0.2), "beta": n.float("beta", 0.5)}
	return []*value{computed(im.Op("HardSigmoid", attrs, im.small(x)), x.shape)}, nil
}

func (im *importer) gelu(n *node) ([]*value, error) {
	attrs := graphs.Attrs{}
	switch kind := n.text("approximate", "none"); kind {
	case "none":
	case "tanh":
		attrs["approximate"] = "tanh"
	default:
		return nil, fmt.Errorf("approximate is %q; it must be none or tanh", kind)
	}
	x := n.in[0]
	return []*value{computed(im.Op("Gelu", attrs, im.small(x)), x.shape)}, nil
}

// biasGelu is com.microsoft's Gelu(x + bias) and FastGelu, by tanh, with or without bias.
func (im *importer) biasGelu(n *node) ([]*value, error) {
	x, attrs := im.whole(n.in[0]), graphs.Attrs{}
	if v := n.operand(1); v != nil {
		x = im.Add(x, im.small(v))
	}
	if n.OpType == "FastGelu" {
		attrs["approximate"] = "tanh"
	}
	return im.results(im.Op("Gelu", attrs, x)), nil
}

// quickGelu is x·σ(αx).
func (im *importer) quickGelu(n *node) ([]*value, error) {
	x := im.whole(n.in[0])
	alpha := n.float("alpha", 1.702)
	if math.Abs(alpha-1) < 1e-6 {
		return im.results(im.Mul(x, im.Op("Sigmoid", nil, x))), nil
	}
	return im.results(im.Mul(x, im.Op("Sigmoid", nil, im.Scale(x, alpha)))), nil
}
