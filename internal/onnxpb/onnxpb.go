package onnxpb

import (
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// irVersion is the ONNX IR version written; 9 goes with opset 20.
const irVersion = 9

// Model is a ModelProto.
type Model struct {
	Producer, ProducerVersion string
	Opset                     int64    // of the ai.onnx domain
	Domains                   []Domain // operator sets of other domains
	Graph                     Graph
	Metadata                  []Entry // metadata_props, in order
	IRVersion                 int64   // as read; Write writes its own
	Functions                 int     // number of local functions, as read; Write writes none
}

// Domain is an operator set of a domain other than ai.onnx.
type Domain struct {
	Name    string
	Version int64
}

// Entry is one metadata_props pair.
type Entry struct{ Key, Value string }

// Graph is a GraphProto.
type Graph struct {
	Name         string
	Nodes        []Node
	Initializers []Tensor
	Inputs       []ValueInfo
	Outputs      []ValueInfo
}

// Node is a NodeProto; an empty Domain is ai.onnx.
type Node struct {
	Name, OpType    string
	Domain          string
	Inputs, Outputs []string // an absent optional one is ""
	Attributes      []Attribute
}

// Attribute is an AttributeProto; Value is an int64, float32, string or []int64, and as read also a []float32,
// []string, *Tensor or Subgraph.
type Attribute struct {
	Name  string
	Value any
}

// Subgraph stands for a graph that is an attribute's value, the body of If, Loop or Scan. It is not read.
type Subgraph struct{}

// attributeInts is AttributeProto.AttributeType INTS.
const attributeInts = 7

// Tensor is a TensorProto with raw little-endian data, here or in a file beside the model.
type Tensor struct {
	Name     string
	DataType int32
	Dims     []int64
	Raw      []byte
	External *External // as read; Write writes Raw
}

// ValueInfo is a ValueInfoProto of a tensor; a dimension is a size, or a symbol where Param is set. Sequence makes it
// one of a sequence of tensors of any shape.
type ValueInfo struct {
	Name     string
	ElemType int32
	Dims     []Dim
	Sequence bool
}

// Dim is one dimension of a ValueInfo.
type Dim struct {
	Value int64
	Param string
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

// Write serialises the model to w. Tensor data is written from where it lies, not copied.
func (m *Model) Write(w io.Writer) error {
	graph := m.Graph.chunks()
	size := 0
	for _, c := range graph {
		size += len(c)
	}
	head := appendInt(nil, 1, irVersion)
	head = appendString(head, 2, m.Producer)
	head = appendString(head, 3, m.ProducerVersion)
	head = protowire.AppendVarint(protowire.AppendTag(head, 7, protowire.BytesType), uint64(size))
	tail := appendMessage(nil, 8, appendInt(nil, 2, m.Opset))
	for _, d := range m.Domains {
		tail = appendMessage(tail, 8, appendInt(appendString(nil, 1, d.Name), 2, d.Version))
	}
	for _, e := range m.Metadata {
		tail = appendMessage(tail, 14, appendString(appendString(nil, 1, e.Key), 2, e.Value))
	}
	for _, c := range append(append([][]byte{head}, graph...), tail) {
		if _, err := w.Write(c); err != nil {
			return err
		}
	}
	return nil
}

// chunks is the serialised graph in pieces, of which those that hold tensor data are the tensors' own.
func (g *Graph) chunks() [][]byte {
	var b []byte
	for _, n := range g.Nodes {
		b = appendMessage(b, 1, n.marshal())
	}
	b = appendString(b, 2, g.Name)
	var out [][]byte
	for _, t := range g.Initializers {
		out = append(out, t.appendHead(b, 5), t.Raw)
		b = nil
	}
	for _, v := range g.Inputs {
		b = appendMessage(b, 11, v.marshal())
	}
	for _, v := range g.Outputs {
		b = appendMessage(b, 12, v.marshal())
	}
	return append(out, b)
}

func (n *Node) marshal() []byte {
	var b []byte
	for _, s := range n.Inputs { // empty names stand for absent operands and must be written
		b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), s)
	}
	for _, s := range n.Outputs {
		b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), s)
	}
	b = appendString(b, 3, n.Name)
	b = appendString(b, 4, n.OpType)
	for _, a := range n.Attributes {
		b = appendMessage(b, 5, a.marshal())
	}
	return appendString(b, 7, n.Domain)
}

func (a *Attribute) marshal() []byte {
	b := appendString(nil, 1, a.Name)
	const kind = 20
	switch v := a.Value.(type) {
	case float32:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(v))
		b = appendInt(b, kind, 1)
	case int64:
		b = appendInt(b, 3, v)
		b = appendInt(b, kind, 2)
	case string:
		b = appendString(b, 4, v)
		b = appendInt(b, kind, 3)
	case []int64:
		for _, x := range v {
			b = appendInt(b, 8, x)
		}
		b = appendInt(b, kind, 7)
	}
	return b
}

// appendHead writes the tensor as a field of b, up to where its data follows.
func (t *Tensor) appendHead(b []byte, field protowire.Number) []byte {
	var head []byte
	for _, d := range t.Dims {
		head = appendInt(head, 1, d)
	}
	head = appendInt(head, 2, int64(t.DataType))
	head = appendString(head, 8, t.Name)
	head = protowire.AppendTag(head, 9, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(t.Raw)))
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(head)+len(t.Raw)))
	return append(b, head...)
}

func (v *ValueInfo) marshal() []byte {
	if v.Sequence {
		element := appendMessage(nil, 1, appendInt(nil, 1, int64(v.ElemType)))
		return appendMessage(appendString(nil, 1, v.Name), 2, appendMessage(nil, 4, appendMessage(nil, 1, element)))
	}
	var shape []byte
	for _, d := range v.Dims {
		if d.Param != "" {
			shape = appendMessage(shape, 1, appendString(nil, 2, d.Param))
			continue
		}
		shape = appendMessage(shape, 1, appendInt(nil, 1, d.Value))
	}
	tensor := appendInt(nil, 1, int64(v.ElemType))
	tensor = appendMessage(tensor, 2, shape)
	return appendMessage(appendString(nil, 1, v.Name), 2, appendMessage(nil, 1, tensor))
}
