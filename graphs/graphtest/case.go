package graphtest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// Case is a small graph around one operator.
type Case struct {
	Op    string // the operator in question
	Name  string // what is particular about the case
	Build func(c *Graph) *graphs.Value
}

// Cases returns every case, always in the same order.
func Cases() []Case {
	return slices.Concat(elementwiseCases(), choiceCases(), matrixCases(), einsumCases(), normCases(), reduceCases(), gatherCases(), indexCases(), sliceCases(), layoutCases())
}

// Graph is the graph of a case: floats that are to be differentiated, integers that are not, and how to draw them.
type Graph struct {
	*graphs.Builder
	G        *graphs.Graph
	Floats   []*graphs.Value
	generate map[*graphs.Value]generator
}

// New builds the case's graph with its one output "y".
func (c Case) New() (*Graph, *graphs.Value, error) {
	g := &graphs.Graph{Name: c.Op}
	out := &Graph{Builder: graphs.NewBuilder(g), G: g, generate: map[*graphs.Value]generator{}}
	y := c.Build(out)
	if err := out.Err(); err != nil {
		return nil, nil, fmt.Errorf("building case %s/%s: %w", c.Op, c.Name, err)
	}
	if !slices.ContainsFunc(g.Nodes, func(n *graphs.Node) bool { return n.Op == c.Op }) {
		return nil, nil, fmt.Errorf("building case %s/%s: the graph has no %s", c.Op, c.Name, c.Op)
	}
	y.Name = "y"
	g.Outputs = []*graphs.Value{y}
	return out, y, nil
}

// Differentiate appends the gradients of ⟨y, u⟩ with respect to every float, u a new input of y's shape, and returns
// the graph that computes y and all of them. A gradient without a name of its own gets one.
func (c *Graph) Differentiate(y *graphs.Value) (*graphs.Graph, *graphs.Gradients, error) {
	u := c.Input("u", graphs.Float32, y.Shape...)
	c.generate[u] = normal
	grads, err := c.Builder.Differentiate(y, u, c.Floats)
	if err != nil {
		return nil, nil, err
	}
	joint := *c.G
	joint.Outputs = []*graphs.Value{y}
	for _, x := range c.Floats {
		outputs := []*graphs.Value{grads.Dense[x]}
		for _, r := range grads.Rows[x] {
			outputs = append(outputs, r.Indices, r.Rows)
		}
		for _, v := range outputs {
			if v == nil || v.Kind != graphs.Result || slices.Contains(joint.Outputs, v) {
				continue
			}
			if v.Name == "" {
				v.Name = fmt.Sprint("out", len(joint.Outputs))
			}
			joint.Outputs = append(joint.Outputs, v)
		}
	}
	return &joint, grads, nil
}

// Feeds draws the operands for a batch of the given sizes.
func (c *Graph) Feeds(r *rand.Rand, batch, tokens int) map[string]eval.Tensor {
	feeds := map[string]eval.Tensor{}
	for _, v := range c.G.Inputs {
		if next := c.generate[v]; next != nil {
			feeds[v.Name] = Fill(v.Shape, batch, tokens, func() float64 { return next(r, batch, tokens) })
		}
	}
	return feeds
}

// Fill makes a tensor of a symbolic shape, element by element.
func Fill(s graphs.Shape, batch, tokens int, next func() float64) eval.Tensor {
	t := eval.Tensor{Shape: []int{}, Data: make([]float64, s.Product().Size(batch, tokens))}
	for _, d := range s.Sizes(batch, tokens) {
		t.Shape = append(t.Shape, int(d))
	}
	for i := range t.Data {
		t.Data[i] = next()
	}
	return t
}

// LargeTable is the number of rows from which a looked-up table gets a row gradient.
const LargeTable = 1024

// The legend of shapes: B batch, T tokens, and static sizes.
var (
	dimB, dimT = graphs.Batch, graphs.Tokens
	dim        = graphs.Static
)

// generator draws one element for a batch of the given sizes.
type generator func(r *rand.Rand, batch, tokens int) float64

func normal(r *rand.Rand, _, _ int) float64   { return r.NormFloat64() }
func positive(r *rand.Rand, _, _ int) float64 { return 0.5 + 1.5*r.Float64() }

// away keeps its distance from 0, where some functions have a kink or a pole.
func away(r *rand.Rand, _, _ int) float64 {
	x := 0.4 + r.Float64()
	if r.IntN(2) == 0 {
		return -x
	}
	return x
}

// few draws one of -2, -1, 0, 1, 2.
func few(r *rand.Rand, _, _ int) float64 { return float64(r.IntN(5) - 2) }

// below draws an index under a symbolic size.
func below(d graphs.Dim) generator {
	return func(r *rand.Rand, batch, tokens int) float64 { return float64(r.IntN(d.Size(batch, tokens))) }
}

// x declares a float operand of normal elements.
func (c *Graph) x(dims ...graphs.Dim) *graphs.Value { return c.like(normal, dims...) }

// like declares a float operand of the generator's elements.
func (c *Graph) like(g generator, dims ...graphs.Dim) *graphs.Value {
	v := c.Input(fmt.Sprint("x", len(c.Floats)), graphs.Float32, dims...)
	c.Floats = append(c.Floats, v)
	c.generate[v] = g
	return v
}

// index declares an int64 operand.
func (c *Graph) index(g generator, dims ...graphs.Dim) *graphs.Value {
	v := c.Input(fmt.Sprint("i", len(c.generate)), graphs.Int64, dims...)
	c.generate[v] = g
	return v
}

// truth declares a bool operand.
func (c *Graph) truth(dims ...graphs.Dim) *graphs.Value {
	v := c.Input(fmt.Sprint("c", len(c.generate)), graphs.Bool, dims...)
	c.generate[v] = below(dim(2))
	return v
}

// sizes tells B and T of a case whose operands do not.
func (c *Graph) sizes() { c.index(below(dimT), dimB, dimT) }

// number turns bools and integers into floats, so that y is one.
func (c *Graph) number(x *graphs.Value) *graphs.Value {
	return c.Op("Cast", graphs.Attrs{"to": int64(graphs.Float32)}, x)
}

// scalar is an int64 literal without dimensions.
func (c *Graph) scalar(x float64) *graphs.Value { return c.Const(graphs.Int64, []int{}, x) }
