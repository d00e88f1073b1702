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
	"Add": {2, binary(func(a, b float64) float64 { return a + b })},
	"Sub": {2, binary(func(a, b float64) float64 { return a - b })},
	"Mul": {2, binary(func(a, b float64) float64 { return a * b })},
	"Div": {2, div},
	"Mod": {2, mod},
	"Pow": {2, pow},
	"Min": {1, extremum(func(a, b float64) float64 { return min(a, b) })},
	"Max": {1, extremum(func(a, b float64) float64 { return max(a, b) })},
	// element-wise, one operand
	"Neg":         {1, unary(func(x float64) float64 { return -x })},
	"Abs":         {1, unary(math.Abs)},
	"Sign":        {1, unary(func(x float64) float64 { return indicator(x > 0) - indicator(x < 0) })},
	"Floor":       {1, unary(math.Floor)},
	"Ceil":        {1, unary(math.Ceil)},
	"Round":       {1, unary(math.RoundToEven)},
	"Reciprocal":  {1, unary(func(x float64) float64 { return 1 / x })},
	"Sqrt":        {1, unary(math.Sqrt)},
	"Exp":         {1, unary(math.Exp)},
	"Log":         {1, unary(math.Log)},
	"Sin":         {1, unary(math.Sin)},
	"Cos":         {1, unary(math.Cos)},
	"Erf":         {1, unary(math.Erf)},
	"Tanh":        {1, unary(math.Tanh)},
	"HardSigmoid": {1, hardSigmoid},
	"Sigmoid":     {1, unary(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })},
	"Relu":        {1, unary(func(x float64) float64 { return max(x, 0) })},
	"Gelu":        {1, gelu},
	"Identity":    {1, unary(func(x float64) float64 { return x })},
	// comparison, logic and choice
	"Equal":          {2, compare(func(a, b float64) bool { return a == b })},
	"Less":           {2, compare(func(a, b float64) bool { return a < b })},
	"LessOrEqual":    {2, compare(func(a, b float64) bool { return a <= b })},
	"Greater":        {2, compare(func(a, b float64) bool { return a > b })},
	"GreaterOrEqual": {2, compare(func(a, b float64) bool { return a >= b })},
	"And":            {2, compare(func(a, b float64) bool { return a != 0 && b != 0 })},
	"Or":             {2, compare(func(a, b float64) bool { return a != 0 || b != 0 })},
	"Not":            {1, unary(func(x float64) float64 { return 1 - x })},
	"IsNaN":          {1, unary(func(x float64) float64 { return indicator(math.IsNaN(x)) })},
	"Where":          {3, where},
	"Clip":           {1, clip},
	// matrix products
	"MatMul": {2, matMul},
	"Gemm":   {2, gemm},
	"Einsum": {1, einsum},
	// normalisation, reduction and scan
	"LayerNormalization": {2, layerNormalization},
	"Softmax":            {1, softmax},
	"LogSoftmax":         {1, logSoftmax},
	"ReduceSum":          {1, reduceSum},
	"ReduceMean":         {1, reduceMean},
	"ReduceMax":          {1, fold(math.Inf(-1), func(a, b float64) float64 { return max(a, b) })},
	"ReduceMin":          {1, fold(math.Inf(1), func(a, b float64) float64 { return min(a, b) })},
	"ReduceL2":           {1, reduceL2},
	"ReduceProd":         {1, fold(1, func(a, b float64) float64 { return a * b })},
	"CumSum":             {2, cumSum},
	// selection and layout
	"Gather":          {2, gather},
	"GatherND":        {2, gatherND},
	"GatherElements":  {2, gatherElements},
	"ScatterND":       {3, scatterND},
	"ScatterElements": {3, scatterElements},
	"Slice":           {4, slice},
	"Split":           {1, split},
	"Pad":             {2, pad},
	"Concat":          {1, concat},
	"Expand":          {2, expand},
	"Tile":            {2, tile},
	"Reshape":         {2, reshape},
	"Transpose":       {1, transpose},
	"Squeeze":         {2, squeeze},
	"Unsqueeze":       {2, unsqueeze},
	"Trilu":           {1, trilu},
	// types, shapes and markers
	"Cast":             {1, cast},
	"Range":            {3, rangeOf},
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
