package graphs

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
)

// String prints the graph one node a line, in execution order, with types and symbolic shapes. Values without
// a name are numbered. The text is for reading and for comparing graphs in tests.
func (g *Graph) String() string {
	names := valueNames(g)
	var s strings.Builder
	fmt.Fprintf(&s, "graph %s\n", g.Name)
	for _, v := range g.Inputs {
		fmt.Fprintf(&s, "input     %s: %v%v\n", names[v], v.DType, v.Shape)
	}
	for _, v := range g.Parameters {
		fmt.Fprintf(&s, "parameter %s: %v%v\n", names[v], v.DType, v.Shape)
	}
	for _, n := range g.Nodes {
		outs, ins := make([]string, len(n.Outputs)), make([]string, len(n.Inputs))
		for i, v := range n.Outputs {
			outs[i] = fmt.Sprintf("%s: %v%v", names[v], v.DType, v.Shape)
		}
		for i, v := range n.Inputs {
			switch {
			case v == nil:
				ins[i] = "-"
			case v.Kind == Constant:
				ins[i] = literalText(v.Literal)
			default:
				ins[i] = names[v]
			}
		}
		var attrs []string
		for _, k := range n.Attrs.names() {
			attrs = append(attrs, fmt.Sprintf("%s=%v", k, n.Attrs[k]))
		}
		fmt.Fprintf(&s, "%s = %s{%s}(%s)\n", strings.Join(outs, ", "), n.Op, strings.Join(attrs, " "), strings.Join(ins, ", "))
	}
	for _, v := range g.Outputs {
		fmt.Fprintf(&s, "output    %s\n", names[v])
	}
	return s.String()
}

// longLiteral is the number of elements from which a literal is printed by its beginning and a hash.
const longLiteral = 32

// literalText prints the elements of a constant.
func literalText(elements []float64) string {
	if len(elements) < longLiteral {
		return fmt.Sprint(elements)
	}
	h := fnv.New64a()
	for _, x := range elements {
		h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
	}
	begin := strings.TrimSuffix(fmt.Sprint(elements[:8]), "]")
	return fmt.Sprintf("%s … %d elements, hash %016x]", begin, len(elements), h.Sum64())
}

// valueNames gives every value a unique name: its own, or a number in execution order.
func valueNames(g *Graph) map[*Value]string {
	names, taken := map[*Value]string{}, map[string]bool{}
	next := 0
	give := func(v *Value) {
		if v == nil || names[v] != "" {
			return
		}
		name := v.Name
		for name == "" || taken[name] {
			name = fmt.Sprintf("v%d", next)
			next++
		}
		names[v], taken[name] = name, true
	}
	for _, list := range [][]*Value{g.Inputs, g.Parameters, g.Outputs} {
		for _, v := range list {
			give(v)
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			give(v)
		}
		for _, v := range n.Outputs {
			give(v)
		}
	}
	return names
}
