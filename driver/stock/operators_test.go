package stock_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/graphs/graphtest"
)

// Every operator, in every form that has a case, and its gradients are to ONNX Runtime what they are to the float64
// evaluator, to 10⁻⁵ of the largest element or 10⁻⁶. Operands are rounded to float32 first, so that comparisons agree.
func TestOperatorsEqualEvaluator(t *testing.T) {
	needLibrary(t)
	library, err := stock.OpenLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := library.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i, oc := range graphtest.Cases() {
		t.Run(oc.Op+"/"+oc.Name, func(t *testing.T) {
			c, y, err := oc.New()
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := c.Differentiate(y)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(uint64(i), 0))
			batches := []map[string]eval.Tensor{c.Feeds(r, 3, 4), c.Feeds(r, 1, 2)}
			g = withoutScalars(g)
			for _, feeds := range batches {
				for name, x := range feeds {
					for k, v := range x.Data {
						x.Data[k] = float64(float32(v))
					}
					if len(x.Shape) == 0 {
						feeds[name] = eval.Tensor{Shape: []int{1}, Data: x.Data}
					}
				}
				want, err := eval.Run(g, feeds)
				if err != nil {
					t.Fatal(err)
				}
				for name, got := range inRuntime(t, g, feeds) {
					close32(t, name, got, want[name])
				}
				if t.Failed() {
					t.Fatalf("seed %d\n%v", i, g)
				}
			}
		})
	}
}

// close32 fails where shapes differ, or elements by more than 10⁻⁵ of the largest or 10⁻⁶.
func close32(t *testing.T, name string, got, want eval.Tensor) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) {
		t.Errorf("%s has shape %v, not %v", name, got.Shape, want.Shape)
		return
	}
	largest := 0.1 // operands are of size 1: sums that cancel are no more accurate
	for _, v := range want.Data {
		largest = max(largest, math.Abs(v))
	}
	for k, v := range want.Data {
		if !(math.Abs(got.Data[k]-v) <= 1e-5*largest) {
			t.Errorf("%s: element %d is %v, not %v; the largest is %v", name, k, got.Data[k], v, largest)
			return
		}
	}
}

// withoutScalars is g with inputs and outputs that have no dimension as vectors of one element, which the binding wants.
func withoutScalars(g *graphs.Graph) *graphs.Graph {
	reshape := func(from, to *graphs.Value) *graphs.Node {
		target := &graphs.Value{Kind: graphs.Constant, DType: graphs.Int64, Shape: graphs.StaticShape(len(to.Shape))}
		for range to.Shape {
			target.Literal = append(target.Literal, 1)
		}
		n := &graphs.Node{Op: "Reshape", Attrs: graphs.Attrs{"to": to.Shape}, Inputs: []*graphs.Value{from, target}, Outputs: []*graphs.Value{to}}
		to.Kind, to.Producer = graphs.Result, n
		return n
	}
	out := &graphs.Graph{Name: g.Name}
	for _, v := range g.Inputs {
		if len(v.Shape) == 0 && v.Kind == graphs.Input {
			vector := &graphs.Value{Name: v.Name, Kind: graphs.Input, DType: v.DType, Shape: graphs.StaticShape(1)}
			v.Name = ""
			out.Nodes = append(out.Nodes, reshape(vector, v))
			v = vector
		}
		out.Inputs = append(out.Inputs, v)
	}
	out.Nodes = append(out.Nodes, g.Nodes...)
	for _, v := range g.Outputs {
		if len(v.Shape) == 0 {
			vector := &graphs.Value{Name: v.Name, DType: v.DType, Shape: graphs.StaticShape(1)}
			v.Name = ""
			out.Nodes = append(out.Nodes, reshape(v, vector))
			v = vector
		}
		out.Outputs = append(out.Outputs, v)
	}
	return out
}

// inRuntime writes the graph as ONNX, runs it on the feeds and returns its outputs.
func inRuntime(t *testing.T, g *graphs.Graph, feeds map[string]eval.Tensor) map[string]eval.Tensor {
	t.Helper()
	data, err := g.ONNX(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names, results []string
	var inputs []ort.Value
	for _, v := range g.Inputs {
		x, err := tensorOf(v.DType, feeds[v.Name])
		if err != nil {
			t.Fatal(err)
		}
		defer x.Destroy()
		names, inputs = append(names, v.Name), append(inputs, x)
	}
	for _, v := range g.Outputs {
		results = append(results, v.Name)
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		t.Fatal(err)
	}
	defer options.Destroy()
	if err := errors.Join(options.SetIntraOpNumThreads(1), options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll)); err != nil {
		t.Fatal(err)
	}
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(data, names, results, options)
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	defer session.Destroy()
	outputs := make([]ort.Value, len(results))
	if err := session.Run(inputs, outputs); err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	out := map[string]eval.Tensor{}
	for i, v := range outputs {
		defer v.Destroy()
		x := eval.Tensor{Shape: []int{}}
		for _, d := range v.GetShape() {
			x.Shape = append(x.Shape, int(d))
		}
		switch v := v.(type) {
		case *ort.Tensor[float32]:
			x.Data = widen(v.GetData())
		case *ort.Tensor[int64]:
			x.Data = widen(v.GetData())
		default:
			t.Fatalf("output %s is a %T", results[i], v)
		}
		out[results[i]] = x
	}
	return out
}

// tensorOf copies a feed into a tensor of the element type.
func tensorOf(dtype graphs.DType, x eval.Tensor) (ort.Value, error) {
	var shape ort.Shape
	for _, d := range x.Shape {
		shape = append(shape, int64(d))
	}
	switch dtype {
	case graphs.Bool:
		data := make([]bool, len(x.Data))
		for i, v := range x.Data {
			data[i] = v != 0
		}
		return ort.NewTensor(shape, data)
	case graphs.Int64:
		data := make([]int64, len(x.Data))
		for i, v := range x.Data {
			data[i] = int64(v)
		}
		return ort.NewTensor(shape, data)
	default:
		data := make([]float32, len(x.Data))
		for i, v := range x.Data {
			data[i] = float32(v)
		}
		return ort.NewTensor(shape, data)
	}
}
