package eval

import (
	"math"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// operator is one line of the table.
type operator struct {
	operands int // how many must be there; further ones are optional
	compute  function
}

// function computes a node's outputs from its operands; an absent optional operand is nil. The node has passed
// graphs.Check, so attributes are sound; sizes and indices known at run time only are not.
type function func(n *graphs.Node, in []*Tensor) ([]Tensor, error)

// operators holds one function for each operator of graphs/ops.go.
// Source: the ai.onnx operator specification, opset 20.
var operators = map[string]operator{
	// element-wise, two operands
	"Add":   {2, binary(func(a, b float64) float64 { return a + b })},
	"Sub":   {2, binary(func(a, b float64) float64 { return a - b })},
	"Mul":   {2, binary(func(a, b float64) float64 { return a * b })},
	"Div":   {2, div},
	"Equal": {2, binary(func(a, b float64) float64 { return indicator(a == b) })},
	// element-wise, one operand
	"Neg":         {1, unary(func(x float64) float64 { return -x })},
	"Abs":         {1, unary(math.Abs)},
	"Sign":        {1, unary(func(x float64) float64 { return indicator(x > 0) - indicator(x < 0) })},
	"Reciprocal":  {1, unary(func(x float64) float64 { return 1 / x })},
	"Sqrt":        {1, unary(math.Sqrt)},
	"Exp":         {1, unary(math.Exp)},
	"Log":         {1, unary(math.Log)},
	"Erf":         {1, unary(math.Erf)},
	"Tanh":        {1, unary(math.Tanh)},
	"HardSigmoid": {1, hardSigmoid},
	"Sigmoid":     {1, unary(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })},
	"Relu":        {1, unary(func(x float64) float64 { return max(x, 0) })},
	"Gelu":        {1, gelu},
	// matrix products
	"MatMul": {2, matMul},
	"Gemm":   {2, gemm},
	// normalisation and reduction
	"LayerNormalization": {2, layerNormalization},
	"Softmax":            {1, softmax},
	"LogSoftmax":         {1, logSoftmax},
	"ReduceSum":          {2, reduceSum},
	"ReduceMean":         {2, reduceMean},
	// selection and layout
	"Gather":    {2, gather},
	"ScatterND": {3, scatterND},
	"Slice":     {4, slice},
	"Pad":       {2, pad},
	"Concat":    {1, concat},
	"Expand":    {2, expand},
	"Reshape":   {2, reshape},
	"Transpose": {1, transpose},
	"Squeeze":   {2, squeeze},
	"Unsqueeze": {2, unsqueeze},
	// types, shapes and markers
	"CumSum":           {2, cumSum},
	"Cast":             {1, cast},
	"Shape":            {1, shape},
	"ConstantOfShape":  {1, constantOfShape},
	"DequantizeLinear": {2, dequantizeLinear},
	"StopGradient":     {1, unary(func(x float64) float64 { return x })},
	"Dropout":          {1, dropout},
	"RelativeShift":    {1, relativeShift},
}

// indicator is 1 for true and 0 for false.
func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// one wraps the result of an operator with a single output.
func one(t Tensor) ([]Tensor, error) { return []Tensor{t}, nil }
