package importer

import (
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Arithmetic on contents. Each function returns nil where the result is not known at import.

// broadcast is ONNX multidirectional broadcasting of symbolic shapes.
func broadcast(shapes ...graphs.Shape) (graphs.Shape, bool) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make(graphs.Shape, rank)
	for k := range out {
		out[k] = graphs.Static(1)
	}
	for _, s := range shapes {
		for i, d := range s {
			switch k := rank - len(s) + i; {
			case d.Is(1) || d == out[k]:
			case out[k].Is(1):
				out[k] = d
			default:
				return nil, false
			}
		}
	}
	return out, true
}

// pointwise applies f to the elements of broadcast operands. The extents of the dimensions go with them, for
// comparisons need the range of an index.
func pointwise(f func(shape graphs.Shape, x []affine) (affine, bool), operands ...*content) *content {
	var shapes []graphs.Shape
	for _, c := range operands {
		if c == nil {
			return nil
		}
		shapes = append(shapes, c.shape)
	}
	shape, ok := broadcast(shapes...)
	if !ok {
		return nil
	}
	listed := make([]bool, len(shape))
	for _, c := range operands {
		for i, l := range c.listed {
			if l && !c.shape[i].Is(1) {
				listed[len(shape)-len(c.shape)+i] = true
			}
		}
	}
	return tabulate(shape, listed, func(index []int) (affine, bool) {
		x := make([]affine, len(operands))
		for k, c := range operands {
			x[k] = c.broadcastAt(index, listed)
		}
		return f(shape, x)
	})
}

// broadcastAt is the element at an index of a shape that c broadcasts to, its steps those of that shape.
func (c *content) broadcastAt(index []int, fixed []bool) affine {
	extra := len(index) - len(c.shape)
	own := slices.Clone(index[extra:])
	for i, d := range c.shape {
		if d.Is(1) {
			own[i] = 0
		}
	}
	e := c.at(own, fixed[extra:])
	out := affine{e.start, make([]poly, len(index))}
	for i, s := range e.step {
		if !c.shape[i].Is(1) {
			out.step[extra+i] = s
		}
	}
	return out
}

// bounds returns the least and the greatest value over all indices.
func (a affine) bounds(shape graphs.Shape) (low, high poly, ok bool) {
	low, high = a.start, a.start
	for k, s := range a.step {
		sign, known := s.sign()
		if !known {
			return nil, nil, false
		}
		last := s.times(dimension(shape[k]).minus(number(1)))
		if sign > 0 {
			high = high.plus(last)
		} else {
			low = low.plus(last)
		}
	}
	return low, high, true
}

// flat returns an element that no index changes.
func (a affine) flat() (poly, bool) {
	return a.start, !slices.ContainsFunc(a.step, func(s poly) bool { return len(s) > 0 })
}

func truth(b bool) poly {
	if b {
		return number(1)
	}
	return nil
}

// folders are the element-wise operators on affine elements, by ONNX name.
var folders = map[string]func(shape graphs.Shape, x []affine) (affine, bool){
	"Add": func(_ graphs.Shape, x []affine) (affine, bool) { return combine(x[0], x[1], poly.plus), true },
	"Sub": func(_ graphs.Shape, x []affine) (affine, bool) { return combine(x[0], x[1], poly.minus), true },
	"Mul": func(_ graphs.Shape, x []affine) (affine, bool) {
		if p, ok := x[0].flat(); ok {
			return scale(x[1], p), true
		}
		p, ok := x[1].flat()
		return scale(x[0], p), ok
	},
	"Neg": func(_ graphs.Shape, x []affine) (affine, bool) { return scale(x[0], number(-1)), true },
	"Equal": compare(func(low, high poly) (bool, bool) {
		return len(low) == 0 && len(high) == 0, low.positive() || high.negative()
	}),
	"Less":           compare(func(low, high poly) (bool, bool) { return high.negative(), low.never(-1) }),
	"LessOrEqual":    compare(func(low, high poly) (bool, bool) { return high.never(1), low.positive() }),
	"Greater":        compare(func(low, high poly) (bool, bool) { return low.positive(), high.never(1) }),
	"GreaterOrEqual": compare(func(low, high poly) (bool, bool) { return low.never(-1), high.negative() }),
	"Min":            func(shape graphs.Shape, x []affine) (affine, bool) { return extreme(shape, x, -1) },
	"Max":            func(shape graphs.Shape, x []affine) (affine, bool) { return extreme(shape, x, 1) },
	"And":            onNumbers(func(x []float64) float64 { return min(x[0], x[1]) }),
	"Or":             onNumbers(func(x []float64) float64 { return max(x[0], x[1]) }),
	"Not":            onNumbers(func(x []float64) float64 { return 1 - x[0] }),
	"Where": func(_ graphs.Shape, x []affine) (affine, bool) {
		p, ok := x[0].flat()
		if c, isNumber := p.constant(); !ok || !isNumber {
			return affine{}, false
		} else if c != 0 {
			return x[1], true
		}
		return x[2], true
	},
	"Sqrt":       onNumbers(func(x []float64) float64 { return math.Sqrt(x[0]) }),
	"Reciprocal": onNumbers(func(x []float64) float64 { return 1 / x[0] }),
	"Exp":        onNumbers(func(x []float64) float64 { return math.Exp(x[0]) }),
	"Log":        onNumbers(func(x []float64) float64 { return math.Log(x[0]) }),
	"Abs":        onNumbers(func(x []float64) float64 { return math.Abs(x[0]) }),
	"Pow":        onNumbers(func(x []float64) float64 { return math.Pow(x[0], x[1]) }),
	"Floor":      onNumbers(func(x []float64) float64 { return math.Floor(x[0]) }),
	"Ceil":       onNumbers(func(x []float64) float64 { return math.Ceil(x[0]) }),
}

func combine(x, y affine, f func(poly, poly) poly) affine {
	out := affine{f(x.start, y.start), make([]poly, len(x.step))}
	for k := range out.step {
		out.step[k] = f(x.step[k], y.step[k])
	}
	return out
}

func scale(x affine, p poly) affine {
	out := affine{x.start.times(p), make([]poly, len(x.step))}
	for k, s := range x.step {
		out.step[k] = s.times(p)
	}
	return out
}

func onNumbers(f func([]float64) float64) func(graphs.Shape, []affine) (affine, bool) {
	return func(shape graphs.Shape, x []affine) (affine, bool) {
		in := make([]float64, len(x))
		for i, e := range x {
			p, ok := e.flat()
			if !ok {
				return affine{}, false
			}
			if in[i], ok = p.constant(); !ok {
				return affine{}, false
			}
		}
		y := f(in)
		return affine{number(y), make([]poly, len(shape))}, !math.IsNaN(y)
	}
}

func (p poly) positive() bool { s, ok := p.sign(); return ok && s > 0 }
func (p poly) negative() bool { s, ok := p.sign(); return ok && s < 0 }

// compare decides a comparison by the bounds of x − y: whether it holds everywhere, and whether it fails everywhere.
func compare(decide func(low, high poly) (always, never bool)) func(graphs.Shape, []affine) (affine, bool) {
	return func(shape graphs.Shape, x []affine) (affine, bool) {
		low, high, ok := combine(x[0], x[1], poly.minus).bounds(shape)
		if !ok {
			return affine{}, false
		}
		always, never := decide(low, high)
		return affine{truth(always), make([]poly, len(shape))}, always != never
	}
}

// extreme is the minimum (side −1) or maximum (side 1) of operands of which one is the extreme everywhere.
func extreme(shape graphs.Shape, x []affine, side int) (affine, bool) {
	best := x[0]
	for _, e := range x[1:] {
		low, high, ok := combine(e, best, poly.minus).bounds(shape)
		switch {
		case !ok:
			return affine{}, false
		case side > 0 && low.never(-1) || side < 0 && high.never(1):
			best = e
		case side > 0 && high.never(1) || side < 0 && low.never(-1):
		default:
			return affine{}, false
		}
	}
	return best, true
}

// divide is exact division, truncated toward zero where both are integers.
func divide(x, y *content, integer bool) *content {
	return pointwise(func(shape graphs.Shape, e []affine) (affine, bool) {
		p, ok := e[1].flat()
		if !ok || len(p) == 0 {
			return affine{}, false
		}
		a, isNumber := e[0].start.constant()
		b, isDivisor := p.constant()
		if _, flat := e[0].flat(); flat && isNumber && isDivisor {
			q := a / b
			if integer {
				q = math.Trunc(q)
			}
			return affine{number(q), make([]poly, len(shape))}, true
		}
		out := affine{nil, make([]poly, len(shape))}
		if out.start, ok = e[0].start.over(p); !ok || integer && !out.start.whole() {
			return affine{}, false
		}
		for k, s := range e[0].step {
			if out.step[k], ok = s.over(p); !ok || integer && !out.step[k].whole() {
				return affine{}, false
			}
		}
		return out, true
	}, x, y)
}

// whole reports integer coefficients.
func (p poly) whole() bool {
	return !slices.ContainsFunc(p, func(t term) bool { return t.coef != math.Trunc(t.coef) })
}
