package graphs_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
)

// ruleCase is a small graph around one operator whose gradient rule is compared with finite differences.
type ruleCase struct {
	op    string
	name  string
	build func(c *caseGraph) *graphs.Value
}

// caseGraph is the graph of a case under construction: every float it declares is differentiated.
type caseGraph struct {
	*graphs.Builder
	floats   []*graphs.Value
	generate map[*graphs.Value]generator
}

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

// below draws an index under a symbolic size.
func below(d graphs.Dim) generator {
	return func(r *rand.Rand, batch, tokens int) float64 { return float64(r.IntN(d.Size(batch, tokens))) }
}

// x declares a float operand of normal elements.
func (c *caseGraph) x(dims ...graphs.Dim) *graphs.Value { return c.like(normal, dims...) }

// like declares a float operand of the generator's elements.
func (c *caseGraph) like(g generator, dims ...graphs.Dim) *graphs.Value {
	v := c.Input("x"+string(rune('0'+len(c.floats))), graphs.Float32, dims...)
	c.floats = append(c.floats, v)
	c.generate[v] = g
	return v
}

// index declares an int64 operand.
func (c *caseGraph) index(g generator, dims ...graphs.Dim) *graphs.Value {
	v := c.Input("i"+string(rune('0'+len(c.generate))), graphs.Int64, dims...)
	c.generate[v] = g
	return v
}

// gradients adds up a parameter's dense and row gradients.
func gradients(g *graphs.Gradients, x *graphs.Value, at eval.Tensor, out map[string]eval.Tensor) eval.Tensor {
	sum := filled(at.Shape, func() float64 { return 0 })
	if d := g.Dense[x]; d != nil {
		sum = plus(sum, 1, out[d.Name])
	}
	for _, r := range g.Rows[x] {
		indices := out[r.Indices.Name]
		if r.Indices.Kind == graphs.Constant {
			indices.Data = r.Indices.Literal
		}
		addRows(sum, indices, out[r.Rows.Name])
	}
	return sum
}

// addRows adds rows[i] to row indices[i] of a table.
func addRows(table, indices, rows eval.Tensor) {
	width := table.Shape[1]
	for i, row := range indices.Data {
		for k := range width {
			table.Data[int(row)*width+k] += rows.Data[i*width+k]
		}
	}
}

// check compares ⟨u, J·v⟩ with ⟨Jᵀ·u, v⟩ for each operand and some random batches.
func (rc ruleCase) check(t *testing.T, seed uint64) {
	g := &graphs.Graph{Name: rc.op}
	c := &caseGraph{Builder: graphs.NewBuilder(g), generate: map[*graphs.Value]generator{}}
	y := rc.build(c)
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	y.Name = "y"
	if !slices.ContainsFunc(g.Nodes, func(n *graphs.Node) bool { return n.Op == rc.op }) {
		t.Fatalf("the case has no %s\n%v", rc.op, g)
	}
	forward := &graphs.Graph{Name: rc.op, Inputs: slices.Clone(g.Inputs), Nodes: slices.Clone(g.Nodes), Outputs: []*graphs.Value{y}}
	u := c.Input("u", graphs.Float32, y.Shape...)
	grads, err := c.Differentiate(y, u, c.floats)
	if err != nil {
		t.Fatal(err)
	}
	backward := *g
	for _, x := range c.floats {
		outputs := []*graphs.Value{grads.Dense[x]}
		for _, r := range grads.Rows[x] {
			outputs = append(outputs, r.Indices, r.Rows)
		}
		for _, v := range outputs {
			if v == nil || v.Kind == graphs.Constant {
				continue
			}
			if v.Name == "" {
				v.Name = "out" + string(rune('a'+len(backward.Outputs)))
			}
			backward.Outputs = append(backward.Outputs, v)
		}
	}

	r := newRandom(seed)
	for range 4 {
		batch, tokens := 1+r.IntN(4), 1+r.IntN(4)
		feeds := map[string]eval.Tensor{}
		for _, v := range forward.Inputs {
			feeds[v.Name] = fill(v.Shape, batch, tokens, func() float64 { return c.generate[v](r, batch, tokens) })
		}
		feeds["u"] = fill(y.Shape, batch, tokens, r.NormFloat64)
		out := run(t, &backward, feeds)
		for _, x := range c.floats {
			at := feeds[x.Name]
			v := filled(at.Shape, r.NormFloat64)
			f := func(h float64) eval.Tensor {
				moved := map[string]eval.Tensor{}
				for name, tensor := range feeds {
					moved[name] = tensor
				}
				moved[x.Name] = plus(at, h, v)
				return run(t, forward, moved)["y"]
			}
			if d := directional(f, feeds["u"], dot(gradients(grads, x, at, out), v)); !(d < 1e-6) {
				t.Errorf("seed %d, B = %d, T = %d: the gradient of %s is off by %.2g of its size\n%v", seed, batch, tokens, x.Name, d, g)
			}
		}
	}
}

func TestRules(t *testing.T) {
	for i, rc := range ruleCases() {
		t.Run(rc.op+"/"+rc.name, func(t *testing.T) {
			t.Logf("seed %d", i)
			rc.check(t, uint64(i))
		})
	}
}

func ruleCases() []ruleCase {
	return slices.Concat(elementwiseCases(), matrixCases(), normCases(), gatherCases(), layoutCases())
}

// Every operator with a gradient rule has a case, and each case is of such an operator.
func TestEveryRuleHasCases(t *testing.T) {
	count := map[string]int{}
	for _, rc := range ruleCases() {
		count[rc.op]++
		if !graphs.Differentiable(rc.op) {
			t.Errorf("case %s/%s: the operator has no gradient rule", rc.op, rc.name)
		}
	}
	for _, op := range graphs.Operators() {
		if graphs.Differentiable(op) && count[op] == 0 {
			t.Errorf("the gradient rule of %s has no case", op)
		}
	}
}
