package graphs_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/graphs/importer"
)

// exports lists the golden models' exported encoders.
func exports(t *testing.T) map[string]goldenModel {
	t.Helper()
	out := map[string]goldenModel{}
	for _, g := range goldenModels(t) {
		files, err := filepath.Glob(filepath.Join(goldens, g.name, "*.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			out[f] = g
		}
	}
	if len(out) == 0 {
		t.Fatal("no golden model has an exported encoder")
	}
	return out
}

// An exported encoder, with the head of the model it was exported from, has PyTorch's logits, loss and gradients.
func TestImportedGoldens(t *testing.T) {
	for path, g := range exports(t) {
		if g.name == "tiny-mpnet" {
			continue // places relative positions in buckets by a float32 logarithm; driver/stock compares it in float32
		}
		for _, method := range []string{"standard", "r3f"} {
			t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)+"/"+method, func(t *testing.T) {
				checkModel(t, importGolden(t, path, g), g, method, method == "standard")
			})
		}
	}
}

// importGolden imports an exported encoder, compares its tensors with those that transformers saved, and fills in the
// head that the export lacks.
func importGolden(t *testing.T, path string, g goldenModel) *graphs.Model {
	t.Helper()
	m, err := importer.File(path, importer.Options{Labels: g.labels})
	if err != nil {
		t.Fatal(err)
	}
	saved := readTensors(t, filepath.Join(goldens, g.name, "model.safetensors"))
	for i, w := range m.Weights {
		c, ok := m.Checkpoint[w.Name]
		want, exists := saved[c.Name]
		if !ok || !exists {
			t.Fatalf("parameter %q is %q in transformers, which %s does not hold", w.Name, c.Name, g.name)
		}
		if c.Transposed {
			want = transpose(want)
		}
		got := eval.Tensor{Shape: w.Shape}
		if slices.Contains(m.Initialised, w.Name) {
			w.Data = nil
			for _, v := range want.Data {
				w.Data = append(w.Data, float32(v))
			}
			m.Weights[i] = w
		}
		for _, v := range w.Data {
			got.Data = append(got.Data, float64(v))
		}
		if d := distance(got, want); d != 0 || !slices.Equal(got.Shape, want.Shape) {
			t.Errorf("%s is %v, saved %v, off by %.2g", w.Name, got.Shape, want.Shape, d)
		}
	}
	return m
}

// Of a BERT encoder nothing of the exporter's way of writing is left: as many operators of each kind as the native
// family builds, for every exporter and opset, up to the transposition of weights and the form of the mask.
func TestImportIsCanonical(t *testing.T) {
	for path, g := range exports(t) {
		if !strings.HasPrefix(g.name, "tiny-bert") {
			continue
		}
		native, err := graphs.Load(filepath.Join(goldens, g.name), g.labels, 0)
		if err != nil {
			t.Fatal(err)
		}
		m := importGolden(t, path, g)
		want, got := kinds(native.Graph), kinds(m.Graph)
		for _, op := range []string{"Transpose", "Cast", "Unsqueeze", "Reshape", "Shape", "Slice", "Concat"} {
			if got[op] > want[op]+1 {
				t.Errorf("%s: %d × %s, native %d", path, got[op], op, want[op])
			}
			delete(want, op)
			delete(got, op)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s has %v, native %v", path, got, want)
		}
	}
}

func kinds(g *graphs.Graph) map[string]int {
	out := map[string]int{}
	for _, n := range g.Nodes {
		out[n.Op]++
	}
	return out
}

// A step of an imported graph computes what a step of the native one does: for every exporter of BERT, forward and
// backward together, within 2 % of the elements that native operators other than views write, and as many saved.
func TestImportCosts(t *testing.T) {
	for path, g := range exports(t) {
		if !strings.HasPrefix(g.name, "tiny-bert") {
			continue
		}
		native, err := graphs.Load(filepath.Join(goldens, g.name), g.labels, 0)
		if err != nil {
			t.Fatal(err)
		}
		o := graphs.Options{Doubled: true, Dropout: 0.1}
		want, got := compile(t, native, o, false), compile(t, importGolden(t, path, g), o, false)
		for _, pair := range [][2]*graphs.Graph{{want.Forward, got.Forward}, {want.Backward, got.Backward}} {
			if w, h := written(pair[0]), written(pair[1]); float64(h) > 1.02*float64(w) {
				t.Errorf("%s: %s writes %d elements, native %d\n%v", path, pair[1].Name, h, w, pair[1])
			}
		}
		if len(got.Saved) != len(want.Saved) || len(got.Masks) != len(want.Masks) {
			t.Errorf("%s saves %d activations and has %d dropout sites, native %d and %d", path, len(got.Saved), len(got.Masks), len(want.Saved), len(want.Masks))
		}
	}
}

// written counts the elements that the operators of a graph write for 16 examples of 32 tokens, views left out.
func written(g *graphs.Graph) int {
	n := 0
	for _, node := range g.Nodes {
		switch node.Op {
		case "Reshape", "Squeeze", "Unsqueeze", "StopGradient":
		default:
			n += node.Outputs[0].Shape.Product().Size(16, 32)
		}
	}
	return n
}
