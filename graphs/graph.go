package graphs

import (
	"fmt"
	"maps"
	"math"
	"sort"
)

// DType is an element type; its value is the ONNX TensorProto.DataType number.
type DType int32

// The element types that encoder graphs contain.
const (
	Float32 DType = 1
	Uint8   DType = 2
	Int64   DType = 7
	Bool    DType = 9
)

// String names the element type as ONNX does.
func (t DType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Uint8:
		return "uint8"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	}
	return fmt.Sprintf("dtype(%d)", int32(t))
}

// Kind says where a value comes from.
type Kind uint8

// The four origins of a value.
const (
	Result    Kind = iota // output of a node
	Input                 // fed with each batch
	Parameter             // trained tensor, fed by name, kept outside the graph
	Constant              // literal
)

// Value is one tensor of a graph. Values are compared by identity; names matter only for inputs,
// parameters and outputs.
type Value struct {
	Name     string
	Kind     Kind
	DType    DType
	Shape    Shape
	Producer *Node     // of a Result
	Literal  []float64 // of a Constant: its elements, row-major
}

// integer is an element of an int64 literal. Bounds such as the largest int64, which float64 rounds up, stay in range.
func integer(x float64) int64 {
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int64(x)
}

// Node is one operator application. Inputs may hold nil for an absent optional input.
type Node struct {
	Op      string
	Attrs   Attrs
	Inputs  []*Value
	Outputs []*Value
}

// Attrs are a node's attributes: int64, float64, string or []int64 values by ONNX name.
type Attrs map[string]any

// Int returns the integer attribute name, or def where it is absent.
func (a Attrs) Int(name string, def int64) int64 {
	if v, ok := a[name].(int64); ok {
		return v
	}
	return def
}

// Float returns the float attribute name, or def where it is absent.
func (a Attrs) Float(name string, def float64) float64 {
	if v, ok := a[name].(float64); ok {
		return v
	}
	return def
}

// Ints returns the integer-list attribute name, or nil.
func (a Attrs) Ints(name string) []int64 {
	v, _ := a[name].([]int64)
	return v
}

// with returns a copy of the attributes in which name is v.
func (a Attrs) with(name string, v any) Attrs {
	out := maps.Clone(a)
	out[name] = v
	return out
}

// names returns the attribute names in a fixed order.
func (a Attrs) names() []string {
	out := make([]string, 0, len(a))
	for k := range a {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Graph is a straight-line program: Nodes in topological order over Inputs, Parameters and constants.
type Graph struct {
	Name       string
	Inputs     []*Value
	Parameters []*Value
	Nodes      []*Node
	Outputs    []*Value
}

// Parameter returns the parameter of that name, or nil.
func (g *Graph) Parameter(name string) *Value { return named(g.Parameters, name) }

// Input returns the input of that name, or nil.
func (g *Graph) Input(name string) *Value { return named(g.Inputs, name) }

func named(values []*Value, name string) *Value {
	for _, v := range values {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// uses returns the nodes that read each value.
func (g *Graph) uses() map[*Value][]*Node {
	out := map[*Value][]*Node{}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil {
				out[v] = append(out[v], n)
			}
		}
	}
	return out
}
