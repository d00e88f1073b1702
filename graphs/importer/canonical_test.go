package importer

import (
	"math"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// decomposedNorm is LayerNormalization as exporters below opset 17 write it; it needs the numbers two and eps.
func decomposedNorm(x, y string) []onnxpb.Node {
	return []onnxpb.Node{
		op("ReduceMean", x, "mean", "axes", []int64{-1}), op("Sub", x+" mean", "centred"), op("Pow", "centred two", "square"),
		op("ReduceMean", "square", "variance", "axes", []int64{-1}), op("Add", "variance eps", "safe"), op("Sqrt", "safe", "deviation"),
		op("Div", "centred deviation", "standard"), op("Mul", "standard norm.weight", "scaled"), op("Add", "scaled norm.bias", y),
	}
}

// maskedEncoder is one attention head with an additive mask, the mask expanded to [B, 1, T, T] by shape arithmetic.
func maskedEncoder(opset int64) *encoder {
	return newEncoder(opset,
		op("Shape", "input_ids", "shape"), op("Gather", "shape scalar0", "batch"), op("Gather", "shape scalar1", "tokens"),
		op("Unsqueeze", "batch zero", "batch1"), op("Unsqueeze", "tokens zero", "tokens1"), op("Concat", "batch1 one tokens1 tokens1", "full", "axis", int64(0)),
		op("Cast", "attention_mask", "keep", "to", int64(9)), op("Unsqueeze", "keep onetwo", "keep4"), op("Expand", "keep4 full", "wide"),
		op("Where", "wide nothing lowest", "mask"),
		op("MatMul", "x dense.weight", "q"), op("Unsqueeze", "q one", "q4"), op("Unsqueeze", "x one", "x4"), op("Transpose", "x4", "k4", "perm", []int64{0, 1, 3, 2}),
		op("MatMul", "q4 k4", "scores"), op("Add", "scores mask", "masked"), op("Softmax", "masked", "p", "axis", int64(-1)), op("MatMul", "p x4", "y4"),
		op("Squeeze", "y4 one", "y"), op("Add", "y x", "last_hidden_state"),
	).ints("scalar0", 0).ints("scalar1", 1).ints("zero", 0).ints("one", 1).ints("onetwo", 1, 2).number("nothing", 0).number("lowest", -math.MaxFloat32)
}

// Every way of writing the same thing becomes the same graph.
func TestCanonicalForms(t *testing.T) {
	const y = "last_hidden_state"
	norm := op("LayerNormalization", "x norm.weight norm.bias", y, "epsilon", float32(1e-5))
	for _, group := range []struct {
		name     string
		variants map[string]*encoder // one of them "" is what the others become
	}{
		{"LayerNormalization", map[string]*encoder{
			"":           newEncoder(17, norm),
			"decomposed": newEncoder(14, decomposedNorm("x", y)...).number("two", 2).number("eps", 1e-5),
			"axes as operand, product with a reciprocal": newEncoder(18,
				op("ReduceMean", "x last", "mean"), op("Sub", "x mean", "c"), op("Mul", "c c", "square"), op("ReduceMean", "square last", "variance"),
				op("Add", "eps variance", "safe"), op("Sqrt", "safe", "root"), op("Reciprocal", "root", "inverse"), op("Mul", "c inverse", "standard"),
				op("Mul", "norm.weight standard", "scaled"), op("Add", "norm.bias scaled", y)).ints("last", -1).number("eps", 1e-5),
			"through Identity and Cast": newEncoder(17, op("Identity", "x", "same"), op("Cast", "same", "float", "to", int64(1)),
				op("LayerNormalization", "float norm.weight norm.bias", y, "epsilon", float32(1e-5), "axis", int64(2))),
		}},
		{"residual sum and LayerNormalization", map[string]*encoder{
			"": newEncoder(17, op("MatMul", "x dense.weight", "h"), op("Add", "h x", "sum"), op("LayerNormalization", "sum norm.weight norm.bias", y, "epsilon", float32(1e-12))),
			"fused": newEncoder(17, op("MatMul", "x dense.weight", "h"),
				op("com.microsoft:SkipLayerNormalization", "h x norm.weight norm.bias", y, "epsilon", float32(1e-12))),
		}},
		{"Gelu", map[string]*encoder{
			"":                    newEncoder(20, op("Gelu", "x", y)),
			"of com.microsoft":    newEncoder(14, op("com.microsoft:Gelu", "x", y)),
			"(x·(1+erf))·½":       newEncoder(14, op("Div", "x root", "u"), op("Erf", "u", "e"), op("Add", "e 1", "g"), op("Mul", "x g", "h"), op("Mul", "h half", y)).gelu(),
			"x·((1+erf)·½)":       newEncoder(14, op("Div", "x root", "u"), op("Erf", "u", "e"), op("Add", "1 e", "g"), op("Mul", "half g", "h"), op("Mul", "x h", y)).gelu(),
			"(½·x)·(erf+1), ·½√2": newEncoder(14, op("Mul", "x inverse", "u"), op("Erf", "u", "e"), op("Add", "e 1", "g"), op("Mul", "half x", "h"), op("Mul", "h g", y)).gelu(),
		}},
		{"Gelu by tanh", map[string]*encoder{
			"": newEncoder(20, op("Gelu", "x", y, "approximate", "tanh")),
			"decomposed": newEncoder(14, op("Pow", "x three", "cube"), op("Mul", "cube c", "d"), op("Add", "x d", "s"), op("Mul", "s k", "u"), op("Tanh", "u", "t"),
				op("Add", "t 1", "g"), op("Mul", "half x", "h"), op("Mul", "h g", y)).gelu(),
			"of com.microsoft": newEncoder(14, op("com.microsoft:FastGelu", "x", y)),
		}},
		{"Split", map[string]*encoder{
			"":          newEncoder(18, op("Split", "x", "a b", "axis", int64(2), "num_outputs", int64(2)), op("Concat", "b a", y, "axis", int64(-1))),
			"by sizes":  newEncoder(13, op("Split", "x sizes", "a b", "axis", int64(-1)), op("Concat", "b a", y, "axis", int64(2))).ints("sizes", 2, 2),
			"by slices": newEncoder(13, op("Slice", "x zero two last", "a"), op("Slice", "x two end last", "b"), op("Concat", "b a", y, "axis", int64(2))).ints("zero", 0).ints("two", 2).ints("end", 1<<62).ints("last", 2),
		}},
		{"additive mask", map[string]*encoder{
			"":             maskedEncoder(17),
			"shape by end": maskedEncoder(17).replace("Shape", op("Shape", "attention_mask", "shape", "start", int64(0), "end", int64(2))),
			"not expanded": maskedEncoder(17).replace("Expand", op("Identity", "keep4", "wide")),
			"−∞":           maskedEncoder(17).renumber("lowest", math.Inf(-1)),
			"guarded": maskedEncoder(17).replace("Softmax", op("Softmax", "masked", "raw", "axis", int64(3)), op("IsNaN", "raw", "bad"),
				op("Where", "bad nothing raw", "p")),
		}},
		{"mask filled where it is not 0", map[string]*encoder{
			"":      filledMask("nothing"),
			"of it": filledMask("masked"),
		}},
		{"positions", map[string]*encoder{
			"": newEncoder(17, op("Shape", "input_ids", "tokens", "start", int64(1)), op("Slice", "position.weight zero tokens", "rows"), op("Add", "x rows", y)).positions(),
			"ids of a buffer": newEncoder(17, op("Shape", "input_ids", "tokens", "start", int64(1)), op("Slice", "buffer zero tokens one", "ids"),
				op("Gather", "position.weight ids", "rows"), op("Add", "x rows", y)).positions(),
			"Range, expanded to the batch": newEncoder(17, op("Shape", "input_ids", "shape"), op("Gather", "shape scalar1", "tokens"), op("Range", "scalar0 tokens scalar1", "r"),
				op("Unsqueeze", "r zero", "r2"), op("Expand", "r2 shape", "ids"), op("Gather", "position.weight ids", "rows"), op("Add", "x rows", y)).positions(),
		}},
	} {
		want := ""
		for _, first := range []bool{true, false} {
			for name, e := range group.variants {
				if first != (name == "") {
					continue
				}
				m, err := e.load(t, Options{Labels: 2})
				if err != nil {
					t.Fatalf("%s, %s: %v", group.name, name, err)
				}
				if name == "" {
					want = m.Graph.String()
				} else if got := m.Graph.String(); got != want {
					t.Errorf("%s, %s is\n%s\nwant\n%s", group.name, name, got, want)
				}
			}
		}
	}
}

// filledMask is the lowest number where masked = 1 − attention_mask is not 0, and the tensor named rest elsewhere, as
// transformers 4 writes an additive mask.
func filledMask(rest string) *encoder {
	return newEncoder(14, op("Cast", "attention_mask", "m", "to", int64(1)), op("Unsqueeze", "m last", "keep"), op("Sub", "one keep", "masked"),
		op("Cast", "masked", "b", "to", int64(9)), op("Where", "b lowest "+rest, "mask"), op("Add", "x mask", "last_hidden_state")).
		ints("last", 2).number("one", 1).number("nothing", 0).number("lowest", -math.MaxFloat32)
}

func (e *encoder) gelu() *encoder {
	return e.number("root", 1.4142135).number("inverse", 0.70710677).number("1", 1).number("half", 0.5).number("three", 3).number("c", 0.044715).number("k", 0.7978846)
}

func (e *encoder) positions() *encoder {
	list := make([]int64, 16)
	for i := range list {
		list[i] = int64(i)
	}
	e.floats("position.weight", 16, 4).ints("zero", 0).ints("one", 1).ints("scalar0", 0).ints("scalar1", 1).ints("buffer", list...)
	e.Graph.Initializers[len(e.Graph.Initializers)-1].Dims = []int64{1, 16}
	return e
}

// replace puts other nodes in the place of the first of a kind.
func (e *encoder) replace(kind string, with ...onnxpb.Node) *encoder {
	for i, n := range e.Graph.Nodes {
		if n.OpType == kind {
			e.Graph.Nodes = append(append(append([]onnxpb.Node{}, e.Graph.Nodes[:i]...), with...), e.Graph.Nodes[i+1:]...)
			return e
		}
	}
	panic("no " + kind)
}

// renumber gives a scalar another value.
func (e *encoder) renumber(name string, x float64) *encoder {
	for i, t := range e.Graph.Initializers {
		if t.Name == name {
			e.Graph.Initializers = append(e.Graph.Initializers[:i], e.Graph.Initializers[i+1:]...)
			return e.number(name, x)
		}
	}
	panic("no " + name)
}

// The mask of the canonical encoder is no larger than it must be.
func TestMaskIsCompact(t *testing.T) {
	m, err := maskedEncoder(17).load(t, Options{Labels: 2})
	if err != nil {
		t.Fatal(err)
	}
	if text := m.Graph.String(); strings.Contains(text, "Expand") || !strings.Contains(text, "float32[B, 1, 1, T] = Mul") {
		t.Error(text)
	}
}
