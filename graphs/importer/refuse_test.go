package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// What cannot be trained is refused with what to do; an error about a node names it.
func TestRefusals(t *testing.T) {
	const y = "last_hidden_state"
	plain := func() *encoder { return newEncoder(17, op("Identity", "x", y)) }
	with := func(e *encoder, change func(*onnxpb.Model)) *encoder { change(&e.Model); return e }
	for _, c := range []struct {
		name    string
		encoder *encoder
		options Options
		node    string // operator of the NodeError, "" where the error is about none
		says    string
	}{
		{"control flow", newEncoder(17, op("If", "x", y)), Options{}, "ai.onnx.If", "without scripting"},
		{"quantised", newEncoder(17, op("DequantizeLinear", "x x", y)), Options{}, "ai.onnx.DequantizeLinear", "import the float32 export"},
		{"fused attention", newEncoder(17, op("com.microsoft:Attention", "x", y)), Options{}, "com.microsoft.Attention", "import the export it was made from"},
		{"unknown operator", newEncoder(17, op("Loup", "x", y)), Options{}, "ai.onnx.Loup", "not supported; supported: Abs, Add"},
		{"unknown domain", newEncoder(17, op("com.example:Add", "x x", y)), Options{}, "com.example.Add", "known: ai.onnx, com.microsoft"},
		{"missing operand", newEncoder(17, op("Add", "x", y)), Options{}, "ai.onnx.Add", "operand 1 is missing"},
		{"operand of nowhere", newEncoder(17, op("Add", "x z", y)), Options{}, "ai.onnx.Add", `operand "z" is computed nowhere`},
		{"shapes", newEncoder(17, op("MatMul", "x word.weight", y)), Options{}, "ai.onnx.MatMul", "inner dimensions 4 and 8 differ"},
		{"computed sizes", newEncoder(17, op("Reshape", "x input_ids", y)), Options{}, "ai.onnx.Reshape", "must follow from its shape"},
		{"computed twice", newEncoder(17, op("Relu", "x", "x")), Options{}, "ai.onnx.Relu", "computed twice"},
		{"cast to half precision", newEncoder(17, op("Cast", "x", y, "to", int64(10))), Options{}, "ai.onnx.Cast", "without half precision"},
		{"padding by reflection", newEncoder(17, op("Pad", "x pads", y, "mode", "reflect")).ints("pads", 0, 0, 1, 0, 0, 1), Options{}, "ai.onnx.Pad", "mode is reflect; only constant"},
		{"padding tokens", newEncoder(17, op("Pad", "x pads", y)).ints("pads", 0, 1, 0, 0, 0, 0), Options{}, "ai.onnx.Pad", "padding of [B, T, 4]"},
		{"pads of too few axes", newEncoder(17, op("Pad", "x pads", y)).ints("pads", 1, 1), Options{}, "ai.onnx.Pad", "2 pads for 3 axes, not 6"},
		{"padding with what is computed", newEncoder(17, op("ReduceMax", "x", "m"), op("Pad", "x pads m", y)).ints("pads", 0, 0, 1, 0, 0, 1), Options{}, "ai.onnx.Pad", "must be a constant"},
		{"repeated 0 times", newEncoder(17, op("Tile", "x times", y)).ints("times", 1, 1, 0), Options{}, "ai.onnx.Tile", "repeated 0 times"},
		{"repeated beyond bounds", newEncoder(17, op("Tile", "x times", y)).ints("times", 1, 1, 1<<30), Options{}, "ai.onnx.Tile", "repeated 1073741824 times"},
		{"repeats of another rank", newEncoder(17, op("Tile", "x times", y)).ints("times", 1, 2), Options{}, "ai.onnx.Tile", "2 repeats for [B, T, 4], not 3"},
		{"ScatterND that adds", newEncoder(17, op("ScatterND", "x places x", y, "reduction", "add")).ints("places", 0), Options{}, "ai.onnx.ScatterND", "write it as ScatterElements"},
		{"ScatterElements that multiplies", newEncoder(17, op("ScatterElements", "x places x", y, "reduction", "mul")).ints("places", 0), Options{}, "ai.onnx.ScatterElements", ""},
		{"half precision", plain().tensor("h.weight", 10, []byte{0, 0}, 1), Options{}, "", "without half precision"},
		{"old opset", newEncoder(11, op("Identity", "x", y)), Options{}, "", "opsets 13 to 23"},
		{"unknown input", with(plain(), func(m *onnxpb.Model) { m.Graph.Inputs[0].Name = "pixel_values" }), Options{}, "", `"pixel_values" is none that an encoder has`},
		{"fixed batch", with(plain(), func(m *onnxpb.Model) { m.Graph.Inputs[0].Dims = []onnxpb.Dim{{Value: 8}, {Param: "t"}} }), Options{}, "", "fixed to a batch size of 8; export with dynamic axes"},
		{"fixed length", with(plain(), func(m *onnxpb.Model) { m.Graph.Inputs[0].Dims = []onnxpb.Dim{{Param: "b"}, {Value: 128}} }), Options{}, "", "fixed to a number of tokens of 128"},
		{"no token ids", with(plain(), func(m *onnxpb.Model) { m.Graph.Inputs = m.Graph.Inputs[1:] }), Options{}, "", "no input input_ids"},
		{"no hidden states", newEncoder(17, op("Shape", "x", y)), Options{}, "", "none of its outputs is hidden states"},
		{"unknown embedding", plain(), Options{Embedding: "dense.weight"}, "", "such tables: word.weight"},
		{"two embeddings", newEncoder(17, op("Gather", "norm2.weight input_ids", "z"), op("Add", "x z", y)).floats("norm2.weight", 8, 4), Options{}, "", "--embedding; tables that rows are looked up in: word.weight, norm2.weight"},
		{"tensor twice", plain().floats("word.weight", 8, 4), Options{}, "", `tensor "word.weight" is there twice`},
		{"shape arithmetic without end", newEncoder(17, endless()...).ints("zero", 0), Options{}, "ai.onnx.Concat", "more shape arithmetic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.options.Labels == 0 {
				c.options.Labels = 2
			}
			_, err := c.encoder.load(t, c.options)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v; want one that says %q", err, c.says)
			}
			var node *NodeError
			if got := errors.As(err, &node); got != (c.node != "") || got && (node.Op != c.node || node.Name == "" || node.Opset != 17) {
				t.Errorf("error about node %+v; want %q", node, c.node)
			}
		})
	}
}

// Every operator that cannot be imported is named, once each, wherever it stands.
func TestRefusalsAreComplete(t *testing.T) {
	e := newEncoder(17, op("Loup", "x", "a"), op("Relu", "a", "b"), op("Loup", "b", "c"), op("com.microsoft:Attention", "c", "d"), op("If", "d", "last_hidden_state"))
	_, err := e.load(t, Options{Labels: 2})
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"ai.onnx.Loup", "com.microsoft.Attention", "ai.onnx.If"} {
		if n := strings.Count(err.Error(), ", "+name+" (opset 17)"); n != 1 {
			t.Errorf("%s is named %d times: %v", name, n, err)
		}
	}
}

// endless is many vectors of 512 sizes.
func endless() []onnxpb.Node {
	nodes := []onnxpb.Node{op("Concat", "zero zero", "c0", "axis", int64(0))}
	for i, last := 0, "c0"; i < 200; i++ {
		next := "c" + strings.Repeat("i", i+1)
		if i >= 8 {
			nodes = append(nodes, op("Concat", "ciiiiiiii", next, "axis", int64(0)))
		} else {
			nodes = append(nodes, op("Concat", last+" "+last, next, "axis", int64(0)))
		}
		last = next
	}
	return append(nodes, op("Identity", "x", "last_hidden_state"))
}

// With --embedding the table is the one that is named.
func TestNamedEmbedding(t *testing.T) {
	e := newEncoder(17, op("Gather", "other.weight input_ids", "z"), op("Add", "x z", "last_hidden_state")).floats("other.weight", 8, 4)
	m, err := e.load(t, Options{Labels: 2, Embedding: "other.weight"})
	if err != nil || m.WordEmbedding != "other.weight" {
		t.Fatalf("%v, %v", m, err)
	}
}

// Files are refused as unusable models, with their path.
func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "encoder.onnx")
	e := newEncoder(17, op("Identity", "x", "last_hidden_state"))
	if err := os.WriteFile(path, e.bytes(t), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := File(path, Options{Labels: 2}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		prepare func() error
		labels  int
	}{
		{"no labels", func() error { return nil }, 0},
		{"config.json is no JSON", func() error { return os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o644) }, 2},
		{"padding outside the vocabulary", func() error {
			return os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"pad_token_id": 8}`), 0o644)
		}, 2},
		{"truncated", func() error { return os.WriteFile(path, e.bytes(t)[:60], 0o644) }, 2},
		{"none there", func() error { return os.Remove(path) }, 2},
		{"a directory", func() error { return os.Mkdir(path, 0o755) }, 2},
	} {
		if err := c.prepare(); err != nil {
			t.Fatal(err)
		}
		if _, err := File(path, Options{Labels: c.labels}); !errors.Is(err, graphs.ErrModel) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
