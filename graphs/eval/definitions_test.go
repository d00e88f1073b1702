package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// operand is one input of a case: fed with given or random elements, or a literal.
type operand struct {
	dtype   graphs.DType
	shape   []int
	data    []float64 // nil: random
	literal bool
}

func float(shape ...int) operand  { return operand{dtype: graphs.Float32, shape: shape} }
func axes(x ...float64) operand   { return operand{graphs.Int64, []int{len(x)}, x, true} }
func vector(x ...float64) operand { return operand{graphs.Int64, []int{len(x)}, x, false} }
func bools(x ...float64) operand  { return operand{graphs.Bool, []int{len(x)}, x, false} }
func scalar(x float64) operand    { return operand{graphs.Int64, []int{}, []float64{x}, true} }
func fedAs(t graphs.DType, shape []int, x ...float64) operand {
	return operand{t, shape, x, false}
}

// get reads element i… of operand k.
type get func(k int, i ...int) float64

// definition is one operator's formula: output o at index i.
type definition struct {
	op     string
	attrs  graphs.Attrs
	in     []operand
	shapes [][]int // of the outputs
	want   func(x get, o int, i []int) float64
}

func at1(f func(float64) float64) func(get, int, []int) float64 {
	return func(x get, _ int, i []int) float64 { return f(x(0, i...)) }
}

// pointwise is a case of an element-wise operator of one operand.
func pointwise(op string, f func(float64) float64, data ...float64) definition {
	in := fedAs(graphs.Float32, []int{len(data)}, data...)
	return definition{op, nil, []operand{in}, [][]int{{len(data)}}, at1(f)}
}

func to(d ...int) graphs.Attrs { return graphs.Attrs{"to": graphs.StaticShape(d...)} }

// definitions write each operator's formula out for concrete shapes, independently of the evaluator's index code.
var definitions = []definition{
	{"Add", nil, []operand{float(2, 3), float(2, 3)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return x(0, i...) + x(1, i...) }},
	{"Sub", nil, []operand{float(2, 3), float(3)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return x(0, i...) - x(1, i[1]) }},
	{"Sub", nil, []operand{float(1, 3), float(2, 1)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return x(0, 0, i[1]) - x(1, i[0], 0) }},
	{"Mul", nil, []operand{float(), float(2, 2)}, [][]int{{2, 2}}, func(x get, _ int, i []int) float64 { return x(0) * x(1, i...) }},
	{"Mul", nil, []operand{vector(3, 4), vector(5, -6)}, [][]int{{2}}, func(x get, _ int, i []int) float64 { return x(0, i...) * x(1, i...) }},
	{"Div", nil, []operand{float(2, 1, 3), float(2, 1)}, [][]int{{2, 2, 3}}, func(x get, _ int, i []int) float64 { return x(0, i[0], 0, i[2]) / x(1, i[1], 0) }},
	{"Div", nil, []operand{vector(7, -7, 6), vector(2, 2, 3)}, [][]int{{3}}, func(x get, _ int, i []int) float64 { return math.Trunc(x(0, i...) / x(1, i...)) }},
	{"Equal", nil, []operand{vector(1, 2, 3), vector(3, 2, 1)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{0, 1, 0}[i[0]] }},
	{"Equal", nil, []operand{float(2), float(2)}, [][]int{{2}}, func(get, int, []int) float64 { return 0 }},
	{"Less", nil, []operand{vector(1, 2, 3), vector(2)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{1, 0, 0}[i[0]] }},
	{"LessOrEqual", nil, []operand{vector(1, 2, 3), vector(2)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{1, 1, 0}[i[0]] }},
	{"Greater", nil, []operand{vector(1, 2, 3), vector(2)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{0, 0, 1}[i[0]] }},
	{"GreaterOrEqual", nil, []operand{vector(1, 2, 3), vector(2)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{0, 1, 1}[i[0]] }},
	{"And", nil, []operand{bools(0, 1), fedAs(graphs.Bool, []int{2, 1}, 0, 1)}, [][]int{{2, 2}}, func(_ get, _ int, i []int) float64 { return float64(i[0] * i[1]) }},
	{"Or", nil, []operand{bools(0, 1), fedAs(graphs.Bool, []int{2, 1}, 0, 1)}, [][]int{{2, 2}}, func(_ get, _ int, i []int) float64 { return float64((i[0] + i[1] + 1) / 2) }},
	{"Not", nil, []operand{bools(0, 1)}, [][]int{{2}}, func(_ get, _ int, i []int) float64 { return float64(1 - i[0]) }},
	pointwise("IsNaN", func(x float64) float64 { return 1 - indicator(x == x) }, -2, math.NaN(), math.Inf(1)),
	{"Where", nil, []operand{bools(0, 1), float(3, 1), float(2)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 {
		return []float64{x(2, i[1]), x(1, i[0], 0)}[i[1]]
	}},
	{"Clip", nil, []operand{vector(-3, 0, 5), fedAs(graphs.Int64, []int{}, -1), fedAs(graphs.Int64, []int{}, 2)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{-1, 0, 2}[i[0]] }},
	{"Clip", nil, []operand{vector(-3, 0, 5), fedAs(graphs.Int64, []int{}, -1)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return []float64{-1, 0, 5}[i[0]] }},
	{"Min", nil, []operand{float(2, 3), float(3), float()}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return -largest(-x(0, i...), -x(1, i[1]), -x(2)) }},
	{"Max", nil, []operand{float(2, 3), float(3), float()}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return largest(x(0, i...), x(1, i[1]), x(2)) }},
	{"Pow", nil, []operand{fedAs(graphs.Float32, []int{3}, 0.5, 2, 3), float()}, [][]int{{3}}, func(x get, _ int, i []int) float64 { return math.Exp(x(1) * math.Log(x(0, i...))) }},
	{"Pow", nil, []operand{vector(-2, 3), vector(3, 2)}, [][]int{{2}}, func(_ get, _ int, i []int) float64 { return []float64{-8, 9}[i[0]] }},
	{"Mod", nil, []operand{vector(7, -7, 7, -7), vector(3, 3, -3, -3)}, [][]int{{4}}, func(_ get, _ int, i []int) float64 { return []float64{1, 2, -2, -1}[i[0]] }},
	{"Mod", graphs.Attrs{"fmod": int64(1)}, []operand{vector(7, -7, 7, -7), vector(3, 3, -3, -3)}, [][]int{{4}}, func(_ get, _ int, i []int) float64 { return []float64{1, -1, 1, -1}[i[0]] }},
	pointwise("Floor", func(x float64) float64 { return -math.Ceil(-x) }, -1.5, -1, 0.5, 2),
	pointwise("Ceil", func(x float64) float64 { return -math.Floor(-x) }, -1.5, -1, 0.5, 2),
	{"Round", nil, []operand{fedAs(graphs.Float32, []int{5}, -2.5, -1.5, 0.5, 0.6, 1.5)}, [][]int{{5}}, func(_ get, _ int, i []int) float64 { return []float64{-2, -2, 0, 1, 2}[i[0]] }},
	pointwise("Sin", func(x float64) float64 { return math.Cos(x - math.Pi/2) }, -2, 0, 3),
	pointwise("Cos", func(x float64) float64 { return 1 - 2*math.Pow(math.Sin(x/2), 2) }, -2, 0, 3),
	pointwise("Identity", func(x float64) float64 { return x }, -2, 0, 3),
	pointwise("Neg", func(x float64) float64 { return 0 - x }, -2, 0, 3),
	pointwise("Abs", func(x float64) float64 { return math.Sqrt(x * x) }, -2, 0, 3),
	pointwise("Sign", func(x float64) float64 { return x / math.Max(math.Abs(x), 1e-300) }, -2, 0, 3),
	pointwise("Reciprocal", func(x float64) float64 { return math.Pow(x, -1) }, -2, 4),
	pointwise("Sqrt", func(x float64) float64 { return math.Pow(x, 0.5) }, 0, 2, 9),
	pointwise("Exp", func(x float64) float64 { return math.Pow(math.E, x) }, -1, 0, 2),
	pointwise("Log", func(x float64) float64 { return math.Log2(x) * math.Ln2 }, 0.5, 1, 7),
	pointwise("Erf", func(x float64) float64 { return 1 - math.Erfc(x) }, -1, 0, 0.5, 2),
	pointwise("Tanh", func(x float64) float64 { return math.Sinh(x) / math.Cosh(x) }, -1, 0, 2),
	pointwise("Sigmoid", func(x float64) float64 { return 0.5 * (1 + math.Tanh(x/2)) }, -30, -1, 0, 2),
	pointwise("HardSigmoid", func(x float64) float64 { return (math.Abs(x/5+0.5) - math.Abs(x/5-0.5) + 1) / 2 }, -4, -1, 0, 2, 3),
	{"HardSigmoid", graphs.Attrs{"alpha": 0.5, "beta": 0.5}, []operand{fedAs(graphs.Float32, []int{4}, -1, -0.5, 1, 2)}, [][]int{{4}}, func(_ get, _ int, i []int) float64 {
		return []float64{0, 0.25, 1, 1}[i[0]]
	}},
	pointwise("Relu", func(x float64) float64 { return (x + math.Abs(x)) / 2 }, -2, 0, 3),
	pointwise("Gelu", func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, -2, 0, 0.3, 3),
	{"Gelu", graphs.Attrs{"approximate": "tanh"}, []operand{float(9)}, [][]int{{9}}, at1(func(x float64) float64 {
		return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*math.Pow(x, 3)))) // ½(1 + tanh s) = σ(2s)
	})},
	{"RelativeShift", nil, []operand{float(2, 3, 6)}, [][]int{{2, 3, 3}}, func(x get, _ int, i []int) float64 { return x(0, i[0], i[1], i[2]-i[1]+2) }},
	{"RelativeShift", nil, []operand{float(2, 1, 6)}, [][]int{{2, 1, 3}}, func(x get, _ int, i []int) float64 { return x(0, i[0], 0, i[2]+2) }},
	pointwise("StopGradient", func(x float64) float64 { return x }, -2, 0, 3),

	{"MatMul", nil, []operand{float(2, 1, 3, 4), float(5, 4, 2)}, [][]int{{2, 5, 3, 2}}, func(x get, _ int, i []int) float64 {
		return sum(4, func(k int) float64 { return x(0, i[0], 0, i[2], k) * x(1, i[1], k, i[3]) })
	}},
	{"Gemm", graphs.Attrs{"alpha": 0.5, "beta": -2.0, "transA": int64(1)}, []operand{float(4, 3), float(4, 2), float(3, 1)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 {
		return 0.5*sum(4, func(k int) float64 { return x(0, k, i[0]) * x(1, k, i[1]) }) - 2*x(2, i[0], 0)
	}},
	{"Gemm", graphs.Attrs{"transB": int64(1)}, []operand{float(3, 4), float(2, 4), float(2)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 {
		return sum(4, func(k int) float64 { return x(0, i[0], k) * x(1, i[1], k) }) + x(2, i[1])
	}},
	{"Gemm", nil, []operand{float(3, 4), float(4, 2)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 {
		return sum(4, func(k int) float64 { return x(0, i[0], k) * x(1, k, i[1]) })
	}},
	{"Einsum", graphs.Attrs{"equation": "bihd, bjhd -> bhij"}, []operand{float(2, 3, 2, 4), float(2, 5, 2, 4)}, [][]int{{2, 2, 3, 5}}, func(x get, _ int, i []int) float64 {
		return sum(4, func(d int) float64 { return x(0, i[0], i[2], i[1], d) * x(1, i[0], i[3], i[1], d) })
	}},
	{"Einsum", graphs.Attrs{"equation": "...i,ij->...j"}, []operand{float(2, 3, 4), float(4, 2)}, [][]int{{2, 3, 2}}, func(x get, _ int, i []int) float64 {
		return sum(4, func(k int) float64 { return x(0, i[0], i[1], k) * x(1, k, i[2]) })
	}},
	{"Einsum", graphs.Attrs{"equation": "cb,ba"}, []operand{float(2, 3), float(3, 4)}, [][]int{{4, 2}}, func(x get, _ int, i []int) float64 {
		return sum(3, func(k int) float64 { return x(0, i[1], k) * x(1, k, i[0]) })
	}},
	{"Einsum", graphs.Attrs{"equation": "ij->"}, []operand{float(2, 3)}, [][]int{{}}, func(x get, _ int, _ []int) float64 {
		return sum(2, func(i int) float64 { return sum(3, func(j int) float64 { return x(0, i, j) }) })
	}},

	{"LayerNormalization", graphs.Attrs{"epsilon": 0.25}, []operand{float(2, 3, 4), float(4), float(4)}, [][]int{{2, 3, 4}, {2, 3, 1}, {2, 3, 1}}, layerNorm(true)},
	{"LayerNormalization", graphs.Attrs{"epsilon": 0.25}, []operand{float(2, 4), float(4)}, [][]int{{2, 4}}, layerNorm(false)},
	{"Softmax", graphs.Attrs{"axis": int64(1)}, []operand{float(2, 3, 4)}, [][]int{{2, 3, 4}}, func(x get, _ int, i []int) float64 {
		return math.Exp(x(0, i...)) / sum(3, func(k int) float64 { return math.Exp(x(0, i[0], k, i[2])) })
	}},
	{"Softmax", nil, []operand{fedAs(graphs.Float32, []int{2}, 1000, 1001)}, [][]int{{2}}, func(_ get, _ int, i []int) float64 { return 1 / (1 + math.Exp(1-2*float64(i[0]))) }},
	{"LogSoftmax", graphs.Attrs{"axis": int64(-2)}, []operand{float(2, 3)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 {
		return x(0, i...) - math.Log(sum(2, func(k int) float64 { return math.Exp(x(0, k, i[1])) }))
	}},
	{"ReduceSum", nil, []operand{float(2, 3, 4), axes(-1, 0)}, [][]int{{1, 3, 1}}, func(x get, _ int, i []int) float64 {
		return sum(2, func(j int) float64 { return sum(4, func(k int) float64 { return x(0, j, i[1], k) }) })
	}},
	{"ReduceMean", graphs.Attrs{"keepdims": int64(0)}, []operand{float(2, 3, 4), axes(1)}, [][]int{{2, 4}}, func(x get, _ int, i []int) float64 {
		return sum(3, func(k int) float64 { return x(0, i[0], k, i[1]) }) / 3
	}},
	{"ReduceSum", graphs.Attrs{"keepdims": int64(0)}, []operand{float(2, 3)}, [][]int{{}}, func(x get, _ int, _ []int) float64 {
		return sum(2, func(j int) float64 { return sum(3, func(k int) float64 { return x(0, j, k) }) })
	}},
	{"ReduceSum", graphs.Attrs{"noop_with_empty_axes": int64(1)}, []operand{float(2, 3)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return x(0, i...) }},
	{"ReduceMax", nil, []operand{float(2, 3), axes(0)}, [][]int{{1, 3}}, func(x get, _ int, i []int) float64 { return largest(x(0, 0, i[1]), x(0, 1, i[1])) }},
	{"ReduceMin", nil, []operand{float(2, 3), axes(0)}, [][]int{{1, 3}}, func(x get, _ int, i []int) float64 { return -largest(-x(0, 0, i[1]), -x(0, 1, i[1])) }},
	{"ReduceProd", nil, []operand{float(2, 3), axes(0)}, [][]int{{1, 3}}, func(x get, _ int, i []int) float64 { return x(0, 0, i[1]) * x(0, 1, i[1]) }},
	{"ReduceL2", nil, []operand{float(2, 3), axes(0)}, [][]int{{1, 3}}, func(x get, _ int, i []int) float64 { return math.Hypot(x(0, 0, i[1]), x(0, 1, i[1])) }},
	{"CumSum", nil, []operand{float(2, 3), scalar(1)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 {
		return sum(i[1]+1, func(k int) float64 { return x(0, i[0], k) })
	}},
	{"CumSum", graphs.Attrs{"exclusive": int64(1), "reverse": int64(1)}, []operand{float(2, 3), scalar(-1)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 {
		return sum(2-i[1], func(k int) float64 { return x(0, i[0], 2-k) })
	}},

	{"Gather", nil, []operand{float(5, 2), fedAs(graphs.Int64, []int{2, 2}, 4, 0, -1, 2)}, [][]int{{2, 2, 2}}, func(x get, _ int, i []int) float64 {
		return x(0, int(math.Mod(x(1, i[0], i[1])+5, 5)), i[2])
	}},
	{"Gather", graphs.Attrs{"axis": int64(-2)}, []operand{float(2, 3, 2), fedAs(graphs.Int64, []int{}, 1)}, [][]int{{2, 2}}, func(x get, _ int, i []int) float64 { return x(0, i[0], 1, i[1]) }},
	{"ScatterND", graphs.Attrs{"reduction": "add"}, []operand{float(3, 2), fedAs(graphs.Int64, []int{4, 1}, 2, 0, 2, -1), float(4, 2)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 {
		return x(0, i...) + sum(4, func(k int) float64 { return indicator(int(x(1, k, 0)+3)%3 == i[0]) * x(2, k, i[1]) })
	}},
	{"ScatterND", nil, []operand{float(2, 2), fedAs(graphs.Int64, []int{1, 2}, 1, 0), fedAs(graphs.Float32, []int{1}, 9)}, [][]int{{2, 2}}, func(x get, _ int, i []int) float64 {
		if i[0] == 1 && i[1] == 0 {
			return 9
		}
		return x(0, i...)
	}},
	{"GatherND", nil, []operand{float(3, 4, 2), fedAs(graphs.Int64, []int{2, 2}, 2, 0, -1, -4)}, [][]int{{2, 2}}, func(x get, _ int, i []int) float64 { return x(0, 2, 0, i[1]) }},
	{"GatherND", graphs.Attrs{"batch_dims": int64(1)}, []operand{float(2, 4, 3), fedAs(graphs.Int64, []int{2, 1}, 3, 1)}, [][]int{{2, 3}}, func(x get, _ int, i []int) float64 { return x(0, i[0], 3-2*i[0], i[1]) }},
	{"GatherElements", graphs.Attrs{"axis": int64(1)}, []operand{float(2, 3), fedAs(graphs.Int64, []int{2, 2}, 2, 0, -3, 1)}, [][]int{{2, 2}}, func(x get, _ int, i []int) float64 { return x(0, i[0], [][]int{{2, 0}, {0, 1}}[i[0]][i[1]]) }},
	{"ScatterElements", nil, []operand{float(3, 2), fedAs(graphs.Int64, []int{1, 2}, 2, -3), float(1, 2)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 {
		if i[0] == 2-2*i[1] {
			return x(2, 0, i[1])
		}
		return x(0, i...)
	}},
	{"ScatterElements", graphs.Attrs{"axis": int64(-1), "reduction": "add"}, []operand{float(2, 2), fedAs(graphs.Int64, []int{2, 3}, 1, 1, 1, 0, 0, 0), float(2, 3)}, [][]int{{2, 2}}, func(x get, _ int, i []int) float64 {
		return x(0, i...) + indicator(i[0]+i[1] == 1)*sum(3, func(k int) float64 { return x(2, i[0], k) })
	}},
	{"Split", graphs.Attrs{"axis": int64(-1)}, []operand{float(2, 3), axes(1, 2)}, [][]int{{2, 1}, {2, 2}}, func(x get, o int, i []int) float64 { return x(0, i[0], i[1]+o) }},
	{"Split", graphs.Attrs{"num_outputs": int64(2)}, []operand{float(4, 3)}, [][]int{{2, 3}, {2, 3}}, func(x get, o int, i []int) float64 { return x(0, i[0]+2*o, i[1]) }},
	{"Slice", nil, []operand{float(5, 4), axes(3, -1), axes(0, -9), axes(0, 1), axes(-1, -2)}, [][]int{{3, 2}}, func(x get, _ int, i []int) float64 { return x(0, 3-i[0], 3-2*i[1]) }},
	{"Slice", to(3, 1), []operand{float(4, 3), vector(1, -1), vector(4, 99), axes(0, 1)}, [][]int{{3, 1}}, func(x get, _ int, i []int) float64 { return x(0, i[0]+1, 2) }},
	{"Pad", to(3, 5), []operand{float(2, 2), vector(1, 0, 0, 3)}, [][]int{{3, 5}}, func(x get, _ int, i []int) float64 {
		if i[0] < 1 || i[1] > 1 {
			return 0
		}
		return x(0, i[0]-1, i[1])
	}},
	{"Pad", nil, []operand{float(2), axes(1, 1), {graphs.Float32, []int{}, []float64{7}, true}}, [][]int{{4}}, func(x get, _ int, i []int) float64 {
		return []float64{7, x(0, 0), x(0, 1), 7}[i[0]]
	}},
	{"Tile", nil, []operand{float(2, 3), axes(2, 1)}, [][]int{{4, 3}}, func(x get, _ int, i []int) float64 { return x(0, i[0]%2, i[1]) }},
	{"Trilu", nil, []operand{float(2, 3, 3)}, [][]int{{2, 3, 3}}, func(x get, _ int, i []int) float64 { return indicator(i[1] <= i[2]) * x(0, i...) }},
	{"Trilu", graphs.Attrs{"upper": int64(0)}, []operand{float(3, 4), scalar(1)}, [][]int{{3, 4}}, func(x get, _ int, i []int) float64 { return indicator(i[1] <= i[0]+1) * x(0, i...) }},
	{"Range", to(3), []operand{scalar(5), scalar(-1), scalar(-2)}, [][]int{{3}}, func(_ get, _ int, i []int) float64 { return float64(5 - 2*i[0]) }},
	{"Concat", graphs.Attrs{"axis": int64(-1)}, []operand{float(2, 1), float(2, 3)}, [][]int{{2, 4}}, func(x get, _ int, i []int) float64 {
		if i[1] < 1 {
			return x(0, i...)
		}
		return x(1, i[0], i[1]-1)
	}},
	{"Expand", to(2, 1, 4), []operand{float(3, 1), vector(2, 1, 4)}, [][]int{{2, 3, 4}}, func(x get, _ int, i []int) float64 { return x(0, i[1], 0) }},
	{"Reshape", to(2, 6), []operand{float(2, 2, 3), vector(0, -1)}, [][]int{{2, 6}}, func(x get, _ int, i []int) float64 { return x(0, i[0], i[1]/3, i[1]%3) }},
	{"Reshape", to(), []operand{float(1, 1), vector()}, [][]int{{}}, func(x get, _ int, _ []int) float64 { return x(0, 0, 0) }},
	{"Transpose", graphs.Attrs{"perm": []int64{2, 0, 1}}, []operand{float(2, 3, 4)}, [][]int{{4, 2, 3}}, func(x get, _ int, i []int) float64 { return x(0, i[1], i[2], i[0]) }},
	{"Squeeze", nil, []operand{float(1, 3, 1), axes(-1, 0)}, [][]int{{3}}, func(x get, _ int, i []int) float64 { return x(0, 0, i[0], 0) }},
	{"Unsqueeze", nil, []operand{float(2, 3), axes(1, -1)}, [][]int{{2, 1, 3, 1}}, func(x get, _ int, i []int) float64 { return x(0, i[0], i[2]) }},

	{"Cast", graphs.Attrs{"to": int64(graphs.Int64)}, []operand{fedAs(graphs.Float32, []int{2}, 1.9, -1.9)}, [][]int{{2}}, at1(math.Trunc)},
	{"Cast", graphs.Attrs{"to": int64(graphs.Bool)}, []operand{fedAs(graphs.Float32, []int{2}, 0, -0.5)}, [][]int{{2}}, func(_ get, _ int, i []int) float64 { return float64(i[0]) }},
	{"Cast", graphs.Attrs{"to": int64(graphs.Float32)}, []operand{fedAs(graphs.Bool, []int{2}, 0, 1)}, [][]int{{2}}, at1(func(x float64) float64 { return x })},
	{"Shape", nil, []operand{float(2, 3)}, [][]int{{2}}, func(_ get, _ int, i []int) float64 { return float64(i[0] + 2) }},
	{"ConstantOfShape", to(2, 3), []operand{vector(2, 3)}, [][]int{{2, 3}}, func(get, int, []int) float64 { return 0 }},
	{"DequantizeLinear", nil, []operand{fedAs(graphs.Uint8, []int{3}, 0, 1, 255), float()}, [][]int{{3}}, func(x get, _ int, i []int) float64 { return x(0, i...) * x(1) }},
}

// largest is the last of the sorted numbers.
func largest(x ...float64) float64 {
	slices.Sort(x)
	return x[len(x)-1]
}

func sum(n int, f func(k int) float64) float64 {
	s := 0.0
	for k := range n {
		s += f(k)
	}
	return s
}

// layerNorm is the formula over a last dimension of 4 with ε = ¼.
func layerNorm(bias bool) func(get, int, []int) float64 {
	return func(x get, o int, i []int) float64 {
		row := func(k int) float64 { return x(0, append(slices.Clone(i[:len(i)-1]), k)...) }
		mean := sum(4, row) / 4
		square := sum(4, func(k int) float64 { return row(k) * row(k) }) / 4
		r := math.Pow(square-mean*mean+0.25, -0.5)
		if o > 0 {
			return []float64{mean, r}[o-1]
		}
		last := i[len(i)-1]
		y := x(1, last) * r * (row(last) - mean)
		if bias {
			y += x(2, last)
		}
		return y
	}
}

// run evaluates the case and compares every element with the formula.
func (d definition) run(t *testing.T, random *rand.Rand) {
	t.Helper()
	d.in = slices.Clone(d.in)
	g := &graphs.Graph{Name: d.op}
	b := graphs.NewBuilder(g)
	feeds, in := map[string]Tensor{}, []*graphs.Value{}
	for k, o := range d.in {
		if o.data == nil {
			d.in[k].data = make([]float64, product(o.shape))
			for i := range d.in[k].data {
				d.in[k].data[i] = random.NormFloat64()
			}
		}
		if o.literal {
			in = append(in, b.Const(o.dtype, o.shape, o.data...))
			continue
		}
		name := string(rune('a' + k))
		in = append(in, b.Input(name, o.dtype, graphs.StaticShape(o.shape...)...))
		feeds[name] = Tensor{Shape: o.shape, Data: d.in[k].data}
	}
	outputs := b.OpN(d.op, len(d.shapes), d.attrs, in...)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	for i, o := range outputs {
		o.Name = string(rune('y' + i))
	}
	g.Outputs = outputs
	got, err := Run(g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	x := func(k int, i ...int) float64 {
		at := 0
		for axis, v := range i {
			at = at*d.in[k].shape[axis] + v
		}
		return d.in[k].data[at]
	}
	for o, v := range outputs {
		y := got[v.Name]
		if !slices.Equal(y.Shape, d.shapes[o]) {
			t.Fatalf("output %d has shape %v, not %v", o, y.Shape, d.shapes[o])
		}
		for k := range y.Data {
			index, rest := make([]int, len(y.Shape)), k
			for axis := len(index) - 1; axis >= 0; axis-- {
				index[axis], rest = rest%y.Shape[axis], rest/y.Shape[axis]
			}
			if want := d.want(x, o, index); math.Abs(y.Data[k]-want) > 1e-12*(1+math.Abs(want)) {
				t.Errorf("output %d%v is %v, not %v", o, index, y.Data[k], want)
			}
		}
	}
}

func TestOperatorsByDefinition(t *testing.T) {
	for i, d := range definitions {
		seed := uint64(i)
		t.Run(d.op, func(t *testing.T) {
			t.Logf("seed %d", seed)
			d.run(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

// Every operator of the graphs has an evaluator and a case here, and nothing else has.
func TestEveryOperatorIsEvaluated(t *testing.T) {
	cases := map[string]bool{"Dropout": true} // its case is the error, TestErrors
	for _, d := range definitions {
		cases[d.op] = true
	}
	known := graphs.Operators()
	for _, op := range known {
		if _, ok := operators[op]; !ok {
			t.Errorf("%s has no evaluator", op)
		}
		if !cases[op] {
			t.Errorf("%s has no case in definitions", op)
		}
	}
	for op := range operators {
		if !slices.Contains(known, op) {
			t.Errorf("%s is evaluated but is no operator of the graphs", op)
		}
	}
}
