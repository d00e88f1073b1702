package graphs_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// A report says what Compile will do: the form of each gradient, the noise, the sites of the masks it asks for.
func TestReport(t *testing.T) {
	m := tinyModel(t, "gelu")
	r := m.Report()
	p := compile(t, m, graphs.Options{Noise: true, Dropout: tinyDropout}, false)
	for i, v := range m.Graph.Parameters {
		want := "dense"
		if slices.Contains(m.RowTables(), v.Name) {
			want = "rows"
		}
		got := r.Parameters[i]
		if got.Name != v.Name || got.Gradient != want || got.Elements != v.Shape.Product().Coef || len(got.Shape) != len(v.Shape) {
			t.Errorf("parameter %d is %+v, not %s %v with a gradient of %s", i, got, v.Name, v.Shape, want)
		}
		if want == "dense" && !slices.Contains(p.Dense, v.Name) {
			t.Errorf("%s has no dense gradient", v.Name)
		}
	}
	noise := p.Forward.Input(graphs.NoiseInput)
	if len(r.Noise) != 1 || r.Noise[0] != (graphs.Place{Op: "Gather", Near: m.WordEmbedding, Shape: noise.Shape.String(), Name: noise.Name}) {
		t.Errorf("noise goes to %+v; the graph has %s %v", r.Noise, noise.Name, noise.Shape)
	}
	whole := compile(t, m, graphs.Options{Dropout: tinyDropout, WholeSequence: true}, false)
	if len(r.Dropout) != len(whole.Masks) {
		t.Fatalf("%d dropout sites, the graph has %d", len(r.Dropout), len(whole.Masks))
	}
	for i, mask := range whole.Masks {
		if site := r.Dropout[i]; site.Name != mask.Name || site.Shape != mask.Shape.String() || m.Graph.Parameter(site.Near) == nil {
			t.Errorf("site %+v; the graph has %s %v", site, mask.Name, mask.Shape)
		}
	}
	count := countOps(m.Graph)
	for _, o := range r.Operators {
		if o.Count != count[o.Op] || o.Gradient == "missing" {
			t.Errorf("%+v; the graph has %d", o, count[o.Op])
		}
		delete(count, o.Op)
	}
	if len(count) > 0 || len(r.Missing) > 0 {
		t.Errorf("not reported: %v; without a rule: %v", count, r.Missing)
	}
}

// Every operator without a rule on the way from a parameter to the logits is reported, and no other.
func TestReportListsEveryMissingRule(t *testing.T) {
	g, b := newGraph()
	x := b.Input("x", graphs.Float32, dimB, dim(3))
	prod := func(v *graphs.Value, axis int64) *graphs.Value { return b.Op("ReduceProd", nil, v, b.Ints(axis)) }
	first := prod(b.Mul(x, b.Parameter("first", 3)), 0)
	second := prod(b.Add(x, b.Parameter("second", 3)), 1)
	fixed := prod(x, 0)                                                 // no parameter before it
	unread := prod(b.Parameter("unread", 3, 3), 0)                      // no way to the logits
	stopped := b.Op("Sign", nil, prod(b.Parameter("stopped", 1, 3), 0)) // declared to stop the gradient
	b.Op("Neg", nil, unread)
	y := b.Add(b.Add(b.Add(first, second), fixed), stopped)
	y.Name, g.Outputs = "logits", []*graphs.Value{y}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	r := (&graphs.Model{Graph: g}).Report()
	var inputs []string
	for _, e := range r.Missing {
		inputs = append(inputs, e.Op+" "+e.Inputs)
	}
	if len(inputs) != 2 || !strings.HasPrefix(inputs[0], "ReduceProd float32[B, 3]") || !strings.HasPrefix(inputs[1], "ReduceProd float32[B, 3]") {
		t.Errorf("without a rule: %q", inputs)
	}
	var states []string
	for _, p := range r.Parameters {
		states = append(states, p.Name+" "+p.Gradient)
	}
	if want := []string{"first dense", "second dense", "unread none", "stopped none"}; !reflect.DeepEqual(states, want) {
		t.Errorf("parameters %v, not %v", states, want)
	}
	_, err := (&graphs.Model{Graph: g}).Compile(graphs.Options{}, false)
	says(t, err, "ReduceProd", "no gradient rule")
}

// A long literal is printed in short, and another one differently.
func TestPrintedLiterals(t *testing.T) {
	text := func(last float64) string {
		g, b := newGraph()
		elements := make([]float64, 100)
		elements[99] = last
		b.Op("Neg", nil, b.Const(graphs.Float32, []int{100}, elements...))
		return g.String()
	}
	if s := text(1); len(s) > 200 || !strings.Contains(s, "100 elements") || s == text(2) || s != text(1) {
		t.Errorf("%s%s", s, text(2))
	}
}
