package eval

import (
	"fmt"
	"strings"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// einsum is y[out] = Σ x₀[in₀]·x₁[in₁]·… over every subscript that out lacks. The dimensions of an ellipsis are the
// same in all terms, so they are taken as one dimension, which their elements fill in order.
func einsum(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	equation, _ := n.Attrs["equation"].(string)
	left, right, explicit := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(equation, " ", ""), "...", "."), "->")
	terms := strings.Split(left, ",")
	if !explicit {
		right = implicit(strings.Join(terms, ""))
	}
	size, several := map[rune]int{}, []int{} // of each subscript; the sizes that "." stands for
	flat := make([]Tensor, len(in))
	for i, term := range terms {
		flat[i].Data = in[i].Data
		extra := len(in[i].Shape) - len(term) + 1
		at := 0
		for _, l := range term {
			d := 1
			if l == '.' {
				several = in[i].Shape[at : at+extra]
				d = product(several)
				at += extra
			} else {
				d = in[i].Shape[at]
				at++
			}
			if old, ok := size[l]; ok && old != d {
				return nil, fmt.Errorf("equation %q: subscript %q has sizes %d and %d", equation, l, old, d)
			}
			size[l] = d
			flat[i].Shape = append(flat[i].Shape, d)
		}
	}
	labels, order := []rune(right), []int{}
	var shape []int
	for _, l := range right {
		order = append(order, size[l])
		if l == '.' {
			shape = append(shape, several...)
		} else {
			shape = append(shape, size[l])
		}
	}
	for _, l := range strings.Join(terms, "") {
		if !strings.ContainsRune(string(labels), l) {
			labels, order = append(labels, l), append(order, size[l])
		}
	}
	y := zeros(shape)
	k := 0
	summed := product(order[len([]rune(right)):])
	each(order, func(index []int) {
		p := 1.0
		for i, term := range terms {
			place := make([]int, 0, len(term))
			for _, l := range term {
				place = append(place, index[strings.IndexRune(string(labels), l)])
			}
			p *= flat[i].Data[flat[i].offset(place)]
		}
		y.Data[k/summed] += p
		k++
	})
	return one(y)
}

// implicit is the result of an equation without "->": the ellipsis, then the subscripts that come once, in
// alphabetical order.
func implicit(all string) string {
	out := ""
	if strings.Contains(all, ".") {
		out = "."
	}
	for l := 'A'; l <= 'z'; l++ {
		if strings.Count(all, string(l)) == 1 {
			out += string(l)
		}
	}
	return out
}
