package optim

import (
	"fmt"
	"iter"
	"math"
	"math/bits"
)

// RowSet is a set of rows of an embedding table.
type RowSet struct {
	rows  int
	words []uint64
}

// NewRowSet returns the empty set for a table of that many rows.
func NewRowSet(rows int) *RowSet { return &RowSet{rows, make([]uint64, (rows+63)/64)} }

// NonZeroRows returns the rows of cols elements in which any of the tensors, all of one size, has an element other
// than +0. Of the moments read from a checkpoint, these are the rows that [AdamW.ApplyRows] calls ever.
func NonZeroRows(cols int, tensors ...[]float32) *RowSet {
	if len(tensors) == 0 || cols <= 0 {
		return NewRowSet(0)
	}
	s := NewRowSet(len(tensors[0]) / cols)
	for _, t := range tensors {
		for i, x := range t {
			if math.Float32bits(x) != 0 {
				s.Add(i / cols)
			}
		}
	}
	return s
}

// Add puts a row into the set. A row outside the table panics.
func (s *RowSet) Add(row int) {
	if row < 0 || row >= s.rows {
		panic(fmt.Sprintf("optim: row %d of a table of %d", row, s.rows))
	}
	s.words[row/64] |= 1 << (row % 64)
}

// Has reports whether the row is in the set.
func (s *RowSet) Has(row int) bool { return s.words[row/64]>>(row%64)&1 == 1 }

// Len returns the number of rows in the set.
func (s *RowSet) Len() (n int) {
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// All yields the rows of the set in ascending order.
func (s *RowSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s.words {
			for ; w != 0; w &= w - 1 {
				if !yield(64*i + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Clear empties the set.
func (s *RowSet) Clear() { clear(s.words) }

// union adds the rows of t, a set for the same table.
func (s *RowSet) union(t *RowSet) {
	for i, w := range t.words {
		s.words[i] |= w
	}
}

// ApplyRows is [AdamW.Apply], to the bit, for a table of rows of cols elements of which few have a gradient: those in
// touched. The others count as zero and g is not read there. ever holds the rows touched so far, to which those in
// touched are added; moments of rows outside it must be zero.
//
// A row never touched only decays, one touched before also moves by its moments. In fine-tuning a step touches about
// a thousand of 30,000 rows.
func (a AdamW) ApplyRows(p, g, m, v []float32, cols int, touched, ever *RowSet, s Step) {
	n := touched.rows * cols
	if ever.rows != touched.rows || len(p) != n || len(g) != n || len(m) != n || len(v) != n {
		panic(fmt.Sprintf("optim: AdamW of %d parameters with %d gradients and %d and %d moments, for %d and %d rows of %d",
			len(p), len(g), len(m), len(v), touched.rows, ever.rows, cols))
	}
	ever.union(touched)
	u, zeros := a.update(s), make([]float32, cols)
	parallel(touched.rows, max(1, piece/max(1, cols)), func(_, from, to int) {
		for row := from; row < to; row++ {
			lo, hi := row*cols, (row+1)*cols
			switch {
			case touched.Has(row):
				u.apply(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi])
			case ever.Has(row):
				u.apply(p[lo:hi], zeros, m[lo:hi], v[lo:hi])
			default:
				u.decay(p[lo:hi])
			}
		}
	})
}
