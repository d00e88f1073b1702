package eval

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// sample is y = rows of a [7, 2] table at ids [B, T], plus a bias, flattened to [B·T, 2].
func sample() *graphs.Graph {
	g := &graphs.Graph{Name: "sample"}
	b := graphs.NewBuilder(g)
	ids := b.Input("ids", graphs.Int64, graphs.Batch, graphs.Tokens)
	mask := b.Input("mask", graphs.Uint8, graphs.Batch, graphs.Tokens, graphs.Static(1))
	e := b.Op("Gather", nil, b.Parameter("table", 7, 2), ids)
	e = b.Mul(e, b.Op("DequantizeLinear", nil, mask, b.Scalar(2)))
	y := b.Reshape(e, graphs.Shape{graphs.Batch.Mul(graphs.Tokens), graphs.Static(2)})
	y.Name = "y"
	g.Outputs = []*graphs.Value{y}
	return g
}

func sampleFeeds() map[string]Tensor {
	return map[string]Tensor{
		"ids":   {[]int{2, 3}, []float64{0, 1, 2, 6, 5, 4}},
		"mask":  {[]int{2, 3, 1}, []float64{1, 1, 0, 1, 0, 1}},
		"table": {[]int{7, 2}, []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}},
	}
}

func TestRun(t *testing.T) {
	feeds := sampleFeeds()
	out, err := Run(sample(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	y := out["y"]
	if len(out) != 1 || !slices.Equal(y.Shape, []int{6, 2}) {
		t.Fatalf("outputs %v", out)
	}
	for row, id := range feeds["ids"].Data {
		for c := range 2 {
			want := 2 * feeds["mask"].Data[row] * feeds["table"].Data[2*int(id)+c]
			if got := y.Data[2*row+c]; got != want {
				t.Errorf("y[%d][%d] is %v, not %v", row, c, got, want)
			}
		}
	}
}

// Results must not be views of what was fed.
func TestResultsShareNoMemory(t *testing.T) {
	g := &graphs.Graph{Name: "identity"}
	b := graphs.NewBuilder(g)
	x := b.Input("x", graphs.Float32, graphs.Static(2))
	y := b.Op("Reshape", graphs.Attrs{"to": graphs.StaticShape(1, 2)}, x, b.Ints(1, 2))
	y.Name = "y"
	g.Outputs = []*graphs.Value{x, y}
	fed := []float64{1, 2}
	out, err := Run(g, map[string]Tensor{"x": {[]int{2}, fed}})
	if err != nil {
		t.Fatal(err)
	}
	out["x"].Data[0], out["y"].Data[1] = 9, 9
	if !slices.Equal(fed, []float64{1, 2}) || out["x"].Data[1] != 2 || out["y"].Data[0] != 1 {
		t.Errorf("writing to results changed the feed to %v or another result: %v", fed, out)
	}
}

func TestWrongFeeds(t *testing.T) {
	cases := []struct {
		name   string
		change func(map[string]Tensor)
		want   []string // parts of the message
	}{
		{"missing", func(f map[string]Tensor) { delete(f, "mask") }, []string{`"mask"`, "uint8", "not fed"}},
		{"unknown", func(f map[string]Tensor) { f["masks"] = f["mask"] }, []string{`"masks"`, "no input"}},
		{"too few elements", func(f map[string]Tensor) { f["ids"] = Tensor{[]int{2, 3}, []float64{1}} }, []string{`"ids"`, "1 elements", "[2 3]"}},
		{"negative size", func(f map[string]Tensor) { f["ids"] = Tensor{[]int{-1, -1}, []float64{1}} }, []string{`"ids"`, "[-1 -1]"}},
		{"other rank", func(f map[string]Tensor) { f["ids"] = Tensor{[]int{6}, make([]float64, 6)} }, []string{`"ids"`, "[6]", "[B, T]"}},
		{"other static size", func(f map[string]Tensor) { f["table"] = Tensor{[]int{6, 2}, make([]float64, 12)} }, []string{`"table"`, "[6 2]", "[7, 2]"}},
		{"inputs disagree on T", func(f map[string]Tensor) { f["mask"] = Tensor{[]int{2, 4, 1}, make([]float64, 8)} }, []string{`"mask"`, "[2 4 1]", "T = 3"}},
		{"empty batch", func(f map[string]Tensor) {
			f["ids"], f["mask"] = Tensor{[]int{0, 3}, nil}, Tensor{[]int{0, 3, 1}, nil}
		}, []string{`"ids"`, "B = 0"}},
		{"fractional index", func(f map[string]Tensor) { f["ids"].Data[1] = 0.5 }, []string{`"ids"`, "element 1", "0.5", "int64"}},
		{"byte out of range", func(f map[string]Tensor) { f["mask"].Data[4] = 256 }, []string{`"mask"`, "element 4", "256", "uint8"}},
		{"index out of range", func(f map[string]Tensor) { f["ids"].Data[3] = 7 }, []string{"Gather", "index 7", "dimension of 7"}},
		{"negative index out of range", func(f map[string]Tensor) { f["ids"].Data[3] = -8 }, []string{"Gather", "index -8"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			feeds := sampleFeeds()
			c.change(feeds)
			_, err := Run(sample(), feeds)
			wantError(t, err, append(c.want, "sample")...)
		})
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

// single is a graph of one node, whose float operands x [2, 3] come first.
func single(op string, attrs graphs.Attrs, outputs int, floats int, rest ...*graphs.Value) *graphs.Graph {
	g := &graphs.Graph{Name: op}
	b := graphs.NewBuilder(g)
	var in []*graphs.Value
	for i := range floats {
		in = append(in, b.Input(string(rune('a'+i)), graphs.Float32, graphs.Static(2), graphs.Static(3)))
	}
	for _, v := range rest {
		if v != nil && v.Kind == graphs.Input {
			g.Inputs = append(g.Inputs, v)
		}
	}
	g.Outputs = b.OpN(op, outputs, attrs, append(in, rest...)...)
	for i, o := range g.Outputs {
		o.Name = string(rune('y' + i))
	}
	return g
}

// ints is an int64 vector fed as "i".
func ints(n int) *graphs.Value {
	return &graphs.Value{Name: "i", Kind: graphs.Input, DType: graphs.Int64, Shape: graphs.StaticShape(n)}
}

// Graphs whose nodes are sound by graphs.Check but not at run time, and nodes that cannot be evaluated.
func TestWrongNodes(t *testing.T) {
	literal := func(x ...float64) *graphs.Value {
		return &graphs.Value{Kind: graphs.Constant, DType: graphs.Int64, Shape: graphs.StaticShape(len(x)), Literal: x}
	}
	constant := func(t graphs.DType, x []float64, sizes ...int) *graphs.Value {
		return &graphs.Value{Kind: graphs.Constant, DType: t, Shape: graphs.StaticShape(sizes...), Literal: x}
	}
	indices := func(x ...float64) *graphs.Value { return constant(graphs.Int64, x, 1, len(x)) }
	single2 := constant(graphs.Float32, []float64{1, 2, 3}, 1, 3)
	tall := constant(graphs.Int64, []float64{0, 0, 0}, 3, 1)
	zeroInt, oneInt := constant(graphs.Int64, []float64{0}), constant(graphs.Int64, []float64{1})
	cases := []struct {
		name  string
		graph *graphs.Graph
		ints  []float64 // feed of "i"
		want  []string
	}{
		{"dropout marker", single("Dropout", nil, 1, 1), nil, []string{"Dropout", "marker", "Prepare"}},
		{"shape vector that disagrees with the declared shape", single("Reshape", to(3, 2), 1, 1, ints(2)), []float64{6, 1}, []string{"[6 1]", "[3, 2]"}},
		{"impossible reshape", single("Reshape", to(3, 2), 1, 1, ints(2)), []float64{4, 2}, []string{"[4 2]", "cannot be reshaped"}},
		{"indivisible reshape", single("Reshape", to(3, 2), 1, 1, ints(2)), []float64{4, -1}, []string{"cannot be reshaped"}},
		{"two free dimensions", single("Reshape", to(3, 2), 1, 1, ints(2)), []float64{-1, -1}, []string{"cannot be reshaped"}},
		{"expansion that disagrees", single("Expand", to(2, 3), 1, 1, ints(2)), []float64{5, 3}, []string{"do not broadcast"}},
		{"slice that disagrees", single("Slice", to(1, 3), 1, 1, ints(1), literal(9), literal(0)), []float64{0}, []string{"[2 3]", "[1, 3]"}},
		{"slice with bounds of two lengths", single("Slice", to(1, 3), 1, 1, ints(2), literal(1), literal(0)), []float64{0, 0}, []string{"one length"}},
		{"slice along no axis", single("Slice", to(1, 3), 1, 1, ints(1), literal(1), literal(5)), []float64{0}, []string{"axis 5"}},
		{"negative padding", single("Pad", to(2, 3), 1, 1, ints(4)), []float64{0, 0, 0, -1}, []string{"pads"}},
		{"too few pads", single("Pad", to(2, 3), 1, 1, ints(2)), []float64{0, 0}, []string{"pads"}},
		{"negative size", single("ConstantOfShape", to(2, 3), 1, 0, ints(2)), []float64{-2, -3}, []string{"negative"}},
		{"integer division by zero", single("Div", nil, 1, 0, ints(1), literal(0)), []float64{1}, []string{"divided by zero"}},
		{"too many outputs", single("Neg", nil, 2, 1), nil, []string{"2 outputs"}},
		{"unknown approximation", single("Gelu", graphs.Attrs{"approximate": "cubic"}, 1, 1), nil, []string{"cubic"}},
		{"integer remainder by zero", single("Mod", nil, 1, 0, ints(1), literal(0)), []float64{1}, []string{"divided by zero"}},
		{"index outside a row", single("GatherElements", graphs.Attrs{"axis": int64(1)}, 1, 1, indices(3, 0)), nil, []string{"index 3", "dimension of 3"}},
		{"row outside a table", single("GatherND", nil, 1, 1, indices(-3, 0)), nil, []string{"index -3", "dimension of 2"}},
		{"place outside a table", single("ScatterND", graphs.Attrs{"reduction": "add"}, 1, 1, indices(2), single2), nil, []string{"index 2", "dimension of 2"}},
		{"more indices than rows", single("GatherElements", graphs.Attrs{"axis": int64(1)}, 1, 1, tall), nil, []string{"[3 1]", "do not fit", "[2 3]"}},
		{"repetitions that disagree", single("Tile", to(4, 3), 1, 1, ints(2)), []float64{-2, 1}, []string{"repeats"}},
		{"range without end", single("Range", to(2), 1, 0, zeroInt, oneInt, zeroInt), nil, []string{"+Inf elements"}},
		{"no such axis", single("Softmax", graphs.Attrs{"axis": int64(2)}, 1, 1), nil, []string{"axis 2"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			feeds := map[string]Tensor{}
			for _, v := range c.graph.Inputs {
				if v.DType == graphs.Int64 {
					feeds[v.Name] = Tensor{[]int{len(c.ints)}, c.ints}
					continue
				}
				feeds[v.Name] = Tensor{[]int{2, 3}, make([]float64, 6)}
			}
			_, err := Run(c.graph, feeds)
			wantError(t, err, c.want...)
		})
	}
}

// A graph that graphs.Check refuses is refused, with Check's error.
func TestUncheckedGraph(t *testing.T) {
	g := sample()
	g.Nodes[0].Op = "Gatherer"
	_, err := Run(g, sampleFeeds())
	var unknown *graphs.UnknownOpError
	if !errors.As(err, &unknown) || unknown.Op != "Gatherer" {
		t.Errorf("error %v", err)
	}
}

// B and T are found wherever they appear: alone, doubled, or T in a product with B.
func TestSymbolsFromFeeds(t *testing.T) {
	flat := graphs.Batch.Mul(graphs.Tokens)
	twice := graphs.Dim{Coef: 2, B: 1}
	cases := []struct {
		name  string
		dims  []graphs.Shape
		sizes [][]int
		want  symbols
		err   string
	}{
		{"alone", []graphs.Shape{{graphs.Batch, graphs.Tokens}}, [][]int{{2, 3}}, symbols{2, 3}, ""},
		{"doubled", []graphs.Shape{{twice, graphs.Tokens}}, [][]int{{4, 3}}, symbols{2, 3}, ""},
		{"T in a product that comes first", []graphs.Shape{{flat}, {twice}}, [][]int{{6}, {4}}, symbols{2, 3}, ""},
		{"B in a product", []graphs.Shape{{flat}, {graphs.Tokens}}, [][]int{{6}, {3}}, symbols{2, 3}, ""},
		{"static", []graphs.Shape{{graphs.Static(4)}}, [][]int{{4}}, symbols{}, ""},
		{"odd doubled batch", []graphs.Shape{{twice}}, [][]int{{5}}, symbols{}, "[5]"},
		{"product alone", []graphs.Shape{{flat}}, [][]int{{6}}, symbols{}, "do not determine"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, feeds := &graphs.Graph{}, map[string]Tensor{}
			b := graphs.NewBuilder(g)
			for i, dims := range c.dims {
				name := string(rune('a' + i))
				b.Input(name, graphs.Float32, dims...)
				feeds[name] = zeros(c.sizes[i])
			}
			got, err := solve(g, feeds)
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}
