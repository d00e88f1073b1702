package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/importer"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

func loadTiny(t *testing.T) (string, *graphs.Model) {
	t.Helper()
	dir := tinyModel(t)
	m, err := graphs.Load(dir, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func TestGraphDump(t *testing.T) {
	dir, m := loadTiny(t)
	for _, v := range []struct {
		args []string
		o    graphs.Options
	}{
		{[]string{"--method", "standard", "--dropout", "0"}, graphs.Options{}},
		{[]string{"--dropout", "0.2"}, graphs.Options{Doubled: true, Dropout: 0.2}},
	} {
		dump := func(args ...string) string {
			return succeed(t, slices.Concat([]string{"graph", "dump", "--model", dir, "--labels", "3"}, v.args, args)...).stdout
		}
		p, err := m.Compile(v.o, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := dump(); got != p.Forward.String() {
			t.Errorf("%v: forward is\n%s", v.args, got)
		}
		if got := dump("--backward"); got != p.Backward.String() {
			t.Errorf("%v: backward is\n%s", v.args, got)
		}
		if got := dump("--after", "model"); got != m.Graph.String() {
			t.Errorf("%v: the model's graph is\n%s", v.args, got)
		}
		var stages []string
		_, err = m.Prepare(v.o, func(pass string, g *graphs.Graph) {
			stages = append(stages, pass)
			if got := dump("--after", pass); got != g.String() {
				t.Errorf("%v: after %s is\n%s", v.args, pass, got)
			}
		})
		if err != nil || !slices.Equal(stages, graphs.Passes()) {
			t.Errorf("passes %v, %v", stages, err)
		}
	}
	// A regression has no second pass, unless its term is there.
	regression := func(args ...string) string {
		return succeed(t, append([]string{"graph", "dump", "--model", dir, "--labels", "1"}, args...)...).stdout
	}
	if strings.Contains(regression(), graphs.NoiseInput+":") || !strings.Contains(regression("--regression-term", "mse"), graphs.NoiseInput+":") {
		t.Error("the graph of a regression is doubled without its term, or is not with it")
	}
}

func TestGraphUsage(t *testing.T) {
	dir, _ := loadTiny(t)
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"dump", "--model", dir, "--after", "folding"}, []string{`"folding"`, "model, einsum, rows, noise"}},
		{[]string{"dump", "--model", dir, "--after", "fold", "--backward"}, []string{"--after", "--backward", "contradict"}},
		{[]string{"dump", "--model", dir, "--method", "r5f"}, []string{"--method", `"r5f"`, "r3f"}},
		{[]string{"dump", "--model", dir, "--labels", "0"}, []string{"--labels is 0"}},
		{[]string{"dump", "--model", dir, "--dropout", "1"}, []string{"--dropout"}},
		{[]string{"dump", "--model", dir, "--regression-term", "kl"}, []string{`"kl"`, "none, mse"}},
		{[]string{"dump", dir}, []string{"unexpected argument"}},
		{[]string{"dump", "--model", filepath.Join(dir, "nowhere")}, []string{"config.json"}},
		{[]string{"check", dir, dir}, []string{"one model"}},
		{[]string{"check", "--model", dir, dir}, []string{"one model"}},
		{[]string{"export", "--model", dir}, []string{"--out"}},
		{[]string{"draw"}, []string{`"draw"`, "r3f-ort graph --help"}},
	} {
		r3f(t, append([]string{"graph"}, c.args...)...).want(t, exitUsage, c.says...)
	}
}

func TestGraphCheck(t *testing.T) {
	dir, m := loadTiny(t)
	r := decode[graphReport](t, succeed(t, "graph", "check", "--labels", "3", "--json", dir))
	want := m.Report()
	numbers := 0
	for _, w := range m.Weights {
		numbers += len(w.Data)
	}
	if r.Elements != numbers || r.Family != "bert" || r.Embedding != m.WordEmbedding || r.Model != dir || len(r.Missing) > 0 ||
		fmt.Sprint(r.Parameters, r.Noise, r.Dropout, r.Operators) != fmt.Sprint(want.Parameters, want.Noise, want.Dropout, want.Operators) ||
		!slices.Equal(r.Head, m.Head) || !slices.Equal(r.Initialised, m.Initialised) {
		t.Errorf("%+v", r)
	}
	o := succeed(t, "graph", "check", "--model", dir) // two labels: the head is new
	for _, s := range []string{"bert", "noise", "dropout.0", "after Softmax", "drawn", "classifier.weight", "LayerNormalization", "rule", m.WordEmbedding} {
		if !strings.Contains(o.stdout, s) {
			t.Errorf("%q is missing:\n%s", s, o.stdout)
		}
	}
}

// An exported encoder is dumped, checked and written like a native one.
func TestGraphOfAnExport(t *testing.T) {
	file := filepath.Join("..", "..", "testdata", "golden", "tiny-bert-3", "encoder-opset17.onnx")
	m, err := importer.File(file, importer.Options{Labels: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := decode[graphReport](t, succeed(t, "graph", "check", "--labels", "3", "--json", file))
	if want := m.Report(); len(r.Missing) > 0 || r.Embedding != m.WordEmbedding || !slices.Equal(r.Notes, m.Notes) || len(m.Notes) == 0 ||
		fmt.Sprint(r.Parameters, r.Noise, r.Dropout) != fmt.Sprint(want.Parameters, want.Noise, want.Dropout) {
		t.Errorf("%+v", r)
	}
	if o := succeed(t, "graph", "check", file); !strings.Contains(o.stdout, "note") || !strings.Contains(o.stdout, m.Notes[0]) {
		t.Errorf("%s", o.stdout)
	}
	if o := succeed(t, "graph", "dump", "--labels", "3", "--model", file, "--after", "model"); o.stdout != m.Graph.String() {
		t.Errorf("%s", o.stdout)
	}
	out := filepath.Join(t.TempDir(), "graphs")
	if spec := decode[programSpec](t, succeed(t, "graph", "export", "--model", file, "--out", out, "--json")); len(spec.Dense)+len(spec.RowTables) != len(m.Graph.Parameters) {
		t.Errorf("%+v", spec)
	}
}

// The report of a graph with operators that no gradient passes names each of them.
func TestGraphReportOfMissingRules(t *testing.T) {
	var b bytes.Buffer
	r := graphReport{Family: "bert", Embedding: "words", Missing: []missingRule{{"ReduceProd", "float32[B, 3]"}, {"Mystery", "float32[T]"}}}
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"no rule", "ReduceProd(float32[B, 3])", "Mystery(float32[T])", `0 nodes look up "words"`} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("%q is missing:\n%s", s, b.String())
		}
	}
}

func TestGraphExport(t *testing.T) {
	dir, m := loadTiny(t)
	out := filepath.Join(t.TempDir(), "new", "graphs")
	args := []string{"graph", "export", "--model", dir, "--labels", "3", "--dropout", "0.2", "--out", out}
	spec := decode[programSpec](t, succeed(t, append(args, "--json")...))
	p, err := m.Compile(graphs.Options{Doubled: true, Dropout: 0.2}, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]*graphs.Graph{forwardFile: p.Forward, backwardFile: p.Backward} {
		want, err := g.ONNX(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(out, name)); !bytes.Equal(got, want) {
			t.Errorf("%s is not the compiled graph", name)
		}
	}
	f, err := safetensors.Open(filepath.Join(out, parametersFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, w := range m.Weights {
		tensor, ok := f.Tensor(w.Name)
		if !ok {
			t.Fatalf("%s is missing", w.Name)
		}
		if got, err := tensor.Float32s(nil); err != nil || !slices.Equal(got, w.Data) || !slices.Equal(tensor.Shape, w.Shape) {
			t.Errorf("%s differs: %v", w.Name, err)
		}
	}
	var file programSpec
	if err := json.Unmarshal(read(t, filepath.Join(out, programFile)), &file); err != nil || fmt.Sprint(file) != fmt.Sprint(spec) {
		t.Errorf("%s is %+v, %v; printed was %+v", programFile, file, err, spec)
	}
	// Whatever backward reads is a parameter, of the batch, or saved; whatever it computes is announced.
	known := slices.Concat(spec.Saved, spec.Masks, []string{"dlogits", spec.Noise, "input_ids", "attention_mask", "token_type_ids"})
	for _, v := range p.Backward.Inputs {
		if !slices.Contains(known, v.Name) {
			t.Errorf("nothing says where backward's input %s is from", v.Name)
		}
	}
	announced := []string{}
	for _, name := range spec.Dense {
		announced = append(announced, "d."+name)
	}
	for _, table := range spec.RowTables {
		announced = append(announced, slices.Concat(table.Rows, table.Indices)...)
	}
	for _, v := range p.Backward.Outputs {
		if !slices.Contains(announced, v.Name) {
			t.Errorf("nothing says what backward's output %s is", v.Name)
		}
	}
	if len(spec.Masks) == 0 || spec.Noise == "" || !spec.Doubled || len(spec.Head) != 2 {
		t.Errorf("%+v", spec)
	}

	r3f(t, args...).want(t, exitUsage, out, "--overwrite")
	first := read(t, filepath.Join(out, forwardFile))
	if o := succeed(t, append(args, "--overwrite", "--method", "standard")...); !strings.Contains(o.stdout, "saved activations") {
		t.Errorf("%s", o.stdout)
	}
	if bytes.Equal(read(t, filepath.Join(out, forwardFile)), first) {
		t.Error("the graphs were not replaced")
	}
	r3f(t, "graph", "export", "--model", dir, "--out", dir, "--overwrite").want(t, exitUsage, dir, "not empty") // no graphs of ours
}
