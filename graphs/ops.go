package graphs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Opset is the ai.onnx operator set version of every emitted graph: 20 is the first with Gelu.
const Opset = 20

// operator is what the package knows of one operator. At most one of gradient, gradients, constant and
// marker is set; an operator with none may stand in a graph, but not between a parameter and the logits.
type operator struct {
	inputs    string            // names in the ONNX specification: *name takes a gradient, name? may be absent, name... repeats
	since     int               // opset whose definition is emitted; 0: a marker of our own, which is not
	infer     func(*Node) error // sets DType and Shape of the outputs; called through shape
	gradient  gradient          // vector-Jacobian product of the first output, nil where there is none
	gradients gradients         // the same of several outputs
	source    string            // where the formula of the gradient is from
	constant  string            // why no gradient flows, for operators declared non-differentiable
	marker    string            // pass that replaces it, for markers of our own
	emit      string            // ONNX operator name where it differs from ours
	cheap     bool              // a view or integer arithmetic: the backward graph recomputes it, nothing is saved
	rows      rowRule           // how a selection of rows moves from the output to the inputs (pass_rows.go)
}

// Sources of formulas that many operators share.
const (
	elementary     = "elementary calculus"
	subgradient    = "elementary calculus; at a kink the choice of PyTorch"
	matrixCalculus = "Giles 2008, Collected Matrix Derivative Results, matrix multiplication"
)

// operators is the table of ai.onnx operators. To add one: a shape function, a gradient rule, a line here, a
// line in graphs/eval and a case in graphs/graphtest; and docs/ops.md anew.
var operators = map[string]operator{
	// element-wise, two operands
	"Add": {inputs: "*A *B", since: 14, infer: inferBroadcast, gradient: gradAdd, source: elementary, rows: rowsElementwise},
	"Sub": {inputs: "*A *B", since: 14, infer: inferBroadcast, gradient: gradSub, source: elementary, rows: rowsElementwise},
	"Mul": {inputs: "*A *B", since: 14, infer: inferBroadcast, gradient: gradMul, source: elementary, rows: rowsElementwise},
	"Div": {inputs: "*A *B", since: 14, infer: inferBroadcast, gradient: gradDiv, source: elementary, rows: rowsElementwise},
	"Mod": {inputs: "*A *B", since: 13, infer: inferMod, gradient: gradMod, source: elementary, rows: rowsElementwise},
	"Pow": {inputs: "*X *Y", since: 15, infer: inferPow, gradient: gradPow, source: elementary, rows: rowsElementwise},
	"Min": {inputs: "*data_0...", since: 13, infer: inferBroadcast, gradient: gradExtremum, source: subgradient, rows: rowsElementwise},
	"Max": {inputs: "*data_0...", since: 13, infer: inferBroadcast, gradient: gradExtremum, source: subgradient, rows: rowsElementwise},
	// element-wise, one operand
	"Neg":         {inputs: "*X", since: 13, infer: inferSame, gradient: gradNeg, source: elementary, rows: rowsElementwise},
	"Abs":         {inputs: "*X", since: 13, infer: inferSame, gradient: gradAbs, source: subgradient, rows: rowsElementwise},
	"Sign":        {inputs: "input", since: 13, infer: inferSame, constant: "piecewise constant", rows: rowsElementwise},
	"Floor":       {inputs: "X", since: 13, infer: inferSame, constant: "piecewise constant", rows: rowsElementwise},
	"Ceil":        {inputs: "X", since: 13, infer: inferSame, constant: "piecewise constant", rows: rowsElementwise},
	"Round":       {inputs: "X", since: 11, infer: inferSame, constant: "piecewise constant", rows: rowsElementwise},
	"Reciprocal":  {inputs: "*X", since: 13, infer: inferSame, gradient: gradReciprocal, source: elementary, rows: rowsElementwise},
	"Sqrt":        {inputs: "*X", since: 13, infer: inferSame, gradient: gradSqrt, source: elementary, rows: rowsElementwise},
	"Exp":         {inputs: "*input", since: 13, infer: inferSame, gradient: gradExp, source: elementary, rows: rowsElementwise},
	"Log":         {inputs: "*input", since: 13, infer: inferSame, gradient: gradLog, source: elementary, rows: rowsElementwise},
	"Sin":         {inputs: "*input", since: 7, infer: inferSame, gradient: gradSin, source: elementary, rows: rowsElementwise},
	"Cos":         {inputs: "*input", since: 7, infer: inferSame, gradient: gradCos, source: elementary, rows: rowsElementwise},
	"Erf":         {inputs: "*input", since: 13, infer: inferSame, gradient: gradErf, source: elementary, rows: rowsElementwise},
	"Tanh":        {inputs: "*input", since: 13, infer: inferSame, gradient: gradTanh, source: elementary, rows: rowsElementwise},
	"Sigmoid":     {inputs: "*X", since: 13, infer: inferSame, gradient: gradSigmoid, source: elementary, rows: rowsElementwise},
	"HardSigmoid": {inputs: "*X", since: 6, infer: inferSame, gradient: gradHardSigmoid, source: subgradient, rows: rowsElementwise},
	"Relu":        {inputs: "*X", since: 14, infer: inferSame, gradient: gradRelu, source: subgradient, rows: rowsElementwise},
	"Gelu":        {inputs: "*X", since: 20, infer: inferSame, gradient: gradGelu, source: "Hendrycks and Gimpel, arXiv 1606.08415, section 2", rows: rowsElementwise},
	"Identity":    {inputs: "*input", since: 19, infer: inferSame, gradient: gradIdentity, source: elementary, cheap: true, rows: rowsElementwise},
	// comparison, logic and choice
	"Equal":          {inputs: "A B", since: 19, infer: inferCompare, constant: "boolean", cheap: true, rows: rowsElementwise},
	"Less":           {inputs: "A B", since: 13, infer: inferCompare, constant: "boolean", cheap: true, rows: rowsElementwise},
	"LessOrEqual":    {inputs: "A B", since: 16, infer: inferCompare, constant: "boolean", cheap: true, rows: rowsElementwise},
	"Greater":        {inputs: "A B", since: 13, infer: inferCompare, constant: "boolean", cheap: true, rows: rowsElementwise},
	"GreaterOrEqual": {inputs: "A B", since: 16, infer: inferCompare, constant: "boolean", cheap: true, rows: rowsElementwise},
	"And":            {inputs: "A B", since: 7, infer: inferLogic, constant: "boolean", cheap: true, rows: rowsElementwise},
	"Or":             {inputs: "A B", since: 7, infer: inferLogic, constant: "boolean", cheap: true, rows: rowsElementwise},
	"Not":            {inputs: "X", since: 1, infer: inferLogic, constant: "boolean", cheap: true, rows: rowsElementwise},
	"IsNaN":          {inputs: "X", since: 20, infer: inferIsNaN, constant: "boolean", cheap: true, rows: rowsElementwise},
	"Where":          {inputs: "condition *X *Y", since: 16, infer: inferWhere, gradient: gradWhere, source: elementary, rows: rowsElementwise},
	"Clip":           {inputs: "*input *min? *max?", since: 13, infer: inferClip, gradient: gradClip, source: subgradient, rows: rowsElementwise},
	// matrix products
	"MatMul": {inputs: "*A *B", since: 13, infer: inferMatMul, gradient: gradMatMul, source: matrixCalculus, rows: rowsMatMul},
	"Gemm":   {inputs: "*A *B *C?", since: 13, infer: inferGemm, gradient: gradGemm, source: matrixCalculus},
	"Einsum": {inputs: "*Inputs...", since: 12, infer: inferEinsum, gradient: gradEinsum, source: elementary},
	// normalisation, reduction and scan
	"LayerNormalization": {inputs: "*X *Scale *B?", since: 17, infer: inferLayerNorm, gradient: gradLayerNorm, source: "Ba, Kiros and Hinton, arXiv 1607.06450, equation 4", rows: rowsNormalised},
	"Softmax":            {inputs: "*input", since: 13, infer: inferSame, gradient: gradSoftmax, source: elementary, rows: rowsNormalised},
	"LogSoftmax":         {inputs: "*input", since: 13, infer: inferSame, gradient: gradLogSoftmax, source: elementary, rows: rowsNormalised},
	"ReduceSum":          {inputs: "*data axes?", since: 13, infer: inferReduce, gradient: gradReduceSum, source: elementary, rows: rowsReduce},
	"ReduceMean":         {inputs: "*data axes?", since: 18, infer: inferReduce, gradient: gradReduceMean, source: elementary, rows: rowsReduce},
	"ReduceMax":          {inputs: "*data axes?", since: 20, infer: inferReduce, gradient: gradReduceExtremum, source: subgradient, rows: rowsReduce},
	"ReduceMin":          {inputs: "*data axes?", since: 20, infer: inferReduce, gradient: gradReduceExtremum, source: subgradient, rows: rowsReduce},
	"ReduceL2":           {inputs: "*data axes?", since: 18, infer: inferReduce, gradient: gradReduceL2, source: elementary, rows: rowsReduce},
	"ReduceProd":         {inputs: "data axes?", since: 18, infer: inferReduce, rows: rowsReduce}, // of sizes
	"CumSum":             {inputs: "*x axis", since: 14, infer: inferCumSum, gradient: gradCumSum, source: elementary},
	// selection and layout
	"Gather":          {inputs: "*data indices", since: 13, infer: inferGather, gradient: gradGather, source: elementary},
	"GatherND":        {inputs: "*data indices", since: 13, infer: inferGatherND, gradient: gradGatherND, source: elementary},
	"GatherElements":  {inputs: "*data indices", since: 13, infer: inferGatherElements, gradient: gradGatherElements, source: elementary, rows: rowsGatherElements},
	"ScatterND":       {inputs: "*data indices *updates", since: 18, infer: inferScatterND, gradient: gradScatterND, source: elementary},
	"ScatterElements": {inputs: "*data indices *updates", since: 18, infer: inferScatterElements, gradient: gradScatterElements, source: elementary},
	"Slice":           {inputs: "*data starts ends axes steps?", since: 13, infer: inferSlice, gradient: gradSlice, source: elementary, rows: rowsSlice},
	"Split":           {inputs: "*input split?", since: 18, infer: inferSplit, gradients: gradSplit, source: elementary, rows: rowsSplit},
	"Pad":             {inputs: "*data pads constant_value?", since: 19, infer: inferPad, gradient: gradPad, source: elementary},
	"Concat":          {inputs: "*inputs...", since: 13, infer: inferConcat, gradient: gradConcat, source: elementary, rows: rowsConcat},
	"Expand":          {inputs: "*input shape", since: 13, infer: inferExpand, gradient: gradExpand, source: elementary, cheap: true},
	"Tile":            {inputs: "*input repeats", since: 13, infer: inferTile, gradient: gradTile, source: elementary},
	"Reshape":         {inputs: "*data shape", since: 19, infer: inferReshape, gradient: gradReshape, source: elementary, cheap: true, rows: rowsReshape},
	"Transpose":       {inputs: "*data", since: 13, infer: inferTranspose, gradient: gradTranspose, source: elementary, rows: rowsTranspose},
	"Squeeze":         {inputs: "*data axes", since: 13, infer: inferSqueeze, gradient: gradReshape, source: elementary, cheap: true, rows: rowsSqueeze},
	"Unsqueeze":       {inputs: "*data axes", since: 13, infer: inferUnsqueeze, gradient: gradReshape, source: elementary, cheap: true, rows: rowsUnsqueeze},
	"Trilu":           {inputs: "*input k?", since: 14, infer: inferTrilu, gradient: gradTrilu, source: elementary},
	// types, shapes and markers
	"Cast":             {inputs: "*input", since: 19, infer: inferCast, gradient: gradIdentity, source: elementary, cheap: true, rows: rowsElementwise},
	"Range":            {inputs: "start limit delta", since: 11, infer: inferRange, constant: "positions", cheap: true},
	"Shape":            {inputs: "data", since: 19, infer: inferShape, constant: "integer", cheap: true},
	"ConstantOfShape":  {inputs: "input", since: 20, infer: inferConstantOfShape, constant: "literal", cheap: true},
	"DequantizeLinear": {inputs: "x x_scale", since: 19, infer: inferDequantize, constant: "integer operand", cheap: true},
	"StopGradient":     {inputs: "input", since: 19, infer: inferSame, constant: "stops the gradient by definition", emit: "Identity", cheap: true},
	"Dropout":          {inputs: "data", since: 13, infer: inferSame, marker: "dropout", rows: rowsElementwise},
	"RelativeShift":    {inputs: "data", infer: inferRelativeShift, marker: "shift", rows: rowsRelativeShift},
}

// Operators returns the names of the table's operators, sorted.
func Operators() []string { return slices.Sorted(maps.Keys(operators)) }

// shape sets DType and Shape of the node's outputs, once its operands are those that the table names.
func (o operator) shape(n *Node) error {
	i, repeats := 0, false
	for name := range strings.FieldsSeq(o.inputs) {
		repeats = strings.HasSuffix(name, "...")
		if !strings.HasSuffix(name, "?") {
			if _, err := n.operand(i); err != nil {
				return err
			}
		}
		i++
	}
	for ; i < len(n.Inputs); i++ {
		if !repeats {
			return fmt.Errorf("%d operands are given; it takes %d", len(n.Inputs), i)
		}
		if _, err := n.operand(i); err != nil {
			return err
		}
	}
	return o.infer(n)
}

// differentiable reports whether there is a gradient rule.
func (o operator) differentiable() bool { return o.gradient != nil || o.gradients != nil }

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
