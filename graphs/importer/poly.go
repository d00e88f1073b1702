package importer

import (
	"cmp"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// poly is a polynomial Σ coef·Bᴮ·Tᵀ in the batch size B ≥ 1 and the token count T ≥ 1, its terms ordered by exponents
// and none of them zero. It is what a size, an index or a literal comes to.
type poly []term

type term struct {
	coef float64
	b, t int
}

// Bounds that no encoder reaches; beyond them a polynomial counts as unknown.
const (
	maxTerms    = 16
	maxExponent = 8
)

func number(x float64) poly {
	if x == 0 {
		return nil
	}
	return poly{{coef: x}}
}

func dimension(d graphs.Dim) poly {
	if d.Coef == 0 {
		return nil
	}
	return poly{{float64(d.Coef), d.B, d.T}}
}

// collect adds equal terms up.
func collect(terms []term) poly {
	slices.SortFunc(terms, func(x, y term) int { return cmp.Or(x.b-y.b, x.t-y.t) })
	var out poly
	for _, t := range terms {
		if n := len(out); n > 0 && out[n-1].b == t.b && out[n-1].t == t.t {
			out[n-1].coef += t.coef
		} else {
			out = append(out, t)
		}
	}
	return slices.DeleteFunc(out, func(t term) bool { return t.coef == 0 })
}

func (p poly) plus(q poly) poly { return collect(slices.Concat(p, q)) }

func (p poly) minus(q poly) poly { return p.plus(q.times(number(-1))) }

func (p poly) times(q poly) poly {
	var terms []term
	for _, x := range p {
		for _, y := range q {
			terms = append(terms, term{x.coef * y.coef, x.b + y.b, x.t + y.t})
		}
	}
	return collect(terms)
}

// sane reports a polynomial of a size that encoders have, with finite coefficients.
func (p poly) sane() bool {
	for _, t := range p {
		if t.b > maxExponent || t.t > maxExponent || math.IsNaN(t.coef) {
			return false
		}
	}
	return len(p) <= maxTerms
}

func (p poly) equal(q poly) bool { return slices.Equal(p, q) }

// constant returns the value of a polynomial without B and T.
func (p poly) constant() (float64, bool) {
	switch {
	case len(p) == 0:
		return 0, true
	case len(p) == 1 && p[0].b == 0 && p[0].t == 0:
		return p[0].coef, true
	}
	return 0, false
}

// is reports the constant x.
func (p poly) is(x float64) bool {
	v, ok := p.constant()
	return ok && v == x
}

// dim returns the polynomial as a dimension, where it is one.
func (p poly) dim() (graphs.Dim, bool) {
	if len(p) == 0 {
		return graphs.Static(0), true
	}
	c := p[0].coef
	if len(p) > 1 || c < 0 || c > math.MaxInt32 || c != math.Trunc(c) {
		return graphs.Dim{}, false
	}
	return graphs.Dim{Coef: int(c), B: p[0].b, T: p[0].t}, true
}

// over divides by a monomial, where that leaves whole exponents.
func (p poly) over(q poly) (poly, bool) {
	if len(q) != 1 {
		return nil, false
	}
	out := slices.Clone(p)
	for i := range out {
		t := &out[i]
		t.coef, t.b, t.t = t.coef/q[0].coef, t.b-q[0].b, t.t-q[0].t
		if t.b < 0 || t.t < 0 {
			return nil, false
		}
	}
	return out, true
}

// sign is +1, 0 or −1 where the polynomial has that sign for all B, T ≥ 1, and whether that is known. It uses that
// Σ coef·Bᴮ·Tᵀ with one-signed coefficients of non-constant terms is extreme at B = T = 1.
func (p poly) sign() (int, bool) {
	least, rising, falling := 0.0, true, true
	for _, t := range p {
		least += t.coef
		if t.b > 0 || t.t > 0 {
			rising, falling = rising && t.coef > 0, falling && t.coef < 0
		}
	}
	switch {
	case len(p) == 0:
		return 0, true
	case rising && least > 0:
		return 1, true
	case falling && least < 0:
		return -1, true
	}
	return 0, false
}

// never reports a polynomial that is below zero (want −1) or above it (want +1) nowhere.
func (p poly) never(want int) bool {
	at, rising, falling := 0.0, true, true
	for _, t := range p {
		at += t.coef
		if t.b > 0 || t.t > 0 {
			rising, falling = rising && t.coef > 0, falling && t.coef < 0
		}
	}
	return want < 0 && rising && at >= 0 || want > 0 && falling && at <= 0
}
