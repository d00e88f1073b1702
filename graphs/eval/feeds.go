package eval

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// bind looks up the feed of every input and parameter and checks its elements.
func bind(g *graphs.Graph, feeds map[string]Tensor) (map[*graphs.Value]*Tensor, error) {
	values := map[*graphs.Value]*Tensor{}
	known := map[string]bool{}
	for _, v := range fed(g) {
		if known[v.Name] {
			return nil, fmt.Errorf("two inputs are named %q", v.Name)
		}
		known[v.Name] = true
		t, ok := feeds[v.Name]
		if !ok {
			return nil, fmt.Errorf("input %q %v%v is not fed", v.Name, v.DType, v.Shape)
		}
		if slices.Min(append([]int{0}, t.Shape...)) < 0 || product(t.Shape) != len(t.Data) {
			return nil, fmt.Errorf("feed %q has %d elements, which are not those of shape %v", v.Name, len(t.Data), t.Shape)
		}
		for i, x := range t.Data {
			if !holds(v.DType, x) {
				return nil, fmt.Errorf("feed %q: element %d is %v, which is no %v", v.Name, i, x, v.DType)
			}
		}
		values[v] = &t
	}
	var unknown []string
	for name := range feeds {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if sort.Strings(unknown); len(unknown) > 0 {
		return nil, fmt.Errorf("feed %q is no input of the graph", unknown[0])
	}
	return values, nil
}

// fed lists what a graph reads from outside.
func fed(g *graphs.Graph) []*graphs.Value {
	return append(append([]*graphs.Value{}, g.Inputs...), g.Parameters...)
}

// holds reports whether x is a value of the element type.
func holds(t graphs.DType, x float64) bool {
	switch t {
	case graphs.Int64:
		return x == math.Trunc(x) && math.Abs(x) <= 1<<53
	case graphs.Uint8:
		return x == math.Trunc(x) && x >= 0 && x <= 255
	case graphs.Bool:
		return x == 0 || x == 1
	}
	return true
}

// symbols are the values of the free dimensions, 0 where the feeds do not tell.
type symbols struct{ batch, tokens int }

// String writes "B = 3, T = 5".
func (s symbols) String() string { return fmt.Sprintf("B = %d, T = %d", s.batch, s.tokens) }

// solve finds B and T from the sizes of the feeds and holds every feed against its declared shape.
func solve(g *graphs.Graph, feeds map[string]Tensor) (symbols, error) {
	var s symbols
	for _, v := range fed(g) {
		t := feeds[v.Name]
		if len(t.Shape) != len(v.Shape) {
			return s, fmt.Errorf("feed %q has shape %v; the graph declares %v", v.Name, t.Shape, v.Shape)
		}
	}
	for range 2 { // the second round finds T of B·T once B is known
		for _, v := range fed(g) {
			for i, d := range v.Shape {
				s.learn(d, feeds[v.Name].Shape[i])
			}
		}
	}
	for _, v := range fed(g) {
		want, err := s.sizes(v.Shape)
		if err != nil {
			return s, fmt.Errorf("input %q: %w", v.Name, err)
		}
		if got := feeds[v.Name].Shape; !slices.Equal(got, want) {
			return s, fmt.Errorf("feed %q has shape %v; the graph declares %v, which is %v for %v", v.Name, got, v.Shape, want, s)
		}
	}
	return s, nil
}

// learn takes B or T from a dimension of which it is the only unknown.
func (s *symbols) learn(d graphs.Dim, size int) {
	switch {
	case d.Coef < 1 || d.S > 0:
	case d.B == 1 && s.batch == 0 && (d.T == 0 || s.tokens > 0):
		s.batch = size / d.Coef / power(s.tokens, d.T)
	case d.T == 1 && s.tokens == 0 && (d.B == 0 || s.batch > 0):
		s.tokens = size / d.Coef / power(s.batch, d.B)
	}
}

func power(x, n int) int {
	p := 1
	for range n {
		p *= x
	}
	return p
}

// sizes returns a symbolic shape's sizes.
func (s symbols) sizes(shape graphs.Shape) ([]int, error) {
	out := []int{}
	for _, d := range shape {
		if d.B > 0 && s.batch == 0 || d.T+d.S > 0 && s.tokens == 0 {
			return nil, fmt.Errorf("shape %v depends on a size that the feeds do not determine (or that is 0): %v", shape, s)
		}
		out = append(out, d.Size(s.batch, s.tokens))
	}
	return out, nil
}
