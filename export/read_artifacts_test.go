package export_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// onnx is what the tests look at of a model.
type onnx struct {
	inputs, outputs []string
	types           map[string]string // of inputs and outputs: "1[B 3]", element type and dimensions
	nodes           []onnxNode
	opsets          map[string]uint64
}

type onnxNode struct {
	domain, op      string
	inputs, outputs []string
	attributes      map[string]any // int64 and float32 ones
}

// readONNX decodes a model by the wire format alone.
func readONNX(t *testing.T, path ...string) onnx {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	out := onnx{types: map[string]string{}, opsets: map[string]uint64{}}
	info := func(v []byte) (name string) {
		var kind string
		fields(t, v, func(n protowire.Number, b []byte) {
			if n == 1 {
				name = string(b)
				return
			}
			fields(t, b, func(n protowire.Number, b []byte) {
				element, _ := varint(b, 1)
				kind = fmt.Sprint(element)
				if n == 4 {
					kind = "sequence"
				}
				var dims []string
				fields(t, b, func(n protowire.Number, b []byte) {
					fields(t, b, func(n protowire.Number, b []byte) {
						d := ""
						fields(t, b, func(_ protowire.Number, b []byte) { d = string(b) })
						if size, ok := varint(b, 1); ok {
							d = fmt.Sprint(size)
						}
						dims = append(dims, d)
					})
				})
				if kind != "sequence" {
					kind += fmt.Sprint(dims)
				}
			})
		})
		out.types[name] = kind
		return name
	}
	fields(t, data, func(n protowire.Number, b []byte) {
		switch n {
		case 7:
			fields(t, b, func(n protowire.Number, b []byte) {
				switch n {
				case 1:
					out.nodes = append(out.nodes, readNode(t, b))
				case 11:
					out.inputs = append(out.inputs, info(b))
				case 12:
					out.outputs = append(out.outputs, info(b))
				}
			})
		case 8:
			domain := ""
			fields(t, b, func(_ protowire.Number, b []byte) { domain = string(b) })
			out.opsets[domain], _ = varint(b, 2)
		}
	})
	return out
}

func readNode(t *testing.T, b []byte) onnxNode {
	n := onnxNode{attributes: map[string]any{}}
	fields(t, b, func(field protowire.Number, b []byte) {
		switch field {
		case 1:
			n.inputs = append(n.inputs, string(b))
		case 2:
			n.outputs = append(n.outputs, string(b))
		case 4:
			n.op = string(b)
		case 7:
			n.domain = string(b)
		case 5:
			name := ""
			fields(t, b, func(f protowire.Number, b []byte) {
				if f == 1 {
					name = string(b)
				}
			})
			if v, ok := varint(b, 3); ok {
				n.attributes[name] = int64(v)
			}
			if v, ok := fixed32(b, 2); ok {
				n.attributes[name] = v
			}
		}
	})
	return n
}

// varint is the last varint field of that number.
func varint(b []byte, field protowire.Number) (v uint64, ok bool) {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		b = b[size:]
		if n == field && kind == protowire.VarintType {
			v, _ = protowire.ConsumeVarint(b)
			ok = true
		}
		b = b[protowire.ConsumeFieldValue(n, kind, b):]
	}
	return v, ok
}

func fixed32(b []byte, field protowire.Number) (v float32, ok bool) {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		b = b[size:]
		if n == field && kind == protowire.Fixed32Type {
			bits, _ := protowire.ConsumeFixed32(b)
			v, ok = math.Float32frombits(bits), true
		}
		b = b[protowire.ConsumeFieldValue(n, kind, b):]
	}
	return v, ok
}

// checkpointTensor is a parameter as a checkpoint holds it.
type checkpointTensor struct {
	dims []int
	data []float32
}

// readCheckpoint reads the trained parameters, in order of the file, with the reader of google/flatbuffers.
func readCheckpoint(t *testing.T, path ...string) (names []string, tensors map[string]checkpointTensor) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if !flatbuffers.BufferHasIdentifier(data, "ODTC") {
		t.Fatalf("the identifier is %q", data[4:8])
	}
	field := func(t flatbuffers.Table, slot int) flatbuffers.UOffsetT {
		if o := t.Offset(flatbuffers.VOffsetT(4 + 2*slot)); o != 0 {
			return t.Pos + flatbuffers.UOffsetT(o)
		}
		return 0
	}
	table := func(t flatbuffers.Table, at flatbuffers.UOffsetT) flatbuffers.Table {
		return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}
	}
	vector := func(t flatbuffers.Table, slot int) (begin flatbuffers.UOffsetT, n int) {
		o := flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4 + 2*slot)))
		return t.Vector(o), t.VectorLen(o)
	}
	root := flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}
	if v := root.GetInt32(field(root, 0)); v != 2 {
		t.Errorf("version %d", v)
	}
	module := table(root, field(root, 1))
	if _, frozen := vector(module, 1); frozen != 0 {
		t.Errorf("%d frozen parameters", frozen)
	}
	tensors = map[string]checkpointTensor{}
	begin, n := vector(module, 0)
	for i := range n {
		x := table(module, begin+flatbuffers.UOffsetT(4*i))
		if element := x.GetInt32(field(x, 3)); element != int32(graphs.Float32) {
			t.Errorf("element type %d", element)
		}
		name := string(x.ByteVector(field(x, 0)))
		var p checkpointTensor
		dims, rank := vector(x, 2)
		for k := range rank {
			p.dims = append(p.dims, int(x.GetInt64(dims+flatbuffers.UOffsetT(8*k))))
		}
		at, size := vector(x, 4)
		if at%4 != 0 {
			t.Errorf("the data of %s begins at byte %d", name, at)
		}
		for k := 0; k < size; k += 4 {
			p.data = append(p.data, math.Float32frombits(binary.LittleEndian.Uint32(data[int(at)+k:])))
		}
		names, tensors[name] = append(names, name), p
	}
	return names, tensors
}
