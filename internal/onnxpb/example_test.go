package onnxpb_test

import (
	"bytes"
	"fmt"

	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// A model of one node, y = Relu(x) for x of any batch size.
func Example() {
	x := []onnxpb.Dim{{Param: "B"}, {Value: 3}}
	model := onnxpb.Model{Producer: "example", Opset: 20, Graph: onnxpb.Graph{
		Name:    "g",
		Nodes:   []onnxpb.Node{{OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Inputs:  []onnxpb.ValueInfo{{Name: "x", ElemType: 1, Dims: x}},
		Outputs: []onnxpb.ValueInfo{{Name: "y", ElemType: 1, Dims: x}},
	}}
	var b bytes.Buffer
	if err := model.Write(&b); err != nil {
		fmt.Println(err)
	}
	fmt.Println(b.Len(), "bytes")
	// Output: 78 bytes
}
