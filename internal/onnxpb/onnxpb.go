package onnxpb

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// irVersion is the ONNX IR version written; 9 goes with opset 20.
const irVersion = 9

// Model is a ModelProto.
type Model struct {
	Producer, ProducerVersion string
	Opset                     int64 // of the ai.onnx domain
	Graph                     Graph
	Metadata                  []Entry // metadata_props, in order
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

// Node is a NodeProto of the ai.onnx domain.
type Node struct {
	Name, OpType    string
	Inputs, Outputs []string // an absent optional one is ""
	Attributes      []Attribute
}

// Attribute is an AttributeProto; Value is an int64, float32, string or []int64.
type Attribute struct {
	Name  string
	Value any
}

// Tensor is a TensorProto with raw little-endian data.
type Tensor struct {
	Name     string
	DataType int32
	Dims     []int64
	Raw      []byte
}

// ValueInfo is a ValueInfoProto of a tensor; a dimension is a size, or a symbol where Param is set.
type ValueInfo struct {
	Name     string
	ElemType int32
	Dims     []Dim
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

// Marshal returns the model's serialised form.
func (m *Model) Marshal() []byte {
	var b []byte
	b = appendInt(b, 1, irVersion)
	b = appendString(b, 2, m.Producer)
	b = appendString(b, 3, m.ProducerVersion)
	b = appendMessage(b, 7, m.Graph.marshal())
	b = appendMessage(b, 8, appendInt(nil, 2, m.Opset))
	for _, e := range m.Metadata {
		b = appendMessage(b, 14, appendString(appendString(nil, 1, e.Key), 2, e.Value))
	}
	return b
}

func (g *Graph) marshal() []byte {
	var size int
	for _, t := range g.Initializers {
		size += len(t.Raw) + 256
	}
	b := make([]byte, 0, size+1<<16)
	for _, n := range g.Nodes {
		b = appendMessage(b, 1, n.marshal())
	}
	b = appendString(b, 2, g.Name)
	for _, t := range g.Initializers {
		b = t.append(b, 5)
	}
	for _, v := range g.Inputs {
		b = appendMessage(b, 11, v.marshal())
	}
	for _, v := range g.Outputs {
		b = appendMessage(b, 12, v.marshal())
	}
	return b
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
	return b
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

// append writes the tensor as a field of b without an intermediate copy of its data.
func (t *Tensor) append(b []byte, field protowire.Number) []byte {
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
	return append(append(b, head...), t.Raw...)
}

func (v *ValueInfo) marshal() []byte {
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
