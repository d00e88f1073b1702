package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// Selection of elements. An index that is known at import, such as the position ids or the places that a mask is read
// at, selects by a view; only an index of the batch's content is a Gather at run time.

// gather is y[…, i…, …] = x[…, index[i…], …] along an axis.
func (im *importer) gather(n *node) ([]*value, error) {
	x, index := n.in[0], n.in[1]
	k, err := axis(n.int("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	if index.dtype != graphs.Int64 {
		return nil, fmt.Errorf("its indices are %v, not integers", index.dtype)
	}
	shape := slices.Concat(x.shape[:k], index.shape, x.shape[k+1:])
	if index.known != nil {
		if x.known != nil {
			if c := gatherKnown(x.known, index.known, k, shape); c != nil {
				return []*value{folded(c, x.dtype)}, nil
			}
		}
		if v := im.gatherUniform(x, index, k, shape); v != nil {
			return []*value{v}, nil
		}
		if v := im.gatherRun(x, index, k, shape); v != nil {
			return []*value{v}, nil
		}
		if v := im.gatherMerged(x, index, k, shape); v != nil {
			return []*value{v}, nil
		}
	}
	attrs := graphs.Attrs{}
	i := im.small(index)
	if k != 0 {
		attrs["axis"] = int64(k)
		i = im.whole(index)
	}
	if x.tensor != nil && k == 0 && len(x.shape) == 2 {
		im.tables = append(im.tables, table{x.name, im.whole(x), i})
	}
	return []*value{computed(im.Op("Gather", attrs, im.whole(x), i), shape)}, nil
}

// gatherKnown selects from known content.
func gatherKnown(x, index *content, k int, shape graphs.Shape) *content {
	rank := len(index.shape)
	listed := slices.Concat(x.listed[:k], index.listed, x.listed[k+1:])
	return tabulate(shape, listed, func(i []int) (affine, bool) {
		at := index.at(i[k:k+rank], nil)
		from := slices.Concat(i[:k], []int{0}, i[k+rank:])
		var along poly
		if x.listed[k] {
			p, ok := at.flat()
			j, isNumber := p.constant()
			if j < 0 {
				j += float64(x.shape[k].Coef)
			}
			if !ok || !isNumber || !(j >= 0 && j < float64(x.shape[k].Coef)) {
				return affine{}, false
			}
			from[k] = int(j)
		}
		e := x.at(from, nil)
		along = e.step[k]
		moved := scale(at, along)
		out := affine{e.start.plus(moved.start), slices.Concat(e.step[:k], moved.step, e.step[k+1:])}
		return out, true
	})
}

// gatherUniform reads one index everywhere. Index 0 of a scalar is how heads read the first token.
func (im *importer) gatherUniform(x, index *value, k int, shape graphs.Shape) *value {
	j, ok := index.number()
	if !ok {
		return nil
	}
	if d := x.shape[k]; j < 0 && d.IsStatic() {
		j += float64(d.Coef)
	}
	rank := min(1, len(index.shape))
	i := im.Const(graphs.Int64, slices.Repeat([]int{1}, rank), j)
	y := im.Op("Gather", graphs.Attrs{"axis": int64(k)}, im.whole(x), i)
	if extra := len(index.shape) - rank; extra > 0 && k > 0 {
		to := slices.Concat(y.Shape[:k], graphs.StaticShape(slices.Repeat([]int{1}, extra)...), y.Shape[k:])
		y = im.Reshape(y, to)
	}
	return computed(y, shape)
}

// unit returns the dimension along which known content counts start, start+1, …, alone.
func (c *content) unit() (start poly, dim int, ok bool) {
	if len(c.elems) != 1 {
		return nil, 0, false
	}
	dim = -1
	for k, s := range c.elems[0].step {
		if len(s) == 0 {
			continue
		}
		if dim >= 0 || !s.is(1) {
			return nil, 0, false
		}
		dim = k
	}
	return c.elems[0].start, dim, dim >= 0
}

// gatherRun reads consecutive rows: a slice, and no copy where it is all of them.
func (im *importer) gatherRun(x, index *value, k int, shape graphs.Shape) *value {
	start, along, ok := index.known.unit()
	if !ok {
		return nil
	}
	first, ok := start.constant()
	if !ok || first < 0 {
		return nil
	}
	y := im.run(x, k, first, index.shape[along])
	if y == nil {
		return nil
	}
	before, after := along, len(index.shape)-along-1
	if k == 0 { // broadcasting adds leading dimensions
		before = 0
	}
	ones := func(n int) graphs.Shape { return graphs.StaticShape(slices.Repeat([]int{1}, n)...) }
	to := slices.Concat(y.Shape[:k], ones(before), y.Shape[k:k+1], ones(after), y.Shape[k+1:])
	if len(to) > len(y.Shape) {
		y = im.Reshape(y, to)
	}
	return computed(y, shape)
}

// run is x[first : first+count] along axis k, nil where that cannot be said.
func (im *importer) run(x *value, k int, first float64, count graphs.Dim) *graphs.Value {
	v := im.whole(x)
	d := v.Shape[k]
	if d == count && first == 0 {
		return v
	}
	if !d.IsStatic() || first > float64(d.Coef) || count.B != 0 {
		return nil
	}
	if x.tensor != nil && count == graphs.Tokens {
		im.readByPosition(d.Coef - int(first))
	}
	end := im.Ints(int64(first) + int64(count.Coef))
	if !count.IsStatic() {
		if end = im.ShapeOf(graphs.Shape{count}); first > 0 {
			end = im.Add(end, im.Ints(int64(first)))
		}
	}
	to := slices.Clone(v.Shape)
	to[k] = count
	return im.Op("Slice", graphs.Attrs{"to": to}, v, im.Ints(int64(first)), end, im.Ints(int64(k)))
}

// readByPosition notes that a table has room for so many tokens.
func (im *importer) readByPosition(rows int) {
	if im.places == 0 || rows < im.places {
		im.places = rows
	}
}

// gatherMerged undoes index arithmetic on a flattened tensor: x is a view [M, …] of base [m₀, m₁, …], M = m₀·m₁, and
// the index is Σ stride·i of exactly the strides of m₀, m₁, …: then y is base with its dimensions where the index has
// them. The TorchScript exporter writes mask[batch, 0, 0, key] so.
func (im *importer) gatherMerged(x, index *value, k int, shape graphs.Shape) *value {
	if x.merged == nil || k != 0 || len(index.known.elems) != 1 || len(index.known.elems[0].start) > 0 {
		return nil
	}
	base := x.merged
	joined := len(base.shape)
	for joined > 0 && base.shape[:joined].Product() != x.shape[0] {
		joined--
	}
	if joined == 0 {
		return nil
	}
	strides := make([]poly, joined)
	for i := range strides {
		strides[i] = dimension(base.shape[i+1 : joined].Product())
	}
	columns := make([]int, joined)
	for i, s := range strides {
		columns[i] = slices.IndexFunc(index.known.elems[0].step, func(t poly) bool { return t.equal(s) })
	}
	used := 0
	for _, s := range index.known.elems[0].step {
		if len(s) > 0 {
			used++
		}
	}
	if used != joined {
		return nil
	}
	v := im.placed(base, columns, index.shape)
	if v == nil {
		return nil
	}
	to := slices.Concat(v.compact.Shape[:len(index.shape)], x.shape[1:])
	return computed(im.view(v.compact, to), shape)
}

// placed is x with its first dimensions at the given dimensions of an index, and the rest after them; nil where the
// index runs over another extent or in another order.
func (im *importer) placed(x *value, columns []int, index graphs.Shape) *value {
	to := make(graphs.Shape, len(index))
	for i := range to {
		to[i] = graphs.Static(1)
	}
	for i, c := range columns {
		if c < 0 || index[c] != x.shape[i] || i > 0 && c <= columns[i-1] {
			return nil
		}
		to[c] = x.shape[i]
	}
	rest := x.shape[len(columns):]
	y := im.view(im.whole(x), slices.Concat(to, rest))
	return computed(y, slices.Concat(index, rest))
}

// gatherND is y[i…] = x[index[i…, 0], index[i…, 1], …].
func (im *importer) gatherND(n *node) ([]*value, error) {
	x, index := n.in[0], n.in[1]
	if index.known != nil && n.int("batch_dims", 0) == 0 && len(index.shape) > 0 {
		if v := im.gatherGrid(x, index.known); v != nil {
			return []*value{v}, nil
		}
	}
	return same("batch_dims")(im, n)
}

// gatherGrid is a GatherND whose index tuples run over the whole of x's leading dimensions.
func (im *importer) gatherGrid(x *value, index *content) *value {
	last := len(index.shape) - 1
	if !index.listed[last] || slices.Contains(index.listed[:last], true) || len(index.elems) > len(x.shape) {
		return nil
	}
	columns := make([]int, len(index.elems))
	for i, e := range index.elems {
		column := &content{index.shape[:last], index.listed[:last], []affine{{e.start, e.step[:last]}}}
		start, along, ok := column.unit()
		if !ok || len(start) > 0 {
			return nil
		}
		columns[i] = along
	}
	return im.placed(x, columns, index.shape[:last])
}

// gatherElements is y[i] = x[i with index[i] along an axis]. What is equal everywhere needs no looking up, such as the
// segment of every token where a model has one segment.
func (im *importer) gatherElements(n *node) ([]*value, error) {
	if x := n.in[0]; x.known != nil {
		if p, ok := x.known.uniformly(); ok {
			return []*value{folded(uniform(n.in[1].shape, p), x.dtype)}, nil
		}
	}
	return same("axis")(im, n)
}

// scatterND is x with updates in the places that index tuples name. Sums are refused: ONNX Runtime's CPU kernel lets
// threads that add to one place overtake each other.
func (im *importer) scatterND(n *node) ([]*value, error) {
	if r := n.text("reduction", "none"); r != "none" {
		return nil, fmt.Errorf("reduction is %s; only none is supported, for ONNX Runtime does not reduce reliably with several threads; write it as ScatterElements (torch.scatter_add instead of index_put with accumulate)", r)
	}
	return same()(im, n)
}

// slice is y = x[starts:ends:steps] along axes.
func (im *importer) slice(n *node) ([]*value, error) {
	x := n.in[0]
	starts, err := n.bounds(1)
	if err != nil {
		return nil, err
	}
	ends, err := n.bounds(2)
	if err != nil {
		return nil, err
	}
	list, ok, err := n.ints("axes", 3)
	if err != nil {
		return nil, err
	}
	if !ok {
		for k := range starts {
			list = append(list, int64(k))
		}
	}
	steps, ok, err := n.ints("steps", 4)
	if err != nil {
		return nil, err
	}
	if len(starts) != len(list) || len(ends) != len(list) || ok && len(steps) != len(list) {
		return nil, fmt.Errorf("%d starts, %d ends and %d axes are not as many", len(starts), len(ends), len(list))
	}
	for i, a := range list {
		k, err := axis(a, len(x.shape))
		if err != nil {
			return nil, err
		}
		if ok && steps[i] != 1 {
			return nil, fmt.Errorf("its step is %d; only 1 is supported", steps[i])
		}
		if x, err = im.sliceAxis(x, k, starts[i], ends[i]); err != nil {
			return nil, err
		}
	}
	return []*value{x}, nil
}

// bounds reads the starts or ends of a Slice.
func (n *node) bounds(i int) ([]poly, error) {
	v := n.operand(i)
	if v == nil || v.known == nil {
		return nil, fmt.Errorf("the bounds in operand %d are computed from the batch's content; they must follow from its shape", i)
	}
	list, ok := v.known.list()
	if !ok {
		return nil, fmt.Errorf("operand %d is no list of bounds", i)
	}
	return list, nil
}

// sliceAxis slices along one axis.
func (im *importer) sliceAxis(x *value, k int, start, end poly) (*value, error) {
	size := dimension(x.shape[k])
	clamp := func(p poly) (poly, bool) {
		c, isNumber := p.constant()
		switch {
		case isNumber && c > math.MaxInt32:
			return size, true
		case isNumber && c < -math.MaxInt32:
			return nil, true
		case p.negative():
			p = p.plus(size)
		}
		if p.minus(size).never(-1) {
			return size, true
		}
		// A table is long enough for every batch; how long a batch is, is not known beyond 1.
		return p, x.shape[k].IsStatic() || !isNumber || c <= 1
	}
	first, ok := clamp(start)
	last, ok2 := clamp(end)
	count, isDim := last.minus(first).dim()
	if !ok || !ok2 || !isDim || count.Coef == 0 {
		return nil, fmt.Errorf("slicing %v along axis %d does not leave a number of elements that is a product of batch size and token count", x.shape, k)
	}
	if count == x.shape[k] && len(first) == 0 {
		return x, nil
	}
	shape := slices.Clone(x.shape)
	shape[k] = count
	if x.known != nil {
		if c := sliceKnown(x.known, k, first, shape); c != nil {
			return folded(c, x.dtype), nil
		}
	}
	j, ok := first.constant()
	if !ok {
		return nil, fmt.Errorf("slicing %v along axis %d begins at no constant", x.shape, k)
	}
	if count.Is(1) { // as heads read the first token
		y := im.Op("Gather", graphs.Attrs{"axis": int64(k)}, im.whole(x), im.Ints(int64(j)))
		return computed(y, shape), nil
	}
	y := im.run(x, k, j, count)
	if y == nil {
		return nil, fmt.Errorf("slicing %v along axis %d from %v, %v elements, depends on the batch", x.shape, k, j, count)
	}
	return computed(y, y.Shape), nil
}

func sliceKnown(c *content, k int, first poly, shape graphs.Shape) *content {
	if c.listed[k] {
		j, ok := first.constant()
		if !ok || !shape[k].IsStatic() {
			return nil
		}
		return tabulate(shape, c.listed, func(i []int) (affine, bool) {
			from := slices.Clone(i)
			from[k] += int(j)
			return c.at(from, nil), from[k] < c.shape[k].Coef
		})
	}
	return tabulate(shape, c.listed, func(i []int) (affine, bool) {
		e := c.at(i, nil)
		e.start = e.start.plus(e.step[k].times(first))
		return e, true
	})
}

// split cuts along an axis: sizes as operand, or num_outputs equal ones.
func (im *importer) split(n *node) ([]*value, error) {
	x := n.in[0]
	k, err := axis(n.int("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	list, ok, err := n.ints("split", 1)
	if err != nil {
		return nil, err
	}
	if d := x.shape[k]; !ok {
		parts := len(n.Outputs)
		if !d.IsStatic() || d.Coef%parts != 0 {
			return nil, fmt.Errorf("dimension %v does not split into %d equal parts", d, parts)
		}
		list = slices.Repeat([]int64{int64(d.Coef / parts)}, parts)
	}
	var out []*value
	start := int64(0)
	for _, size := range list {
		v, err := im.sliceAxis(x, k, number(float64(start)), number(float64(start+size)))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		start += size
	}
	return out, nil
}
