package graphs

import (
	"fmt"
	"strings"
)

// Dim is one symbolic dimension: the monomial Coef·Bᴮ·Tᵀ·Sˢ in the batch size B, the token count T and the span
// S = 2T − 1, the number of distances between two tokens.
//
// Every dimension of an encoder graph is such a product: 384 is {Coef: 384}, the tokens of a batch are
// {Coef: 1, T: 1}, the rows of a doubled batch {Coef: 2, B: 1}, and flattened rows B·T {Coef: 1, B: 1, T: 1}.
type Dim struct{ Coef, B, T, S int }

// The symbols of an encoder graph.
var (
	Batch  = Dim{Coef: 1, B: 1}
	Tokens = Dim{Coef: 1, T: 1}
	Span   = Dim{Coef: 1, S: 1}
)

// Static returns the dimension of constant size n.
func Static(n int) Dim { return Dim{Coef: n} }

// IsStatic reports whether the dimension does not depend on the batch.
func (d Dim) IsStatic() bool { return d.B == 0 && d.T == 0 && d.S == 0 }

// Is reports whether the dimension is the constant n.
func (d Dim) Is(n int) bool { return d.IsStatic() && d.Coef == n }

// Mul returns the product of two dimensions.
func (d Dim) Mul(e Dim) Dim { return Dim{d.Coef * e.Coef, d.B + e.B, d.T + e.T, d.S + e.S} }

// Size returns the dimension's value for a batch of the given size and token count.
func (d Dim) Size(batch, tokens int) int {
	n := d.Coef
	for range d.B {
		n *= batch
	}
	for range d.T {
		n *= tokens
	}
	for range d.S {
		n *= 2*tokens - 1
	}
	return n
}

// String writes the dimension as it appears in the printer and in ONNX dim_param: "384", "B", "2*B", "B*T".
func (d Dim) String() string {
	var parts []string
	if d.Coef != 1 || d.IsStatic() {
		parts = append(parts, fmt.Sprint(d.Coef))
	}
	for range d.B {
		parts = append(parts, "B")
	}
	for range d.T {
		parts = append(parts, "T")
	}
	for range d.S {
		parts = append(parts, "S")
	}
	return strings.Join(parts, "*")
}

// Shape is a list of symbolic dimensions, outermost first. A scalar has the empty shape.
type Shape []Dim

// StaticShape returns the shape of constant sizes n.
func StaticShape(n ...int) Shape {
	s := make(Shape, len(n))
	for i, v := range n {
		s[i] = Static(v)
	}
	return s
}

// Equal reports whether two shapes are the same symbol by symbol.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Product returns the number of elements as one symbolic dimension.
func (s Shape) Product() Dim {
	p := Static(1)
	for _, d := range s {
		p = p.Mul(d)
	}
	return p
}

// IsStatic reports whether no dimension depends on the batch.
func (s Shape) IsStatic() bool { return s.Product().IsStatic() }

// Sizes returns the concrete sizes for a batch of the given size and token count.
func (s Shape) Sizes(batch, tokens int) []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		out[i] = int64(d.Size(batch, tokens))
	}
	return out
}

// String writes the shape as "[B, T, 384]".
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// with returns a copy of s in which dimension axis is d.
func (s Shape) with(axis int, d Dim) Shape {
	t := append(Shape(nil), s...)
	t[axis] = d
	return t
}

// broadcast returns the shape of an element-wise operation on a and b under ONNX (NumPy) multidirectional
// broadcasting: shapes are aligned at the last dimension and a size of 1 stretches.
func broadcast(a, b Shape) (Shape, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append(Shape(nil), a...)
	offset := len(a) - len(b)
	for i, d := range b {
		switch e := a[offset+i]; {
		case d == e || d.Is(1):
		case e.Is(1):
			out[offset+i] = d
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast: %v against %v", a, b, e, d)
		}
	}
	return out, nil
}
