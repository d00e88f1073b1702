package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// rule says how an ONNX operator becomes operators of package graphs.
type rule struct {
	operands  int // that must be there
	translate func(*importer, *node) ([]*value, error)
}

// The operator sets that the rules below read. What changed between them – axes that moved from attribute to operand,
// Split's num_outputs – each rule reads in either form.
const (
	oldestOpset = 13
	newestOpset = 23
)

// rules is the table of importable operators, by domain and name.
var rules = map[string]map[string]rule{
	"": {
		// names, literals and shapes
		"Identity":        {1, (*importer).identity},
		"Constant":        {0, (*importer).constant},
		"ConstantOfShape": {1, (*importer).constantOfShape},
		"Shape":           {1, (*importer).shapeOf},
		"Size":            {1, (*importer).size},
		"Range":           {3, (*importer).rangeOf},
		"Cast":            {1, (*importer).cast},
		"CastLike":        {2, (*importer).castLike},
		"Dropout":         {1, (*importer).dropout},
		// selection and layout
		"Gather":    {2, (*importer).gather},
		"GatherND":  {2, (*importer).gatherND},
		"Slice":     {3, (*importer).slice},
		"Split":     {1, (*importer).split},
		"Concat":    {1, (*importer).concat},
		"Reshape":   {2, (*importer).reshape},
		"Flatten":   {1, (*importer).flatten},
		"Squeeze":   {1, (*importer).squeeze},
		"Unsqueeze": {1, (*importer).unsqueeze},
		"Expand":    {2, (*importer).expand},
		"Tile":      {2, (*importer).tile},
		"Pad":       {2, (*importer).pad},
		"Transpose": {1, (*importer).transpose},
		// element-wise
		"Add":                {2, elementwise("Add", 0)},
		"Sub":                {2, elementwise("Sub", 0)},
		"Mul":                {2, elementwise("Mul", 0)},
		"Div":                {2, (*importer).div},
		"Mod":                {2, elementwise("Mod", 0)},
		"Pow":                {2, (*importer).pow},
		"Min":                {1, elementwise("Min", 0)},
		"Max":                {1, elementwise("Max", 0)},
		"Neg":                {1, elementwise("Neg", 0)},
		"Abs":                {1, elementwise("Abs", 0)},
		"Sign":               {1, elementwise("Sign", 0)},
		"Floor":              {1, elementwise("Floor", 0)},
		"Ceil":               {1, elementwise("Ceil", 0)},
		"Round":              {1, elementwise("Round", 0)},
		"Reciprocal":         {1, elementwise("Reciprocal", 0)},
		"Sqrt":               {1, elementwise("Sqrt", 0)},
		"Exp":                {1, elementwise("Exp", 0)},
		"Log":                {1, elementwise("Log", 0)},
		"Sin":                {1, elementwise("Sin", 0)},
		"Cos":                {1, elementwise("Cos", 0)},
		"Erf":                {1, elementwise("Erf", 0)},
		"Tanh":               {1, elementwise("Tanh", 0)},
		"Sigmoid":            {1, elementwise("Sigmoid", 0)},
		"HardSigmoid":        {1, (*importer).hardSigmoid},
		"Relu":               {1, elementwise("Relu", 0)},
		"Gelu":               {1, (*importer).gelu},
		"Clip":               {1, (*importer).clip},
		"Where":              {3, (*importer).where},
		"Equal":              {2, elementwise("Equal", graphs.Bool)},
		"Less":               {2, elementwise("Less", graphs.Bool)},
		"LessOrEqual":        {2, elementwise("LessOrEqual", graphs.Bool)},
		"Greater":            {2, elementwise("Greater", graphs.Bool)},
		"GreaterOrEqual":     {2, elementwise("GreaterOrEqual", graphs.Bool)},
		"And":                {2, elementwise("And", graphs.Bool)},
		"Or":                 {2, elementwise("Or", graphs.Bool)},
		"Not":                {1, elementwise("Not", graphs.Bool)},
		"IsNaN":              {1, (*importer).isNaN},
		"LayerNormalization": {2, (*importer).layerNorm},
		// products, reductions, and what depends on a whole axis
		"MatMul":          {2, (*importer).matMul},
		"Gemm":            {2, (*importer).gemm},
		"Einsum":          {1, same("equation")},
		"Softmax":         {1, (*importer).softmax},
		"LogSoftmax":      {1, (*importer).softmax},
		"ReduceSum":       {1, (*importer).reduce},
		"ReduceMean":      {1, (*importer).reduce},
		"ReduceMax":       {1, (*importer).reduce},
		"ReduceMin":       {1, (*importer).reduce},
		"ReduceL2":        {1, (*importer).reduce},
		"ReduceProd":      {1, (*importer).reduceProd},
		"CumSum":          {2, same("exclusive", "reverse")},
		"GatherElements":  {2, (*importer).gatherElements},
		"ScatterND":       {3, (*importer).scatterND},
		"ScatterElements": {3, same("axis", "reduction")},
		"Trilu":           {1, same("upper")},
	},
	"com.microsoft": {
		"Gelu":                   {1, (*importer).gelu},
		"QuickGelu":              {1, (*importer).quickGelu},
		"FastGelu":               {1, (*importer).biasGelu},
		"BiasGelu":               {2, (*importer).biasGelu},
		"FusedMatMul":            {2, (*importer).fusedMatMul},
		"SkipLayerNormalization": {3, (*importer).skipLayerNorm},
		"LayerNormalization":     {2, (*importer).layerNorm},
	},
}

// refusals are operators that no trainable float32 encoder has, with their domain but for ai.onnx, and what to do about
// them.
var refusals = map[string]string{
	"QuantizeLinear": quantised, "DequantizeLinear": quantised, "DynamicQuantizeLinear": quantised,
	"MatMulInteger": quantised, "ConvInteger": quantised, "QLinearMatMul": quantised,
	"If": control, "Loop": control, "Scan": control,
	"com.microsoft.SimplifiedLayerNormalization": "it is a fusion of ONNX Runtime's; export without optimisation (-O0)",
	"com.microsoft.EmbedLayerNormalization":      unfused,
	"com.microsoft.Attention":                    unfused,
	"com.microsoft.MultiHeadAttention":           unfused,
	"com.microsoft.QAttention":                   quantised,
	"com.microsoft.DynamicQuantizeMatMul":        quantised,
	"com.microsoft.MatMulNBits":                  quantised,
	"com.microsoft.MatMulIntegerToFloat":         quantised,
	"com.microsoft.QLinearAdd":                   quantised,
	"com.microsoft.QEmbedLayerNormalization":     quantised,
	"com.microsoft.QGemm":                        quantised,
}

const (
	quantised = "the model is quantised; quantisation rounds gradients away: import the float32 export it was made from (Optimum: model.onnx instead of model_quantized.onnx)"
	unfused   = "it is a fusion of several layers made by ONNX Runtime's transformer optimiser; import the export it was made from, or optimise with level 1 at most"
	control   = "control flow cannot be differentiated; export with fixed structure (torch.onnx.export without scripting)"
)

// lookup finds the rule of an operator, or says why there is none.
func lookup(domain, op string, opset int64) (rule, error) {
	if domain == "ai.onnx" {
		domain = ""
	}
	if r, ok := rules[domain][op]; ok {
		return r, nil
	}
	name := op
	if domain != "" {
		name = domain + "." + op
	}
	if why, ok := refusals[name]; ok {
		return rule{}, errors.New(why)
	}
	if rules[domain] == nil {
		return rule{}, fmt.Errorf("operators of domain %q are not known; known: %s", domain, strings.Join([]string{"ai.onnx", "com.microsoft"}, ", "))
	}
	return rule{}, fmt.Errorf("the operator is not supported; supported: %s", strings.Join(slices.Sorted(maps.Keys(rules[domain])), ", "))
}

// same passes an operator on with the named attributes.
func same(attributes ...string) func(*importer, *node) ([]*value, error) {
	return func(im *importer, n *node) ([]*value, error) {
		attrs := graphs.Attrs{}
		for _, name := range attributes {
			if v := n.attribute(name); v != nil {
				attrs[name] = v
			}
		}
		in := make([]*graphs.Value, len(n.in))
		for i, v := range n.in {
			if v != nil {
				in[i] = im.whole(v)
			}
		}
		return im.results(im.Op(n.OpType, attrs, in...)), nil
	}
}

// results makes values of a graph's values.
func (im *importer) results(values ...*graphs.Value) []*value {
	out := make([]*value, len(values))
	for i, v := range values {
		out[i] = computed(v, v.Shape)
	}
	return out
}
