package eval

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// matMul is y[…, i, j] = Σₖ a[…, i, k]·b[…, k, j], leading dimensions broadcast.
func matMul(_ *graphs.Node, in []*Tensor) ([]Tensor, error) {
	a, b := in[0], in[1]
	p, q := len(a.Shape), len(b.Shape)
	rows, inner, columns := a.Shape[p-2], a.Shape[p-1], b.Shape[q-1]
	if b.Shape[q-2] != inner {
		return nil, fmt.Errorf("inner dimensions %d and %d differ", inner, b.Shape[q-2])
	}
	outer, err := broadcast(a.Shape[:p-2], b.Shape[:q-2])
	if err != nil {
		return nil, err
	}
	y := zeros(append(append([]int{}, outer...), rows, columns))
	// One matrix of a stack is the element of a tensor whose elements are matrices.
	as, bs := Tensor{Shape: a.Shape[:p-2]}, Tensor{Shape: b.Shape[:q-2]}
	k := 0
	each(outer, func(index []int) {
		am := a.Data[as.offset(index)*rows*inner:]
		bm := b.Data[bs.offset(index)*inner*columns:]
		for i := range rows {
			for j := range columns {
				sum := 0.0
				for l := range inner {
					sum += am[i*inner+l] * bm[l*columns+j]
				}
				y.Data[k] = sum
				k++
			}
		}
	})
	return one(y)
}

// gemm is y = α·A′·B′ + β·C, where A′ is A or, with transA, Aᵀ, likewise B′, and C broadcasts to y.
func gemm(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	a, err := matrix(in[0], n.Attrs.Int("transA", 0))
	if err != nil {
		return nil, err
	}
	b, err := matrix(in[1], n.Attrs.Int("transB", 0))
	if err != nil {
		return nil, err
	}
	ab, err := matMul(nil, []*Tensor{a, b})
	if err != nil {
		return nil, err
	}
	y := ab[0]
	for i := range y.Data {
		y.Data[i] *= n.Attrs.Float("alpha", 1)
	}
	if len(in) < 3 || in[2] == nil {
		return one(y)
	}
	c, k := in[2], 0
	each(y.Shape, func(index []int) {
		y.Data[k] += n.Attrs.Float("beta", 1) * c.at(index)
		k++
	})
	return one(y)
}

// matrix returns x, or with trans its transpose.
func matrix(x *Tensor, trans int64) (*Tensor, error) {
	if trans == 0 {
		return x, nil
	}
	y, err := permute(x, []int64{1, 0})
	return &y, err
}
