package importer

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// encoder writes a small ONNX encoder: x [B, T, 4] are the rows of input_ids in a table of 8; the nodes under test make
// last_hidden_state of it.
type encoder struct {
	onnxpb.Model
}

func newEncoder(opset int64, nodes ...onnxpb.Node) *encoder {
	e := &encoder{onnxpb.Model{Opset: opset}}
	batch := []onnxpb.Dim{{Param: "batch"}, {Param: "sequence"}}
	for _, name := range []string{"input_ids", "attention_mask"} {
		e.Graph.Inputs = append(e.Graph.Inputs, onnxpb.ValueInfo{Name: name, ElemType: 7, Dims: batch})
	}
	e.Graph.Outputs = []onnxpb.ValueInfo{{Name: "last_hidden_state", ElemType: 1}}
	e.Graph.Nodes = append([]onnxpb.Node{op("Gather", "word.weight input_ids", "x")}, nodes...)
	return e.floats("word.weight", 8, 4).floats("norm.weight", 4).floats("norm.bias", 4).floats("dense.weight", 4, 4)
}

// op is a node; operands and results are separated by spaces, "-" is an absent one.
func op(kind, in, out string, attributes ...any) onnxpb.Node {
	names := func(s string) []string {
		list := strings.Fields(s)
		for i, n := range list {
			if n == "-" {
				list[i] = ""
			}
		}
		return list
	}
	n := onnxpb.Node{OpType: kind, Inputs: names(in), Outputs: names(out)}
	if domain, rest, ok := strings.Cut(kind, ":"); ok {
		n.Domain, n.OpType = domain, rest
	}
	for i := 0; i < len(attributes); i += 2 {
		n.Attributes = append(n.Attributes, onnxpb.Attribute{Name: attributes[i].(string), Value: attributes[i+1]})
	}
	return n
}

func (e *encoder) tensor(name string, dataType int32, raw []byte, dims ...int64) *encoder {
	e.Graph.Initializers = append(e.Graph.Initializers, onnxpb.Tensor{Name: name, DataType: dataType, Dims: dims, Raw: raw})
	return e
}

// floats adds a float parameter with elements that all differ.
func (e *encoder) floats(name string, dims ...int64) *encoder {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	var raw []byte
	for i := range n {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(i+1)/float32(n)))
	}
	return e.tensor(name, 1, raw, dims...)
}

// number adds a scalar.
func (e *encoder) number(name string, x float64) *encoder {
	return e.tensor(name, 1, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(x))))
}

// ints adds an integer vector, or a scalar where the name begins with "scalar".
func (e *encoder) ints(name string, list ...int64) *encoder {
	var raw []byte
	for _, v := range list {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	if strings.HasPrefix(name, "scalar") {
		return e.tensor(name, 7, raw)
	}
	return e.tensor(name, 7, raw, int64(len(list)))
}

func (e *encoder) bytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (e *encoder) load(t testing.TB, o Options) (*graphs.Model, error) {
	t.Helper()
	files, err := onnxpb.OpenDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	return read(e.bytes(t), files, nil, o)
}
