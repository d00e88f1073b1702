package artifacts

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
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

// Field numbers of ModelProto, GraphProto, NodeProto, AttributeProto, ValueInfoProto, TypeProto, Tensor and Dimension.
func parseSignature(data []byte) (*Signature, error) {
	s := &Signature{}
	graphs := 0
	err := fields(data, func(model protowire.Number, _ uint64, graph []byte) error {
		if model != 7 {
			return nil
		}
		graphs++
		return fields(graph, func(n protowire.Number, _ uint64, b []byte) error {
			switch n {
			case 1:
				node, err := parseNode(b)
				s.Nodes = append(s.Nodes, node)
				return err
			case 11, 12:
				v, err := parseValue(b)
				if n == 11 {
					s.Inputs = append(s.Inputs, v)
				} else {
					s.Outputs = append(s.Outputs, v)
				}
				return err
			}
			return nil
		})
	})
	if err == nil && (graphs != 1 || len(s.Outputs) == 0) {
		err = fmt.Errorf("it is no ONNX model: %d graphs with %d outputs", graphs, len(s.Outputs))
	}
	return s, err
}

func parseNode(data []byte) (Node, error) {
	n := Node{Floats: map[string]float32{}}
	err := fields(data, func(number protowire.Number, _ uint64, b []byte) error {
		switch number {
		case 1:
			n.Inputs = append(n.Inputs, string(b))
		case 2:
			n.Outputs = append(n.Outputs, string(b))
		case 4:
			n.OpType = string(b)
		case 5:
			name, value, isFloat := "", float32(0), false
			err := fields(b, func(number protowire.Number, v uint64, b []byte) error {
				switch {
				case number == 1:
					name = string(b)
				case number == 2 && b == nil:
					value, isFloat = floatOf(v), true
				}
				return nil
			})
			if isFloat {
				n.Floats[name] = value
			}
			return err
		}
		return nil
	})
	return n, err
}

func parseValue(data []byte) (Value, error) {
	v := Value{}
	err := fields(data, func(number protowire.Number, _ uint64, b []byte) error {
		switch number {
		case 1:
			v.Name = string(b)
		case 2:
			return fields(b, func(kind protowire.Number, _ uint64, b []byte) error {
				if kind != 1 {
					return nil
				}
				return v.parseTensor(b)
			})
		}
		return nil
	})
	return v, err
}

func (v *Value) parseTensor(data []byte) error {
	return fields(data, func(number protowire.Number, n uint64, shape []byte) error {
		switch number {
		case 1:
			v.ElemType = int32(n)
		case 2:
			return fields(shape, func(_ protowire.Number, _ uint64, dim []byte) error {
				d := Dim{}
				err := fields(dim, func(number protowire.Number, n uint64, b []byte) error {
					switch number {
					case 1:
						d.Size = max(0, int64(n))
					case 2:
						d.Param = string(b)
					}
					return nil
				})
				v.Dims = append(v.Dims, d)
				return err
			})
		}
		return nil
	})
}

// fields visits the fields of a message: number, and value or bytes.
func fields(data []byte, visit func(number protowire.Number, value uint64, bytes []byte) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var value uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			value = uint64(v)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := visit(number, value, bytes); err != nil {
			return err
		}
	}
	return nil
}

func floatOf(bits uint64) float32 { return math.Float32frombits(uint32(bits)) }
