package onnxpb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/internal/wire"
)

// ErrCorrupt marks bytes that are no ONNX model, or a truncated one.
var ErrCorrupt = errors.New("not a valid ONNX file, or a truncated one; export or download it again")

// Read parses a serialised ModelProto. Tensor data given as raw bytes is a view of data, everything else is copied;
// typed data fields become little-endian bytes in Raw. Memory beyond data's own is at most 64 times its size, and
// less than once its size for files whose bulk is tensors. Errors wrap ErrCorrupt and name the field.
func Read(data []byte) (*Model, error) {
	m, graphs := &Model{}, 0
	err := wire.Walk(data, func(f wire.Field) error {
		switch f.Number {
		case 1:
			return f.GetInt(&m.IRVersion)
		case 2:
			return f.GetString(&m.Producer)
		case 3:
			return f.GetString(&m.ProducerVersion)
		case 7:
			if graphs++; graphs > 1 {
				return errors.New("there is a second graph")
			}
			m.Graph.reserve(f.Bytes)
			return f.Message("graph", m.Graph.read)
		case 8:
			var d Domain
			err := f.Message("opset_import", d.read)
			if d.Name == "" || d.Name == "ai.onnx" {
				m.Opset = d.Version
			} else {
				m.Domains = append(m.Domains, d)
			}
			return err
		case 14:
			var e Entry
			err := f.Message("metadata_props", e.read)
			m.Metadata = append(m.Metadata, e)
			return err
		case 25:
			m.Functions++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a ModelProto: %w: %w", ErrCorrupt, err)
	}
	if m.Opset == 0 && len(m.Domains) == 0 && len(m.Graph.Nodes) == 0 {
		return nil, fmt.Errorf("reading a ModelProto: %w: it has neither nodes nor operator sets", ErrCorrupt)
	}
	return m, nil
}

func (d *Domain) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.GetString(&d.Name)
	case 2:
		return f.GetInt(&d.Version)
	}
	return nil
}

func (e *Entry) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.GetString(&e.Key)
	case 2:
		return f.GetString(&e.Value)
	}
	return nil
}

// reserve makes room for as many nodes and initialisers as a serialised graph holds.
func (g *Graph) reserve(graph []byte) {
	nodes, initializers := 0, 0
	_ = wire.Walk(graph, func(f wire.Field) error { // a broken message is reported when it is read
		switch {
		case f.Number == 1 && len(f.Bytes) > 0:
			nodes++
		case f.Number == 5 && len(f.Bytes) > 0:
			initializers++
		}
		return nil
	})
	g.Nodes, g.Initializers = slices.Grow(g.Nodes, nodes), slices.Grow(g.Initializers, initializers)
}

func (g *Graph) read(f wire.Field) error {
	switch f.Number {
	case 1:
		n := Node{}
		if err := f.Message("node", n.read); err != nil {
			return fmt.Errorf("number %d: %w", len(g.Nodes), err)
		}
		if n.OpType == "" {
			return fmt.Errorf("node %d has no op_type", len(g.Nodes))
		}
		g.Nodes = append(g.Nodes, n)
	case 2:
		return f.GetString(&g.Name)
	case 5:
		t := Tensor{}
		if err := f.Message("initializer", t.read); err != nil {
			return fmt.Errorf("number %d: %w", len(g.Initializers), err)
		}
		if t.Name == "" {
			return fmt.Errorf("initializer %d has no name", len(g.Initializers))
		}
		g.Initializers = append(g.Initializers, t)
	case 11, 12:
		v := ValueInfo{}
		err := f.Message("value_info", v.read)
		if f.Number == 11 {
			g.Inputs = append(g.Inputs, v)
		} else {
			g.Outputs = append(g.Outputs, v)
		}
		return err
	case 15:
		return errors.New("sparse initialisers are not supported")
	}
	return nil
}

func (n *Node) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.GetStrings(&n.Inputs)
	case 2:
		return f.GetStrings(&n.Outputs)
	case 3:
		return f.GetString(&n.Name)
	case 4:
		return f.GetString(&n.OpType)
	case 5:
		a := Attribute{}
		err := f.Message("attribute", a.read)
		n.Attributes = append(n.Attributes, a)
		return err
	case 7:
		return f.GetString(&n.Domain)
	}
	return nil
}

// read keeps the one field of the union that is there; lists accumulate.
func (a *Attribute) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.GetString(&a.Name)
	case 2:
		if f.Kind != protowire.Fixed32Type {
			return f.Mismatch()
		}
		a.Value = math.Float32frombits(uint32(f.Varint))
	case 3:
		var v int64
		err := f.GetInt(&v)
		a.Value = v
		return err
	case 4:
		var s string
		err := f.GetString(&s)
		a.Value = s
		return err
	case 5:
		t := &Tensor{}
		a.Value = t
		return f.Message("tensor", t.read)
	case 6, 11:
		a.Value = Subgraph{}
	case 7:
		list, _ := a.Value.([]float32)
		err := f.Floats(func(v uint32) { list = append(list, math.Float32frombits(v)) })
		a.Value = list
		return err
	case 8:
		list, _ := a.Value.([]int64)
		err := f.Ints(func(v uint64) { list = append(list, int64(v)) })
		a.Value = list
		return err
	case 9:
		list, _ := a.Value.([]string)
		err := f.GetStrings(&list)
		a.Value = list
		return err
	case 20: // the type; an empty list has nothing else
		var kind int64
		err := f.GetInt(&kind)
		if a.Value == nil && kind == attributeInts {
			a.Value = []int64{}
		}
		return err
	}
	return nil
}

func (t *Tensor) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.Ints(func(v uint64) { t.Dims = append(t.Dims, int64(v)) })
	case 2:
		var v int64
		err := f.GetInt(&v)
		t.DataType = int32(v)
		return err
	case 4:
		return f.Floats(func(v uint32) { t.Raw = binary.LittleEndian.AppendUint32(t.Raw, v) })
	case 5:
		return f.Ints(func(v uint64) {
			switch t.size32() {
			case 1:
				t.Raw = append(t.Raw, byte(v))
			case 2:
				t.Raw = binary.LittleEndian.AppendUint16(t.Raw, uint16(v))
			default:
				t.Raw = binary.LittleEndian.AppendUint32(t.Raw, uint32(v))
			}
		})
	case 7:
		return f.Ints(func(v uint64) { t.Raw = binary.LittleEndian.AppendUint64(t.Raw, v) })
	case 8:
		return f.GetString(&t.Name)
	case 9:
		if f.Kind != protowire.BytesType {
			return f.Mismatch()
		}
		t.Raw = f.Bytes
	case 10:
		return f.Doubles(func(v uint64) { t.Raw = binary.LittleEndian.AppendUint64(t.Raw, v) })
	case 13:
		if t.External == nil {
			t.External = &External{}
		}
		var pair Entry
		if err := f.Message("external_data", pair.read); err != nil {
			return err
		}
		return t.External.read(pair)
	case 14:
		var v int64
		err := f.GetInt(&v)
		if v == 1 && t.External == nil {
			t.External = &External{}
		}
		return err
	}
	return nil
}

// size32 is the element size of the types that TensorProto keeps in int32_data. The type comes before the data in
// every writer's output; where it does not, the length check of Bytes fails.
func (t *Tensor) size32() int { return elementSizes[t.DataType] }

func (v *ValueInfo) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.GetString(&v.Name)
	case 2:
		return f.Message("type", func(f wire.Field) error {
			switch f.Number {
			case 1:
				return f.Message("tensor_type", v.readTensorType)
			case 4:
				v.Sequence = true
			}
			return nil // maps and optionals keep ElemType 0
		})
	}
	return nil
}

func (v *ValueInfo) readTensorType(f wire.Field) error {
	switch f.Number {
	case 1:
		var kind int64
		err := f.GetInt(&kind)
		v.ElemType = int32(kind)
		return err
	case 2:
		return f.Message("shape", func(f wire.Field) error {
			if f.Number != 1 {
				return nil
			}
			var d Dim
			err := f.Message("dim", d.read)
			v.Dims = append(v.Dims, d)
			return err
		})
	}
	return nil
}

func (d *Dim) read(f wire.Field) error {
	switch f.Number {
	case 1:
		return f.GetInt(&d.Value)
	case 2:
		return f.GetString(&d.Param)
	}
	return nil
}
