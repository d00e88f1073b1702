package graphs

import (
	"fmt"
	"slices"
	"strings"
)

// Einsum: a product of tensors summed over the subscripts that the result does not name, such as the attention
// scores "bhid,bhjd->bhij".

// einsum is a parsed equation: one label for each dimension of each operand and of the result.
type einsum struct {
	in   [][]rune
	out  []rune
	size map[rune]Dim
}

// parseEinsum reads the equation of a node. An ellipsis becomes labels of its own; sizes must agree, nothing is
// stretched, and no operand names a label twice.
func parseEinsum(n *Node) (*einsum, error) {
	equation, _ := n.Attrs["equation"].(string)
	left, right, explicit := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(n.Inputs) {
		return nil, fmt.Errorf("equation %q has %d terms for %d operands", equation, len(terms), len(n.Inputs))
	}
	e := &einsum{size: map[rune]Dim{}}
	spare, dots := spareLetters(equation), 0
	for i, t := range terms {
		x := n.Inputs[i]
		if count := len(x.Shape) - len(strings.ReplaceAll(t, "...", "")); strings.Contains(t, "...") {
			dots = max(dots, count)
		}
		labels, err := einsumLabels(t, len(x.Shape), spare)
		if err != nil {
			return nil, fmt.Errorf("equation %q: operand %v: %w", equation, x.Shape, err)
		}
		for k, l := range labels {
			if d, ok := e.size[l]; ok && d != x.Shape[k] {
				return nil, fmt.Errorf("equation %q: sizes %v and %v of one subscript differ", equation, d, x.Shape[k])
			}
			e.size[l] = x.Shape[k]
		}
		e.in = append(e.in, labels)
	}
	if !explicit {
		right = implicitResult(terms)
	}
	rank := len(strings.ReplaceAll(right, "...", ""))
	if strings.Contains(right, "...") {
		rank += dots
	}
	var err error
	if e.out, err = einsumLabels(right, rank, spare); err != nil {
		return nil, fmt.Errorf("equation %q: result: %w", equation, err)
	}
	for _, l := range e.out {
		if _, ok := e.size[l]; !ok {
			return nil, fmt.Errorf("equation %q: no operand has subscript %q of the result", equation, l)
		}
	}
	return e, nil
}

// spareLetters are the letters that an equation does not use.
func spareLetters(equation string) []rune {
	var out []rune
	for _, l := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		if !strings.ContainsRune(equation, l) {
			out = append(out, l)
		}
	}
	return out
}

// einsumLabels gives each of rank dimensions its letter. The dimensions of an ellipsis take spare ones from the last
// dimension on, so that they align on the right.
func einsumLabels(term string, rank int, spare []rune) ([]rune, error) {
	before, after, ellipsis := strings.Cut(term, "...")
	free := rank - len(before) - len(after)
	if free < 0 || free > len(spare) || !ellipsis && free > 0 {
		return nil, fmt.Errorf("term %q does not describe %d dimensions", term, rank)
	}
	labels := []rune(before)
	for i := range free {
		labels = append(labels, spare[free-1-i])
	}
	labels = append(labels, []rune(after)...)
	for i, l := range labels {
		if !(l >= 'a' && l <= 'z' || l >= 'A' && l <= 'Z') || slices.Contains(labels[:i], l) {
			return nil, fmt.Errorf("subscript %q of term %q is no letter, or comes twice", l, term)
		}
	}
	return labels, nil
}

// implicitResult names, in alphabetical order, the subscripts that one term alone has, after the ellipsis.
func implicitResult(terms []string) string {
	all := strings.ReplaceAll(strings.Join(terms, ""), "...", "")
	letters := []rune(all)
	slices.Sort(letters)
	out := ""
	if strings.Contains(strings.Join(terms, ""), "...") {
		out = "..."
	}
	for _, l := range letters {
		if strings.Count(all, string(l)) == 1 {
			out += string(l)
		}
	}
	return out
}

func inferEinsum(n *Node) error {
	e, err := parseEinsum(n)
	if err != nil {
		return err
	}
	out := Shape{}
	for _, l := range e.out {
		out = append(out, e.size[l])
	}
	return n.set(n.Inputs[0].DType, out)
}

// y = Σ x₀·x₁·… over the subscripts not in y: dxᵢ is the same product with dy in the place of xᵢ, summed to the
// subscripts of xᵢ, and stretched along those that xᵢ alone has.
func gradEinsum(b *Builder, n *Node, dy *Value) []*Value {
	e, err := parseEinsum(n)
	if err != nil {
		return b.failed(err, n)
	}
	out := make([]*Value, len(n.Inputs))
	for i, x := range n.Inputs {
		terms, operands := []string{string(e.out)}, []*Value{dy}
		for k, other := range n.Inputs {
			if k != i {
				terms, operands = append(terms, string(e.in[k])), append(operands, other)
			}
		}
		have := strings.Join(terms, "")
		var shared []rune
		kept := append(Shape{}, x.Shape...)
		for k, l := range e.in[i] {
			if strings.ContainsRune(have, l) {
				shared = append(shared, l)
			} else {
				kept[k] = Static(1)
			}
		}
		dx := b.Op("Einsum", Attrs{"equation": strings.Join(terms, ",") + "->" + string(shared)}, operands...)
		if dx = b.Reshape(dx, kept); !kept.Equal(x.Shape) {
			dx = b.Op("Expand", Attrs{"to": x.Shape}, dx, b.ShapeOf(x.Shape))
		}
		out[i] = dx
	}
	return out
}
