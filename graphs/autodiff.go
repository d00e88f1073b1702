package graphs

import "fmt"

// gradient is the vector-Jacobian product of one operator: from dy = ∂L/∂y of the node's first output it
// builds ∂L/∂xᵢ for each operand, nil where none flows. What nobody reads is removed later, so a rule need
// not ask which operands matter.
type gradient func(b *Builder, n *Node, dy *Value) []*Value

// gradients is the same for an operator with several outputs: dys holds nil for those that contribute nothing.
type gradients func(b *Builder, n *Node, dys []*Value) []*Value

// RowGradient is the gradient of a table read by row: row Indices[i] of the table receives Rows[i]; a row
// named more than once receives the sum.
//
// Shapes: Indices [...] int64, Rows [..., C].
type RowGradient struct{ Indices, Rows *Value }

// Gradients holds ∂L/∂w for the values asked for: as one tensor of w's shape, or, for large tables whose only
// use is a lookup of rows (word embeddings), as the rows that were read.
type Gradients struct {
	Dense map[*Value]*Value
	Rows  map[*Value][]RowGradient
}

// rowTable is the number of rows from which a looked-up table gets a row gradient. Below it a dense gradient
// costs less than the bookkeeping.
const rowTable = 1024

// Differentiate appends reverse-mode gradients of Σ⟨output, cotangent⟩ with respect to wrt. A value that the
// output does not depend on gets no entry.
//
// Source: reverse accumulation, Griewank and Walther, Evaluating Derivatives, 2nd ed., chapter 3.
func (b *Builder) Differentiate(output, cotangent *Value, wrt []*Value) (*Gradients, error) {
	return b.differentiate(output, cotangent, wrt, rowTables(b.g.Nodes, wrt))
}

// differentiate is Differentiate with the tables whose gradients come as rows.
func (b *Builder) differentiate(output, cotangent *Value, wrt []*Value, byRow map[*Value]bool) (*Gradients, error) {
	if b.err == nil && !cotangent.Shape.Equal(output.Shape) {
		return nil, fmt.Errorf("differentiating an output of shape %v: the cotangent has shape %v", output.Shape, cotangent.Shape)
	}
	forward := append([]*Node(nil), b.g.Nodes...)
	active := activeValues(forward, wrt, b.table)
	grads := &Gradients{Dense: map[*Value]*Value{}, Rows: map[*Value][]RowGradient{}}
	d := map[*Value]*Value{output: cotangent}
	for i := len(forward) - 1; i >= 0; i-- {
		n := forward[i]
		spec := b.table[n.Op]
		dys, some := make([]*Value, len(n.Outputs)), false
		for k, o := range n.Outputs {
			dys[k], some = d[o], some || d[o] != nil
			if k > 0 && d[o] != nil && spec.gradients == nil {
				return nil, fmt.Errorf("differentiating %s(%s): output %d contributes to the result, but the rule covers output 0 only", n.Op, describe(n.Inputs), k)
			}
		}
		if !some || !active[n.Outputs[0]] {
			continue
		}
		dy := dys[0]
		if byRow[n.Inputs[0]] {
			table, index := n.Inputs[0], n.Inputs[1]
			if index.Kind == Constant {
				index = b.fromFront(index, table.Shape[0].Coef)
			}
			grads.Rows[table] = append(grads.Rows[table], RowGradient{Indices: index, Rows: dy})
			continue
		}
		var dxs []*Value
		switch {
		case spec.gradients != nil:
			dxs = spec.gradients(b, n, dys)
		case spec.gradient != nil:
			dxs = spec.gradient(b, n, dy)
		default:
			return nil, &NoGradientError{Op: n.Op, Inputs: describe(n.Inputs)}
		}
		for k, dx := range dxs {
			x := n.Inputs[k]
			if dx == nil || x == nil || !active[x] {
				continue
			}
			if b.err == nil && !dx.Shape.Equal(x.Shape) {
				return nil, fmt.Errorf("differentiating %s(%s): the rule gave operand %d a gradient of shape %v, not %v", n.Op, describe(n.Inputs), k, dx.Shape, x.Shape)
			}
			if d[x] == nil {
				d[x] = dx
			} else {
				d[x] = b.Add(d[x], dx)
			}
		}
	}
	for _, v := range wrt {
		if dv := d[v]; dv != nil {
			grads.Dense[v] = dv
		}
	}
	return grads, b.err
}

// activeValues are the floats that depend on one of wrt in a way that gradients can follow.
func activeValues(nodes []*Node, wrt []*Value, table map[string]operator) map[*Value]bool {
	active := map[*Value]bool{}
	for _, v := range wrt {
		active[v] = true
	}
	for _, n := range nodes {
		if table[n.Op].constant != "" {
			continue
		}
		for _, x := range n.Inputs {
			if active[x] {
				for _, y := range n.Outputs {
					active[y] = y.DType == Float32
				}
			}
		}
	}
	return active
}

// RowTables names the parameters whose gradients come as rows, whatever the options of Compile.
func (m *Model) RowTables() []string {
	tables := rowTables(m.Graph.Nodes, m.Graph.Parameters)
	var out []string
	for _, p := range m.Graph.Parameters {
		if tables[p] {
			out = append(out, p.Name)
		}
	}
	return out
}

// rowTables returns the tables among wrt that are only ever read by Gather along their first axis.
func rowTables(nodes []*Node, wrt []*Value) map[*Value]bool {
	out := map[*Value]bool{}
	for _, v := range wrt {
		if len(v.Shape) == 2 && v.Shape[0].IsStatic() && v.Shape[0].Coef >= rowTable {
			out[v] = true
		}
	}
	for _, n := range nodes {
		for i, x := range n.Inputs {
			if out[x] && !(n.Op == "Gather" && i == 0 && n.Attrs.Int("axis", 0) == 0) {
				delete(out, x)
			}
		}
	}
	return out
}

// sumTo reduces dy to the shape of a broadcast operand: it sums over the dimensions that broadcasting added
// or stretched.
func (b *Builder) sumTo(dy *Value, to Shape) *Value {
	if dy.Shape.Equal(to) {
		return dy
	}
	extra := len(dy.Shape) - len(to)
	var axes []int64
	for i, d := range dy.Shape {
		if i < extra || (to[i-extra].Is(1) && !d.Is(1)) {
			axes = append(axes, int64(i))
		}
	}
	return b.Reshape(b.Sum(dy, true, axes...), to)
}
