package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Layout. Of known content only the view changes; of a computed value the compact form is kept where that is possible.

func (im *importer) concat(n *node) ([]*value, error) {
	for i, v := range n.in {
		if v == nil {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
	}
	k, err := axis(n.int("axis", 0), len(n.in[0].shape))
	if err != nil {
		return nil, err
	}
	if c := concatKnown(n.in, k); c != nil {
		return []*value{folded(c, n.in[0].dtype)}, nil
	}
	list := make([]*graphs.Value, len(n.in))
	for i, v := range n.in {
		list[i] = im.whole(v)
	}
	return im.results(im.Concat(int64(k), list...)), nil
}

// concatKnown joins known content along an axis whose elements are, or can be, listed.
func concatKnown(list []*value, k int) *content {
	first := list[0].shape
	shape, listed, total := slices.Clone(first), make([]bool, len(first)), 0
	for _, v := range list {
		if v.known == nil || len(v.shape) != len(first) || !v.shape[k].IsStatic() {
			return nil
		}
		for i, l := range v.known.listed {
			listed[i] = listed[i] || l
			if i != k && v.shape[i] != first[i] {
				return nil
			}
		}
		if total += v.shape[k].Coef; total > maxListed {
			return nil
		}
	}
	shape[k], listed[k] = graphs.Static(total), true
	return tabulate(shape, listed, func(i []int) (affine, bool) {
		from := slices.Clone(i)
		for _, v := range list {
			if from[k] < v.shape[k].Coef {
				return v.known.at(from, listed), true
			}
			from[k] -= v.shape[k].Coef
		}
		return affine{}, false
	})
}

// reshape gives x new sizes: 0 keeps a dimension unless allowzero, one −1 takes what is left.
func (im *importer) reshape(n *node) ([]*value, error) {
	x, target := n.in[0], n.in[1]
	if target.known == nil {
		return nil, fmt.Errorf("its target is computed from the batch's content; it must follow from its shape")
	}
	list, ok := target.known.list()
	if !ok || len(target.shape) != 1 {
		return nil, fmt.Errorf("its target is no list of sizes")
	}
	to, free, rest := make(graphs.Shape, len(list)), -1, dimension(x.shape.Product())
	for i, p := range list {
		switch {
		case p.is(-1):
			if free >= 0 {
				return nil, fmt.Errorf("its target has more than one -1")
			}
			free = i
			continue
		case len(p) == 0 && n.int("allowzero", 0) == 0:
			if i >= len(x.shape) {
				return nil, fmt.Errorf("its target copies dimension %d of %v", i, x.shape)
			}
			to[i] = x.shape[i]
		default:
			if to[i], ok = p.dim(); !ok {
				return nil, fmt.Errorf("its target's dimension %d is no product of batch size and token count", i)
			}
		}
		if rest, ok = rest.over(dimension(to[i])); !ok {
			return nil, fmt.Errorf("the elements of %v do not fill its target; dimension %d is %v", x.shape, i, to[i])
		}
	}
	if free >= 0 {
		if to[free], ok = rest.dim(); !ok {
			return nil, fmt.Errorf("the elements of %v do not fill its target", x.shape)
		}
	}
	return im.reshaped(x, to)
}

func (im *importer) flatten(n *node) ([]*value, error) {
	s := n.in[0].shape
	k := n.int("axis", 1)
	if k < 0 {
		k += int64(len(s))
	}
	if k < 0 || k > int64(len(s)) {
		return nil, fmt.Errorf("axis %d is outside a tensor of %d dimensions", k, len(s))
	}
	return im.reshaped(n.in[0], graphs.Shape{s[:k].Product(), s[k:].Product()})
}

// reshaped is x as a tensor of shape to.
func (im *importer) reshaped(x *value, to graphs.Shape) ([]*value, error) {
	if to.Equal(x.shape) {
		return []*value{x}, nil
	}
	if to.Product() != x.shape.Product() {
		return nil, fmt.Errorf("%v does not hold the elements of %v", to, x.shape)
	}
	if x.known != nil {
		if c := x.known.viewed(to); c != nil {
			return []*value{folded(c, x.dtype)}, nil
		}
	}
	y := computed(im.view(im.whole(x), to), to)
	y.merged = x
	if x.merged != nil && len(to) > 0 && to[0] == x.shape[0] {
		y.merged = x.merged
	}
	return []*value{y}, nil
}

// viewed is known content in another shape: where only dimensions of 1 come and go, where everything is listed, or
// where all elements are equal.
func (c *content) viewed(to graphs.Shape) *content {
	if p, ok := c.uniformly(); ok {
		return uniform(to, p)
	}
	var from, onto []int
	for k, d := range c.shape {
		if !d.Is(1) {
			from = append(from, k)
		}
	}
	for k, d := range to {
		if !d.Is(1) {
			onto = append(onto, k)
		}
	}
	same := len(from) == len(onto)
	for i := range from {
		same = same && c.shape[from[i]] == to[onto[i]]
	}
	if same {
		listed := make([]bool, len(to))
		for i, k := range from {
			listed[onto[i]] = c.listed[k]
		}
		return tabulate(to, listed, func(index []int) (affine, bool) {
			own := make([]int, len(c.shape))
			for i, k := range from {
				own[k] = index[onto[i]]
			}
			e := c.at(own, nil)
			out := affine{e.start, make([]poly, len(to))}
			for i, k := range from {
				out.step[onto[i]] = e.step[k]
			}
			return out, true
		})
	}
	list, ok := c.list()
	if !ok {
		return nil
	}
	all := slices.Repeat([]bool{true}, len(to))
	next := 0
	return tabulate(to, all, func([]int) (affine, bool) {
		next++
		if next > len(list) {
			return affine{}, false
		}
		return affine{list[next-1], make([]poly, len(to))}, true
	})
}

func (im *importer) squeeze(n *node) ([]*value, error) {
	x := n.in[0]
	list, ok, err := n.ints("axes", 1)
	if err != nil {
		return nil, err
	}
	gone, err := axes(list, len(x.shape))
	if err != nil {
		return nil, err
	}
	to := graphs.Shape{}
	for k, d := range x.shape {
		drop := slices.Contains(gone, k)
		if drop && !d.Is(1) {
			return nil, fmt.Errorf("dimension %v of %v is not 1", d, x.shape)
		}
		if !drop && (ok || !d.Is(1)) {
			to = append(to, d)
		}
	}
	return im.reshaped(x, to)
}

func (im *importer) unsqueeze(n *node) ([]*value, error) {
	x := n.in[0]
	list, _, err := n.ints("axes", 1)
	if err != nil {
		return nil, err
	}
	rank := len(x.shape) + len(list)
	fresh, err := axes(list, rank)
	if err != nil {
		return nil, err
	}
	insert := func(s graphs.Shape) graphs.Shape {
		to, next := make(graphs.Shape, rank), 0
		for k := range to {
			if slices.Contains(fresh, k) {
				to[k] = graphs.Static(1)
				continue
			}
			to[k] = s[next]
			next++
		}
		return to
	}
	if x.known == nil && x.compact != nil && len(x.compact.Shape) == len(x.shape) {
		y := im.Unsqueeze(x.compact, list...)
		return []*value{computed(y, insert(x.shape))}, nil
	}
	return im.reshaped(x, insert(x.shape))
}

// expand stretches dimensions of 1. Nothing is computed until something needs all of the result.
func (im *importer) expand(n *node) ([]*value, error) {
	x := n.in[0]
	to, err := n.shape(1)
	if err != nil {
		return nil, err
	}
	shape, ok := broadcast(x.shape, to)
	if !ok {
		return nil, fmt.Errorf("%v does not stretch to %v", x.shape, to)
	}
	return []*value{im.stretched(x, shape)}, nil
}

// stretched is x with dimensions of 1 stretched to a shape.
func (im *importer) stretched(x *value, shape graphs.Shape) *value {
	if x.known != nil {
		y := pointwise(func(_ graphs.Shape, e []affine) (affine, bool) { return e[0], true }, x.known, uniform(shape, nil))
		if y != nil {
			return folded(y, x.dtype)
		}
	}
	return computed(im.small(x), shape)
}

// tile repeats x along every dimension. Where all that are repeated are of 1, it stretches them.
func (im *importer) tile(n *node) ([]*value, error) {
	x := n.in[0]
	times, err := n.shape(1)
	if err != nil {
		return nil, err
	}
	if len(times) != len(x.shape) {
		return nil, fmt.Errorf("%d repeats for %v, not %d", len(times), x.shape, len(x.shape))
	}
	to, stretches := make(graphs.Shape, len(times)), true
	for k, d := range x.shape {
		to[k] = d.Mul(times[k])
		if times[k].Coef < 1 || to[k].Coef > math.MaxInt32 {
			return nil, fmt.Errorf("dimension %v is repeated %v times", d, times[k])
		}
		stretches = stretches && (d.Is(1) || times[k].Is(1))
	}
	if stretches {
		return []*value{im.stretched(x, to)}, nil
	}
	return im.results(im.Op("Tile", graphs.Attrs{"to": to}, im.whole(x), im.ShapeOf(times))), nil
}

// pad puts a constant before and after x along the given axes, all of them below opset 18.
func (im *importer) pad(n *node) ([]*value, error) {
	x := n.in[0]
	list, _, err := n.ints("pads", 1)
	if err != nil {
		return nil, err
	}
	given, ok, err := n.ints("axes", 3)
	if err != nil {
		return nil, err
	}
	if !ok {
		for k := range x.shape {
			given = append(given, int64(k))
		}
	}
	if _, err := axes(given, len(x.shape)); err != nil {
		return nil, err
	}
	if len(list) != 2*len(given) {
		return nil, fmt.Errorf("%d pads for %d axes, not %d", len(list), len(given), 2*len(given))
	}
	pads := make([]int64, 2*len(x.shape))
	for i, a := range given {
		k, _ := axis(a, len(x.shape))
		pads[k], pads[len(x.shape)+k] = list[i], list[len(given)+i]
	}
	operands := []*graphs.Value{im.whole(x), im.Ints(pads...)}
	if v := n.operand(2); v != nil {
		fill, ok := v.number()
		if !ok {
			return nil, fmt.Errorf("what it pads with is computed; it must be a constant")
		}
		operands = append(operands, im.Const(x.dtype, nil, im.finite(fill)))
	}
	return im.results(im.Op("Pad", graphs.Attrs{"mode": n.text("mode", "constant")}, operands...)), nil
}

func (im *importer) transpose(n *node) ([]*value, error) {
	x := n.in[0]
	perm, ok := n.attribute("perm").([]int64)
	if !ok {
		for k := len(x.shape) - 1; k >= 0; k-- {
			perm = append(perm, int64(k))
		}
	}
	if len(perm) != len(x.shape) {
		return nil, fmt.Errorf("%v is no permutation of the dimensions of %v", perm, x.shape)
	}
	if _, err := axes(perm, len(x.shape)); err != nil {
		return nil, err
	}
	if x.known != nil {
		shape, listed := make(graphs.Shape, len(perm)), make([]bool, len(perm))
		for i, p := range perm {
			k, _ := axis(p, len(perm))
			perm[i], shape[i], listed[i] = int64(k), x.shape[k], x.known.listed[k]
		}
		y := tabulate(shape, listed, func(index []int) (affine, bool) {
			own := make([]int, len(perm))
			for i, k := range perm {
				own[k] = index[i]
			}
			e := x.known.at(own, nil)
			out := affine{e.start, make([]poly, len(perm))}
			for i, k := range perm {
				out.step[i] = e.step[k]
			}
			return out, true
		})
		if y != nil {
			return []*value{folded(y, x.dtype)}, nil
		}
	}
	return im.results(im.Transpose(im.whole(x), perm...)), nil
}
