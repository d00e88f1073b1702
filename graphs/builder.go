package graphs

import "fmt"

// Builder appends nodes to a graph and infers their shapes. The first error sticks and is returned by Err,
// so that formulas read as formulas.
type Builder struct {
	g      *Graph
	err    error
	consts map[string]*Value // literals already made, by their printed form
	table  map[string]operator
	shapes map[string]*Value // run-time shape vectors already made, by symbolic shape
}

// NewBuilder returns a builder that appends to g.
func NewBuilder(g *Graph) *Builder {
	return &Builder{g: g, table: operators, consts: map[string]*Value{}, shapes: map[string]*Value{}}
}

// Err returns the first error of any call, or nil.
func (b *Builder) Err() error { return b.err }

// fail records err if it is the first, and returns a harmless placeholder so that building can go on.
func (b *Builder) fail(err error) *Value {
	if b.err == nil {
		b.err = err
	}
	return &Value{Name: "invalid", DType: Float32, Shape: Shape{}}
}

// Input declares a value fed with each batch.
func (b *Builder) Input(name string, t DType, dims ...Dim) *Value {
	v := &Value{Name: name, Kind: Input, DType: t, Shape: dims}
	b.g.Inputs = append(b.g.Inputs, v)
	return v
}

// Parameter declares a trained float tensor; declaring a name twice returns the same value (shared weights).
func (b *Builder) Parameter(name string, dims ...int) *Value {
	if v := b.g.Parameter(name); v != nil {
		return v
	}
	v := &Value{Name: name, Kind: Parameter, DType: Float32, Shape: StaticShape(dims...)}
	b.g.Parameters = append(b.g.Parameters, v)
	return v
}

// Const returns a literal of the given type and sizes.
func (b *Builder) Const(t DType, sizes []int, elements ...float64) *Value {
	key := fmt.Sprint(t, sizes, elements)
	if v, ok := b.consts[key]; ok {
		return v
	}
	v := &Value{Kind: Constant, DType: t, Shape: StaticShape(sizes...), Literal: elements}
	if want := v.Shape.Product().Coef; want != len(elements) {
		return b.fail(fmt.Errorf("building a constant of shape %v: %d elements given, %d needed", v.Shape, len(elements), want))
	}
	b.consts[key] = v
	return v
}

// Scalar returns a float32 scalar literal.
func (b *Builder) Scalar(x float64) *Value { return b.Const(Float32, []int{}, x) }

// Ints returns a one-dimensional int64 literal.
func (b *Builder) Ints(x ...int64) *Value {
	f := make([]float64, len(x))
	for i, v := range x {
		f[i] = float64(v)
	}
	return b.Const(Int64, []int{len(x)}, f...)
}

// Op appends one operator with a single output.
func (b *Builder) Op(op string, attrs Attrs, inputs ...*Value) *Value {
	return b.OpN(op, 1, attrs, inputs...)[0]
}

// OpN appends one operator with n outputs.
func (b *Builder) OpN(op string, n int, attrs Attrs, inputs ...*Value) []*Value {
	node := &Node{Op: op, Attrs: attrs, Inputs: inputs}
	for range n {
		node.Outputs = append(node.Outputs, &Value{Producer: node})
	}
	if b.err != nil {
		for _, o := range node.Outputs {
			o.DType, o.Shape = Float32, Shape{}
		}
		return node.Outputs
	}
	spec, ok := b.table[op]
	if !ok {
		b.fail(&UnknownOpError{Op: op, Inputs: describe(inputs)})
		return node.Outputs
	}
	if err := spec.shape(node); err != nil {
		b.fail(fmt.Errorf("inferring the shape of %s(%s): %w", op, describe(inputs), err))
		return node.Outputs
	}
	b.g.Nodes = append(b.g.Nodes, node)
	return node.Outputs
}

// Element-wise shorthands.
func (b *Builder) Add(x, y *Value) *Value    { return b.Op("Add", nil, x, y) }
func (b *Builder) Sub(x, y *Value) *Value    { return b.Op("Sub", nil, x, y) }
func (b *Builder) Mul(x, y *Value) *Value    { return b.Op("Mul", nil, x, y) }
func (b *Builder) Div(x, y *Value) *Value    { return b.Op("Div", nil, x, y) }
func (b *Builder) MatMul(x, y *Value) *Value { return b.Op("MatMul", nil, x, y) }

// Scale multiplies by a literal.
func (b *Builder) Scale(x *Value, s float64) *Value { return b.Mul(x, b.Scalar(s)) }

// Transpose permutes dimensions. A transpose of a transpose becomes one, or none where they cancel.
func (b *Builder) Transpose(x *Value, perm ...int64) *Value {
	if p := x.Producer; p != nil && p.Op == "Transpose" && isPermutation(perm, len(x.Shape)) {
		inner := p.Attrs.Ints("perm")
		composed, identity := make([]int64, len(perm)), true
		for i, k := range perm {
			composed[i] = inner[k]
			identity = identity && inner[k] == int64(i)
		}
		if identity {
			return p.Inputs[0]
		}
		x, perm = p.Inputs[0], composed
	}
	return b.Op("Transpose", Attrs{"perm": perm}, x)
}

// Unsqueeze inserts a dimension of size 1 at axis.
func (b *Builder) Unsqueeze(x *Value, axes ...int64) *Value {
	return b.Op("Unsqueeze", nil, x, b.Ints(axes...))
}

// Squeeze removes the dimensions of size 1 at axes, or, where none are given, every dimension that is 1 for any batch.
func (b *Builder) Squeeze(x *Value, axes ...int64) *Value {
	if len(axes) == 0 {
		for i, d := range x.Shape {
			if d.Is(1) {
				axes = append(axes, int64(i))
			}
		}
		if len(axes) == 0 {
			return x
		}
	}
	return b.Op("Squeeze", nil, x, b.Ints(axes...))
}

// Concat joins along axis.
func (b *Builder) Concat(axis int64, xs ...*Value) *Value {
	return b.Op("Concat", Attrs{"axis": axis}, xs...)
}

// Split cuts x along axis into parts of the given sizes.
func (b *Builder) Split(x *Value, axis int64, sizes ...int64) []*Value {
	return b.OpN("Split", len(sizes), Attrs{"axis": axis}, x, b.Ints(sizes...))
}

// Sum reduces by addition over axes; keep keeps them with size 1.
func (b *Builder) Sum(x *Value, keep bool, axes ...int64) *Value {
	return b.reduce("ReduceSum", x, keep, axes)
}

// Mean reduces by averaging over axes; keep keeps them with size 1.
func (b *Builder) Mean(x *Value, keep bool, axes ...int64) *Value {
	return b.reduce("ReduceMean", x, keep, axes)
}

func (b *Builder) reduce(op string, x *Value, keep bool, axes []int64) *Value {
	k := int64(0)
	if keep {
		k = 1
	}
	return b.Op(op, Attrs{"keepdims": k}, x, b.Ints(axes...))
}

// Reshape gives x the symbolic shape to. The target is a literal where ONNX can say it with 0 (copy the
// dimension) and one -1 (infer), and otherwise a vector computed from the batch at run time.
func (b *Builder) Reshape(x *Value, to Shape) *Value {
	if x.Shape.Equal(to) {
		return x
	}
	if x.Shape.Product() != to.Product() {
		return b.fail(fmt.Errorf("reshaping %v to %v: the element counts %v and %v differ", x.Shape, to, x.Shape.Product(), to.Product()))
	}
	sizes, free := make([]int64, len(to)), 0
	for i, d := range to {
		switch {
		case d.IsStatic():
			sizes[i] = int64(d.Coef)
		case i < len(x.Shape) && x.Shape[i] == d:
			sizes[i] = 0
		default:
			sizes[i] = -1
			free++
		}
	}
	var target *Value
	if free <= 1 {
		target = b.Ints(sizes...)
	} else {
		target = b.ShapeOf(to)
	}
	return b.Op("Reshape", Attrs{"to": to}, x, target)
}

// ShapeOf returns an int64 vector that holds the sizes of a symbolic shape at run time, computed from the
// graph's batch inputs.
func (b *Builder) ShapeOf(s Shape) *Value {
	if v, ok := b.shapes[s.String()]; ok {
		return v
	}
	parts := make([]*Value, len(s))
	for i, d := range s {
		parts[i] = b.dim(d)
	}
	v := b.Concat(0, parts...)
	b.shapes[s.String()] = v
	return v
}

// dim returns an int64 vector of one element that holds the dimension's size at run time.
func (b *Builder) dim(d Dim) *Value {
	if d.IsStatic() {
		return b.Ints(int64(d.Coef))
	}
	key := d.String()
	if v, ok := b.shapes[key]; ok {
		return v
	}
	var v *Value
	if source, axis := b.findDim(d); source != nil {
		sizes := b.Op("Shape", nil, source)
		v = b.Op("Slice", nil, sizes, b.Ints(int64(axis)), b.Ints(int64(axis)+1), b.Ints(0))
	} else if d == Batch || d == Tokens {
		v = b.fail(fmt.Errorf("computing the size %v at run time: no input has a dimension of it", d))
	} else if d == Span {
		v = b.Sub(b.dim(Static(2).Mul(Tokens)), b.Ints(1))
	} else {
		v = b.Ints(int64(d.Coef))
		for range d.B {
			v = b.Mul(v, b.dim(Batch))
		}
		for range d.T {
			v = b.Mul(v, b.dim(Tokens))
		}
		for range d.S {
			v = b.Mul(v, b.dim(Span))
		}
	}
	b.shapes[key] = v
	return v
}

// findDim looks for an input that carries the dimension itself.
func (b *Builder) findDim(d Dim) (*Value, int) {
	for _, in := range b.g.Inputs {
		for axis, e := range in.Shape {
			if e == d {
				return in, axis
			}
		}
	}
	return nil, 0
}
