package graphs

// The row-selection pass. A head that reads one token (Gather(x, 0, axis 1), the [CLS] vector) needs most of
// the last layer for that row only. The pass moves the selection up through every operator that works row by
// row, as far as nobody else needs the other rows. It is exact: no arithmetic changes, only rows that nobody
// reads are not computed.

// rowRule says, for a selection along one axis of a node's output, along which axis each operand is to be
// selected; −1 leaves an operand whole. nil: the selection cannot pass this node.
type rowRule func(n *Node, axis int) []int

func rowsElementwise(n *Node, axis int) []int {
	return alignedAxes(n, axis, len(n.Outputs[0].Shape))
}

// alignedAxes maps an output axis to the operands' axes under broadcasting among the first `rank` dimensions.
func alignedAxes(n *Node, axis, rank int) []int {
	out := make([]int, len(n.Inputs))
	for i, x := range n.Inputs {
		if x == nil {
			out[i] = -1
			continue
		}
		k := axis - (rank - len(x.Shape))
		if k < 0 || x.Shape[k].Is(1) {
			k = -1
		}
		out[i] = k
	}
	return out
}

func rowsMatMul(n *Node, axis int) []int {
	switch rank := len(n.Outputs[0].Shape); axis {
	case rank - 1:
		return nil
	case rank - 2:
		return []int{len(n.Inputs[0].Shape) - 2, -1}
	default:
		return alignedAxes(n, axis, rank)
	}
}

// rowsBeside serves operators that work along one axis of their first operand and leave the others alone; def is the
// axis where the attribute is absent.
func rowsBeside(def int64) rowRule {
	return func(n *Node, axis int) []int {
		if own, err := normalAxis(n.Attrs.Int("axis", def), len(n.Inputs[0].Shape)); err != nil || axis == own {
			return nil
		}
		return onlyFirst(n, axis)
	}
}

var (
	rowsNormalised = rowsBeside(-1)
	rowsSplit      = rowsBeside(0)
)

// onlyFirst selects along axis of the first operand.
func onlyFirst(n *Node, axis int) []int {
	out := []int{axis}
	for range n.Inputs[1:] {
		out = append(out, -1)
	}
	return out
}

func rowsConcat(n *Node, axis int) []int {
	if rowsSplit(n, axis) == nil {
		return nil
	}
	out := make([]int, len(n.Inputs))
	for i := range out {
		out[i] = axis
	}
	return out
}

func rowsGatherElements(n *Node, axis int) []int {
	x, index := n.Inputs[0], n.Inputs[1]
	if rowsSplit(n, axis) == nil || x.Shape[axis] != index.Shape[axis] {
		return nil
	}
	return []int{axis, axis}
}

func rowsSlice(n *Node, axis int) []int {
	axes, err := n.literal(3)
	if err != nil {
		return nil
	}
	if cut, err := axisSet(axes, len(n.Inputs[0].Shape)); err != nil || cut[axis] {
		return nil
	}
	return onlyFirst(n, axis)
}

func rowsReduce(n *Node, axis int) []int {
	gone, err := reducedAxes(n)
	if err != nil {
		return nil
	}
	if n.Attrs.Int("keepdims", 1) == 1 {
		if gone[axis] {
			return nil
		}
		return onlyFirst(n, axis)
	}
	return onlyFirst(n, survivor(gone, axis))
}

func rowsSqueeze(n *Node, axis int) []int {
	axes, err := n.literal(1)
	if err != nil {
		return nil
	}
	gone, err := axisSet(axes, len(n.Inputs[0].Shape))
	if err != nil {
		return nil
	}
	return onlyFirst(n, survivor(gone, axis))
}

// survivor is the axis that becomes number k when the axes in gone are removed.
func survivor(gone map[int]bool, k int) int {
	axis := 0
	for ; gone[axis] || k > 0; axis++ {
		if !gone[axis] {
			k--
		}
	}
	return axis
}

func rowsUnsqueeze(n *Node, axis int) []int {
	axes, err := n.literal(1)
	if err != nil {
		return nil
	}
	fresh, err := axisSet(axes, len(n.Outputs[0].Shape))
	if err != nil || fresh[axis] {
		return nil
	}
	before := 0
	for k := range axis {
		if !fresh[k] {
			before++
		}
	}
	return onlyFirst(n, before)
}

func rowsTranspose(n *Node, axis int) []int {
	return []int{int(n.Attrs.Ints("perm")[axis])}
}

// rowsReshape passes a selection where the axis itself survives: same size, same elements before it.
func rowsReshape(n *Node, axis int) []int {
	to, from := n.Outputs[0].Shape, n.Inputs[0].Shape
	for k := range from {
		if from[k] == to[axis] && from[:k].Product() == to[:axis].Product() {
			return []int{k, -1}
		}
	}
	return nil
}

// demand is what the rest of a graph reads of a value: nothing yet, one index along axis, or all of it.
type demand struct {
	some, all bool
	axis      int
}

func (d demand) join(e demand) demand {
	switch {
	case !d.some:
		return e
	case d.all || e.all || d.axis != e.axis:
		return demand{some: true, all: true}
	}
	return d
}

var everything = demand{some: true, all: true}

// selection returns the axis of a Gather with the one literal index 0, the form a [CLS] head has.
func selection(n *Node) (int, bool) {
	if n.Op != "Gather" || n.Inputs[1].Kind != Constant || len(n.Inputs[1].Literal) != 1 || n.Inputs[1].Literal[0] != 0 {
		return 0, false
	}
	if n.Inputs[0].Kind != Result { // a parameter or input is not computed, so nothing is saved
		return 0, false
	}
	axis, err := normalAxis(n.Attrs.Int("axis", 0), len(n.Inputs[0].Shape))
	return axis, err == nil
}

func passRows(g *Graph, _ *Model, o Options) (*Graph, error) {
	if o.WholeSequence {
		return g, nil
	}
	demands := rowDemands(g)
	r := newRewriter(g)
	selected := map[*Value]*Value{}
	type place struct {
		v    *Value
		axis int
	}
	gathered := map[place]*Value{}
	// row returns index 0 of v along axis, keeping the axis with size 1.
	row := func(v *Value, axis int) *Value {
		if s := selected[v]; s != nil {
			return s
		}
		at := place{v, axis}
		if gathered[at] == nil {
			gathered[at] = r.Op("Gather", Attrs{"axis": int64(axis)}, r.of(v), r.Ints(0))
		}
		return gathered[at]
	}
	for _, n := range g.Nodes {
		if axis, ok := selection(n); ok {
			s := row(n.Inputs[0], axis)
			r.to[n.Outputs[0]] = r.Reshape(s, n.Outputs[0].Shape)
			continue
		}
		d := outputDemand(demands, n)
		if !d.some || d.all {
			r.replace(n, r.copy(n))
			continue
		}
		axes := operators[n.Op].rows(n, d.axis)
		inputs := make([]*Value, len(n.Inputs))
		for i, v := range n.Inputs {
			if inputs[i] = r.of(v); axes[i] >= 0 {
				inputs[i] = row(v, axes[i])
			}
		}
		attrs := n.Attrs
		if to, ok := attrs["to"].(Shape); ok {
			attrs = attrs.with("to", to.with(d.axis, Static(1)))
		}
		if n.Op == "Reshape" {
			selected[n.Outputs[0]] = r.Reshape(inputs[0], attrs["to"].(Shape))
			continue
		}
		for i, y := range r.OpN(n.Op, len(n.Outputs), attrs, inputs...) {
			selected[n.Outputs[i]] = y
		}
	}
	return r.finish(g)
}

// rowDemands finds, from the outputs up, which values are read along one index only.
func rowDemands(g *Graph) map[*Value]demand {
	demands := map[*Value]demand{}
	want := func(v *Value, d demand) {
		if v != nil {
			demands[v] = demands[v].join(d)
		}
	}
	for _, v := range g.Outputs {
		want(v, everything)
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if axis, ok := selection(n); ok {
			want(n.Inputs[0], demand{some: true, axis: axis})
			want(n.Inputs[1], everything)
			continue
		}
		d := outputDemand(demands, n)
		var axes []int
		if rule := operators[n.Op].rows; d.some && !d.all && rule != nil {
			axes = rule(n, d.axis)
		}
		if axes == nil && d.some {
			demands[n.Outputs[0]] = everything
		}
		for k, v := range n.Inputs {
			switch {
			case !d.some:
			case axes != nil && axes[k] >= 0:
				want(v, demand{some: true, axis: axes[k]})
			default:
				want(v, everything)
			}
		}
	}
	return demands
}

// outputDemand joins what is read of a node's outputs.
func outputDemand(demands map[*Value]demand, n *Node) demand {
	var d demand
	for _, o := range n.Outputs {
		if e := demands[o]; e.some {
			d = d.join(e)
		}
	}
	return d
}
