package onnxpb

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields decodes one level of a message: the payloads of each field number, in order.
func fields(t *testing.T, b []byte) map[protowire.Number][]any {
	t.Helper()
	out := map[protowire.Number][]any{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("bad tag: %v", protowire.ParseError(n))
		}
		b = b[n:]
		var value any
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			value = math.Float32frombits(v)
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d has wire type %d, which ONNX does not use here", number, kind)
		}
		if n < 0 {
			t.Fatalf("bad field %d: %v", number, protowire.ParseError(n))
		}
		b = b[n:]
		out[number] = append(out[number], value)
	}
	return out
}

func message(t *testing.T, v any) map[protowire.Number][]any {
	t.Helper()
	return fields(t, v.([]byte))
}

// TestWrite decodes a model by the wire format alone and looks for everything that went in, by field number.
func TestWrite(t *testing.T) {
	raw := []byte{0, 0, 128, 63, 0, 0, 0, 64}
	model := Model{
		Producer: "p", ProducerVersion: "v", Opset: 20, Domains: []Domain{{"com.x", 1}},
		Metadata: []Entry{{"task", "rte"}, {"labels", ""}},
		Graph: Graph{
			Name: "g",
			Nodes: []Node{{Name: "n", OpType: "Gemm", Domain: "com.x", Inputs: []string{"x", "", "w"}, Outputs: []string{"y"}, Attributes: []Attribute{
				{"alpha", float32(0.5)}, {"transB", int64(-1)}, {"mode", "tanh"}, {"perm", []int64{1, 0}},
			}}},
			Initializers: []Tensor{{Name: "w", DataType: 1, Dims: []int64{2, 1}, Raw: raw}, {Name: "s", DataType: 7, Raw: make([]byte, 8)}},
			Inputs:       []ValueInfo{{Name: "x", ElemType: 1, Dims: []Dim{{Param: "B"}, {Value: 2}}}},
			Outputs:      []ValueInfo{{Name: "y", ElemType: 1}, {Name: "s", ElemType: 9, Sequence: true}},
		},
	}
	var b bytes.Buffer
	if err := model.Write(&b); err != nil {
		t.Fatal(err)
	}
	m := fields(t, b.Bytes())
	g := message(t, m[7][0])
	node := message(t, g[1][0])
	weight, scalar := message(t, g[5][0]), message(t, g[5][1])
	input := message(t, message(t, message(t, g[11][0])[2][0])[1][0])
	shape := message(t, input[2][0])
	sequence := message(t, message(t, g[12][1])[2][0])
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"ir_version", m[1][0], uint64(irVersion)},
		{"producer", m[2][0], []byte("p")},
		{"producer_version", m[3][0], []byte("v")},
		{"opset", message(t, m[8][0])[2][0], uint64(20)},
		{"another domain", string(message(t, m[8][1])[1][0].([]byte)), "com.x"},
		{"its version", message(t, m[8][1])[2][0], uint64(1)},
		{"node domain", node[7][0], []byte("com.x")},
		{"sequence of tensors", message(t, message(t, message(t, sequence[4][0])[1][0])[1][0])[1][0], uint64(9)},
		{"metadata key", message(t, m[14][0])[1][0], []byte("task")},
		{"metadata value", message(t, m[14][0])[2][0], []byte("rte")},
		{"graph name", g[2][0], []byte("g")},
		{"node inputs, one absent", node[1], []any{[]byte("x"), []byte(""), []byte("w")}},
		{"node output", node[2][0], []byte("y")},
		{"op_type", node[4][0], []byte("Gemm")},
		{"float attribute", message(t, node[5][0])[2][0], float32(0.5)},
		{"its type", message(t, node[5][0])[20][0], uint64(1)},
		{"negative int attribute", int64(message(t, node[5][1])[3][0].(uint64)), int64(-1)},
		{"string attribute", message(t, node[5][2])[4][0], []byte("tanh")},
		{"ints attribute", message(t, node[5][3])[8], []any{uint64(1), uint64(0)}},
		{"tensor dims", weight[1], []any{uint64(2), uint64(1)}},
		{"tensor type", weight[2][0], uint64(1)},
		{"tensor name", weight[8][0], []byte("w")},
		{"tensor data", weight[9][0], raw},
		{"scalar has no dims", len(scalar[1]), 0},
		{"element type", input[1][0], uint64(1)},
		{"symbolic dimension", message(t, shape[1][0])[2][0], []byte("B")},
		{"fixed dimension", message(t, shape[1][1])[1][0], uint64(2)},
		{"output name", message(t, g[12][0])[1][0], []byte("y")},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
}

// full fails after a number of writes, as a disk does.
type full int

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	model := Model{Opset: 20, Graph: Graph{Initializers: []Tensor{{Name: "w", DataType: 2, Dims: []int64{1}, Raw: []byte{1}}}}}
	for n := range 5 {
		f := full(n)
		if err := model.Write(&f); !errors.Is(err, errFull) {
			t.Errorf("after %d writes: error %v, want %v", n, err, errFull)
		}
	}
}
