package graphs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Opset is the ai.onnx operator set version of every emitted graph: 20 is the first with Gelu.
const Opset = 20

// operator is what the package knows of one operator. At most one of gradient and constant is set; an
// operator with neither may stand in a graph, but not between a parameter and the logits.
type operator struct {
	infer    func(*Node) error // sets DType and Shape of the outputs; called through shape
	operands int               // how many must be there, where it is more than one
	gradient gradient          // vector-Jacobian product, nil where there is none
	constant string            // why no gradient flows, for operators declared non-differentiable
	emit     string            // ONNX operator name where it differs from ours
	cheap    bool              // a view or integer arithmetic: the backward graph recomputes it, nothing is saved
	rows     rowRule           // how a selection of rows moves from the output to the inputs (pass_rows.go)
}

// operators is the table of ai.onnx operators. To add one: a shape function, a gradient rule, a line here, a
// line in graphs/eval and a case in its tests.
var operators = map[string]operator{
	// element-wise, two operands
	"Add": {infer: inferBroadcast, operands: 2, gradient: gradAdd, rows: rowsElementwise},
	"Sub": {infer: inferBroadcast, operands: 2, gradient: gradSub, rows: rowsElementwise},
	"Mul": {infer: inferBroadcast, operands: 2, gradient: gradMul, rows: rowsElementwise},
	"Div": {infer: inferBroadcast, operands: 2, gradient: gradDiv, rows: rowsElementwise},
	// element-wise, one operand
	"Neg":         {infer: inferSame, gradient: gradNeg, rows: rowsElementwise},
	"Abs":         {infer: inferSame, gradient: gradAbs, rows: rowsElementwise},
	"Sign":        {infer: inferSame, constant: "piecewise constant", rows: rowsElementwise},
	"Reciprocal":  {infer: inferSame, gradient: gradReciprocal, rows: rowsElementwise},
	"Sqrt":        {infer: inferSame, gradient: gradSqrt, rows: rowsElementwise},
	"Exp":         {infer: inferSame, gradient: gradExp, rows: rowsElementwise},
	"Log":         {infer: inferSame, gradient: gradLog, rows: rowsElementwise},
	"Erf":         {infer: inferSame, gradient: gradErf, rows: rowsElementwise},
	"Tanh":        {infer: inferSame, gradient: gradTanh, rows: rowsElementwise},
	"Sigmoid":     {infer: inferSame, gradient: gradSigmoid, rows: rowsElementwise},
	"Relu":        {infer: inferSame, gradient: gradRelu, rows: rowsElementwise},
	"HardSigmoid": {infer: inferSame, constant: "appears in gradients only", rows: rowsElementwise},
	"Gelu":        {infer: inferSame, gradient: gradGelu, rows: rowsElementwise},
	// matrix products
	"MatMul": {infer: inferMatMul, operands: 2, gradient: gradMatMul, rows: rowsMatMul},
	"Gemm":   {infer: inferGemm, operands: 2, gradient: gradGemm},
	// normalisation and reduction
	"LayerNormalization": {infer: inferLayerNorm, operands: 2, gradient: gradLayerNorm, rows: rowsFirstOperand},
	"Softmax":            {infer: inferSame, gradient: gradSoftmax, rows: rowsFirstOperand},
	"LogSoftmax":         {infer: inferSame, gradient: gradLogSoftmax, rows: rowsFirstOperand},
	"ReduceSum":          {infer: inferReduce, gradient: gradReduceSum},
	"ReduceMean":         {infer: inferReduce, gradient: gradReduceMean},
	// selection and layout
	"Gather":    {infer: inferGather, operands: 2, gradient: gradGather},
	"ScatterND": {infer: inferSame, operands: 3, constant: "appears in gradients only"},
	"Slice":     {infer: inferSlice, gradient: gradSlice},
	"Pad":       {infer: inferPad, operands: 2, gradient: gradPad},
	"Concat":    {infer: inferConcat, gradient: gradConcat},
	"Expand":    {infer: inferExpand, operands: 2, gradient: gradExpand, cheap: true},
	"Reshape":   {infer: inferReshape, operands: 2, gradient: gradReshape, cheap: true, rows: rowsReshape},
	"Transpose": {infer: inferTranspose, gradient: gradTranspose, rows: rowsTranspose},
	"Squeeze":   {infer: inferSqueeze, gradient: gradReshape, cheap: true},
	"Unsqueeze": {infer: inferUnsqueeze, gradient: gradReshape, cheap: true},
	// types, shapes and markers
	"Equal":            {infer: inferEqual, operands: 2, constant: "boolean", cheap: true},
	"CumSum":           {infer: inferCumSum, operands: 2, constant: "of integers only", cheap: true},
	"Cast":             {infer: inferCast, gradient: gradCast, cheap: true},
	"Shape":            {infer: inferShape, constant: "integer", cheap: true},
	"ConstantOfShape":  {infer: inferConstantOfShape, constant: "literal", cheap: true},
	"DequantizeLinear": {infer: inferDequantize, operands: 2, constant: "integer operand", cheap: true},
	"StopGradient":     {infer: inferSame, constant: "stops the gradient by definition", emit: "Identity", cheap: true},
	"Dropout":          {infer: inferSame, rows: rowsElementwise},            // marker, replaced by the dropout pass
	"RelativeShift":    {infer: inferRelativeShift, rows: rowsRelativeShift}, // marker, replaced by the shift pass
}

// Operators returns the names of the table's operators, sorted.
func Operators() []string { return slices.Sorted(maps.Keys(operators)) }

// shape sets DType and Shape of the node's outputs.
func (o operator) shape(n *Node) error {
	for i := range max(1, o.operands) {
		if _, err := n.operand(i); err != nil {
			return err
		}
	}
	return o.infer(n)
}

// UnknownOpError reports an operator that the table does not hold.
type UnknownOpError struct {
	Op     string // operator name
	Inputs string // types and shapes of its operands
}

// Error names the operator, its operands and what can be done about it.
func (e *UnknownOpError) Error() string {
	return fmt.Sprintf("building %s(%s): operator ai.onnx.%s (opset %d) is not in the operator table; add a line to graphs/ops.go or express it by operators that are there", e.Op, e.Inputs, e.Op, Opset)
}

// NoGradientError reports an operator on the path from a parameter to the logits that has no gradient rule.
type NoGradientError struct {
	Op     string // operator name
	Inputs string // types and shapes of its operands
}

// Error names the operator, its operands and what can be done about it.
func (e *NoGradientError) Error() string {
	return fmt.Sprintf("differentiating %s(%s): ai.onnx.%s (opset %d) has no gradient rule and is not declared non-differentiable; add a rule in graphs/ops.go", e.Op, e.Inputs, e.Op, Opset)
}

// describe lists the types and shapes of values for error messages.
func describe(values []*Value) string {
	parts := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			parts[i] = "-"
			continue
		}
		parts[i] = v.DType.String() + v.Shape.String()
		if v.Name != "" {
			parts[i] = v.Name + " " + parts[i]
		}
	}
	return strings.Join(parts, ", ")
}
