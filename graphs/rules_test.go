package graphs_test

import (
	"maps"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/graphs/graphtest"
)

// gradients adds up a parameter's dense and row gradients. Those that are operands are found among the feeds.
func gradients(g *graphs.Gradients, x *graphs.Value, at eval.Tensor, out, feeds map[string]eval.Tensor) eval.Tensor {
	value := func(v *graphs.Value) eval.Tensor {
		switch v.Kind {
		case graphs.Constant:
			return eval.Tensor{Data: v.Literal}
		case graphs.Input:
			return feeds[v.Name]
		}
		return out[v.Name]
	}
	sum := filled(at.Shape, func() float64 { return 0 })
	if d := g.Dense[x]; d != nil {
		sum = plus(sum, 1, value(d))
	}
	for _, r := range g.Rows[x] {
		addRows(sum, value(r.Indices), value(r.Rows))
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

// checkRule compares ⟨u, J·v⟩ with ⟨Jᵀ·u, v⟩ for each operand and some random batches.
func checkRule(t *testing.T, rc graphtest.Case, seed uint64) {
	c, y, err := rc.New()
	if err != nil {
		t.Fatal(err)
	}
	forward := *c.G
	joint, grads, err := c.Differentiate(y)
	if err != nil {
		t.Fatal(err)
	}
	r := newRandom(seed)
	for range 4 {
		batch, tokens := 1+r.IntN(4), 1+r.IntN(4)
		feeds := c.Feeds(r, batch, tokens)
		out := run(t, joint, feeds)
		for _, x := range c.Floats {
			at := feeds[x.Name]
			v := filled(at.Shape, r.NormFloat64)
			f := func(h float64) eval.Tensor {
				moved := maps.Clone(feeds)
				moved[x.Name] = plus(at, h, v)
				return run(t, &forward, moved)["y"]
			}
			if d := directional(f, feeds["u"], dot(gradients(grads, x, at, out, feeds), v)); !(d < 1e-6) {
				t.Errorf("seed %d, B = %d, T = %d: the gradient of %s is off by %.2g of its size\n%v", seed, batch, tokens, x.Name, d, joint)
			}
		}
	}
}

func TestRules(t *testing.T) {
	for i, rc := range graphtest.Cases() {
		t.Run(rc.Op+"/"+rc.Name, func(t *testing.T) {
			t.Logf("seed %d", i)
			checkRule(t, rc, uint64(i))
		})
	}
}

// Every operator but the markers, which no graph that runs has, comes with cases.
func TestEveryRuleHasCases(t *testing.T) {
	count := map[string]int{}
	for _, rc := range graphtest.Cases() {
		count[rc.Op]++
	}
	for _, op := range graphs.Operators() {
		if count[op] == 0 && op != "Dropout" && op != "RelativeShift" {
			t.Errorf("%s has no case", op)
		}
	}
	if graphtest.LargeTable != graphs.RowTableSize {
		t.Errorf("the cases of large tables have %d rows; row gradients begin at %d", graphtest.LargeTable, graphs.RowTableSize)
	}
}

// No gradient adds up by ScatterND, whose kernel in ONNX Runtime loses what two threads add to one place. A case of
// ScatterND itself may have it in its forward part.
func TestNoGradientAddsByScatterND(t *testing.T) {
	for _, rc := range graphtest.Cases() {
		c, y, err := rc.New()
		if err != nil {
			t.Fatal(err)
		}
		forward := len(c.G.Nodes)
		joint, _, err := c.Differentiate(y)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range joint.Nodes[forward:] {
			if n.Op == "ScatterND" && n.Attrs["reduction"] == "add" {
				t.Errorf("%s/%s: the gradient of %s does", rc.Op, rc.Name, rc.Op)
			}
		}
	}
}
