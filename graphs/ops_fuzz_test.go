package graphs_test

import (
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// bytesReader hands out the fuzzer's bytes, and zeros when they are used up.
type bytesReader []byte

func (r *bytesReader) below(n int) int {
	if len(*r) == 0 {
		return 0
	}
	b := (*r)[0]
	*r = (*r)[1:]
	return int(b) % n
}

// Whatever an operator is given, its shape function and its gradient rule return an error or a graph that checks.
func FuzzOperators(f *testing.F) {
	ops := graphs.Operators()
	for i := range ops {
		f.Add([]byte{byte(i)}, "")
		f.Add([]byte{byte(i), 2, 9, 3, 4, 11, 12, 13, 1, 2, 3, 4, 5, 6}, "ij,jk->ik")
		f.Add([]byte{byte(i), 3, 1, 1, 1, 9, 9, 9, 0, 7, 255, 3, 128, 6}, "...d,...d->...")
	}
	dims := []graphs.Dim{dimB, dimT, dim(1), dim(2), dim(3), dimB.Mul(dimT), {Coef: 2, B: 1}}
	numbers := []float64{0, 1, -1, 2, 3, -3, 1 << 62, -1 << 63, 0.5}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		r := bytesReader(data)
		g, b := newGraph()
		op := ops[r.below(len(ops))]
		sizes := b.Input("sizes", graphs.Int64, dimB, dimT)
		shape := func() graphs.Shape {
			s := make(graphs.Shape, r.below(4))
			for i := range s {
				s[i] = dims[r.below(len(dims))]
			}
			return s
		}
		var in, floats []*graphs.Value
		for i := range r.below(5) {
			name := string(rune('a' + i))
			switch r.below(6) {
			case 0:
				in = append(in, nil)
			case 1:
				in = append(in, sizes)
			case 2:
				in = append(in, b.Input(name, graphs.Bool, shape()...))
			case 3:
				literal := make([]int64, r.below(4))
				for k := range literal {
					literal[k] = int64(numbers[r.below(8)])
				}
				in = append(in, b.Ints(literal...))
			case 4:
				in = append(in, b.Const([]graphs.DType{graphs.Int64, graphs.Float32}[r.below(2)], []int{}, numbers[r.below(8)]))
			default:
				x := b.Input(name, graphs.Float32, shape()...)
				in, floats = append(in, x), append(floats, x)
			}
		}
		attrs := graphs.Attrs{"equation": text}
		for _, name := range []string{"axis", "keepdims", "batch_dims", "num_outputs", "to", "noop_with_empty_axes", "fmod", "transA", "upper"} {
			if v := r.below(5); v > 0 {
				attrs[name] = int64(v - 2)
			}
		}
		switch r.below(4) {
		case 0:
			attrs["to"] = shape()
		case 1:
			attrs["perm"] = []int64{int64(r.below(3)), int64(r.below(3)) - 1}
		case 2:
			attrs["reduction"], attrs["mode"], attrs["approximate"] = text, text, text
		}
		outputs := b.OpN(op, 1+r.below(3), attrs, in...)
		if b.Err() != nil {
			return
		}
		if err := graphs.Check(g); err != nil {
			t.Fatalf("%v\n%v", err, g)
		}
		y := outputs[len(outputs)-1]
		if y.DType != graphs.Float32 {
			return
		}
		if _, err := b.Differentiate(y, b.Input("u", graphs.Float32, y.Shape...), floats); err != nil {
			return
		}
		if err := graphs.Check(g); err != nil {
			t.Fatalf("after differentiation: %v\n%v", err, g)
		}
	})
}
