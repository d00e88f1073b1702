package artifacts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// Signature is what this package reads of an ONNX model: its inputs and outputs, and its nodes without their
// subgraphs.
type Signature struct {
	Inputs, Outputs []Value
	Nodes           []Node
}

// Value is an input or output.
type Value struct {
	Name     string
	ElemType int32 // TensorProto.DataType; 0 for what is no tensor
	Dims     []Dim
}

// Dim is one dimension: a fixed size, or free where Size is 0, named by Param if it is "".
type Dim struct {
	Size  int64
	Param string
}

// Node is one node.
type Node struct {
	OpType          string
	Inputs, Outputs []string
	Floats          map[string]float32 // its attributes of that type
}

// The element types that roles know, as ONNX numbers and names them.
var elementTypes = map[int32]string{1: "float32", 2: "uint8", 6: "int32", 7: "int64", 9: "bool"}

// String writes the value as "noise float32 [B, T, 384]".
func (v Value) String() string {
	kind, ok := elementTypes[v.ElemType]
	if !ok {
		kind = "type " + strconv.Itoa(int(v.ElemType))
	}
	dims := make([]string, len(v.Dims))
	for i, d := range v.Dims {
		switch {
		case d.Size > 0:
			dims[i] = strconv.FormatInt(d.Size, 10)
		case d.Param != "":
			dims[i] = d.Param
		default:
			dims[i] = "?"
		}
	}
	return fmt.Sprintf("%s %s [%s]", v.Name, kind, strings.Join(dims, ", "))
}

// ReadSignature reads one of the models of a directory of artifacts.
func ReadSignature(dir, name string) (*Signature, error) {
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifacts, err)
	}
	s, err := parseSignature(data)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrArtifacts, path, err)
	}
	return s, nil
}

func parseSignature(data []byte) (*Signature, error) {
	m, err := onnxpb.Read(data)
	if err != nil {
		return nil, err
	}
	if len(m.Graph.Outputs) == 0 {
		return nil, errors.New("it is no ONNX model: its graph has no outputs")
	}
	s := &Signature{Inputs: valuesOf(m.Graph.Inputs), Outputs: valuesOf(m.Graph.Outputs)}
	for _, n := range m.Graph.Nodes {
		node := Node{OpType: n.OpType, Inputs: n.Inputs, Outputs: n.Outputs, Floats: map[string]float32{}}
		for _, a := range n.Attributes {
			if f, ok := a.Value.(float32); ok {
				node.Floats[a.Name] = f
			}
		}
		s.Nodes = append(s.Nodes, node)
	}
	return s, nil
}

func valuesOf(infos []onnxpb.ValueInfo) []Value {
	var out []Value
	for _, info := range infos {
		v := Value{Name: info.Name, ElemType: info.ElemType}
		for _, d := range info.Dims {
			v.Dims = append(v.Dims, Dim{Size: max(0, d.Value), Param: d.Param})
		}
		out = append(out, v)
	}
	return out
}
