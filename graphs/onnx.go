package graphs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// ONNX returns what WriteONNX writes.
func (g *Graph) ONNX(weights []Weight, metadata []Metadata) ([]byte, error) {
	var b bytes.Buffer
	err := g.WriteONNX(&b, weights, metadata)
	return b.Bytes(), err
}

// WriteONNX serialises the graph with standard ai.onnx operators. Parameters become graph inputs, or, where
// weights are given, initialisers with those values. The bytes depend on nothing but the arguments.
func (g *Graph) WriteONNX(w io.Writer, weights []Weight, metadata []Metadata) error {
	m, err := g.Proto(weights, metadata)
	if err != nil {
		return err
	}
	if err := m.Write(w); err != nil {
		return fmt.Errorf("serialising %s: %w", g.Name, err)
	}
	return nil
}

// Proto returns the model that WriteONNX writes, for packages of this module that add to it. Values with a name keep it.
func (g *Graph) Proto(weights []Weight, metadata []Metadata) (*onnxpb.Model, error) {
	if err := Check(g); err != nil {
		return nil, fmt.Errorf("serialising %s: %w", g.Name, err)
	}
	e := &emitter{names: valueNames(g), constants: map[*Value]bool{}}
	m := &onnxpb.Model{Producer: "r3f-ort", Opset: Opset}
	for _, kv := range metadata {
		m.Metadata = append(m.Metadata, onnxpb.Entry{Key: kv.Key, Value: kv.Value})
	}
	e.graph.Name = g.Name
	for _, v := range g.Inputs {
		e.graph.Inputs = append(e.graph.Inputs, e.info(v))
	}
	if err := e.parameters(g, weights); err != nil {
		return nil, err
	}
	for i, n := range g.Nodes {
		e.node(i, n)
	}
	for _, v := range g.Outputs {
		e.graph.Outputs = append(e.graph.Outputs, e.info(v))
	}
	m.Graph = e.graph
	return m, nil
}

// Metadata is one pair of an ONNX model's metadata_props.
type Metadata struct{ Key, Value string }

type emitter struct {
	graph     onnxpb.Graph
	names     map[*Value]string
	constants map[*Value]bool
}

func (e *emitter) info(v *Value) onnxpb.ValueInfo {
	out := onnxpb.ValueInfo{Name: e.names[v], ElemType: int32(v.DType)}
	for _, d := range v.Shape {
		if d.IsStatic() {
			out.Dims = append(out.Dims, onnxpb.Dim{Value: int64(d.Coef)})
		} else {
			out.Dims = append(out.Dims, onnxpb.Dim{Param: d.String()})
		}
	}
	return out
}

func (e *emitter) parameters(g *Graph, weights []Weight) error {
	values := map[string]Weight{}
	for _, w := range weights {
		values[w.Name] = w
	}
	for _, p := range g.Parameters {
		if weights == nil {
			e.graph.Inputs = append(e.graph.Inputs, e.info(p))
			continue
		}
		w, ok := values[p.Name]
		if !ok || len(w.Data) != p.Shape.Product().Coef {
			return fmt.Errorf("serialising %s: parameter %q %v has %d values", g.Name, p.Name, p.Shape, len(w.Data))
		}
		raw := safetensors.FromFloat32s(w.Name, w.Shape, w.Data).Data
		e.graph.Initializers = append(e.graph.Initializers, onnxpb.Tensor{Name: p.Name, DataType: int32(Float32), Dims: p.Shape.Sizes(0, 0), Raw: raw})
	}
	return nil
}

func (e *emitter) node(i int, n *Node) {
	out := onnxpb.Node{Name: fmt.Sprintf("%s_%d", n.Op, i), OpType: n.Op}
	if emit := operators[n.Op].emit; emit != "" {
		out.OpType = emit
	}
	for _, v := range n.Inputs {
		if v == nil {
			out.Inputs = append(out.Inputs, "")
			continue
		}
		if v.Kind == Constant {
			e.constant(v)
		}
		out.Inputs = append(out.Inputs, e.names[v])
	}
	for _, v := range n.Outputs {
		out.Outputs = append(out.Outputs, e.names[v])
	}
	for _, k := range n.Attrs.names() {
		v := n.Attrs[k]
		if f, ok := v.(float64); ok {
			v = float32(f)
		}
		if _, isShape := v.(Shape); !isShape {
			out.Attributes = append(out.Attributes, onnxpb.Attribute{Name: k, Value: v})
		}
	}
	e.graph.Nodes = append(e.graph.Nodes, out)
}

// constant adds a literal's initialiser once.
func (e *emitter) constant(v *Value) {
	if e.constants[v] {
		return
	}
	e.constants[v] = true
	t := onnxpb.Tensor{Name: e.names[v], DataType: int32(v.DType), Dims: v.Shape.Sizes(0, 0)}
	for _, x := range v.Literal {
		switch v.DType {
		case Int64:
			t.Raw = binary.LittleEndian.AppendUint64(t.Raw, uint64(integer(x)))
		case Float32:
			t.Raw = binary.LittleEndian.AppendUint32(t.Raw, math.Float32bits(float32(x)))
		default:
			t.Raw = append(t.Raw, byte(x))
		}
	}
	e.graph.Initializers = append(e.graph.Initializers, t)
}
