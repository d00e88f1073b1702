package graphs_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/eval"
	"github.com/r3f-ort/r3f-ort/graphs/graphtest"
)

// The legend of shapes: B batch, T tokens, and static sizes.
var (
	dimB, dimT = graphs.Batch, graphs.Tokens
	dim        = graphs.Static
)

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x7233662d6f7274)) }

// fill makes a tensor of a symbolic shape, element by element.
func fill(s graphs.Shape, batch, tokens int, next func() float64) eval.Tensor {
	return graphtest.Fill(s, batch, tokens, next)
}

// filled is fill for sizes that are known.
func filled(shape []int, next func() float64) eval.Tensor {
	return fill(graphs.StaticShape(shape...), 0, 0, next)
}

// run evaluates a graph on those of the feeds that it reads.
func run(t *testing.T, g *graphs.Graph, feeds map[string]eval.Tensor) map[string]eval.Tensor {
	t.Helper()
	own := map[string]eval.Tensor{}
	for _, list := range [][]*graphs.Value{g.Inputs, g.Parameters} {
		for _, v := range list {
			if f, ok := feeds[v.Name]; ok {
				own[v.Name] = f
			}
		}
	}
	out, err := eval.Run(g, own)
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	return out
}

func dot(x, y eval.Tensor) float64 {
	s := 0.0
	for i := range x.Data {
		s += x.Data[i] * y.Data[i]
	}
	return s
}

// plus is x + h·v.
func plus(x eval.Tensor, h float64, v eval.Tensor) eval.Tensor {
	out := eval.Tensor{Shape: x.Shape, Data: make([]float64, len(x.Data))}
	for i := range x.Data {
		out.Data[i] = x.Data[i] + h*v.Data[i]
	}
	return out
}

// largest is the largest absolute element.
func largest(x eval.Tensor) float64 {
	m := 0.0
	for _, v := range x.Data {
		m = math.Max(m, math.Abs(v))
	}
	return m
}

// distance is the largest |x − y| over the largest |y|, and infinite where shapes or NaNs make it meaningless.
func distance(x, y eval.Tensor) float64 {
	if len(x.Data) != len(y.Data) {
		return math.Inf(1)
	}
	d := largest(plus(x, -1, y))
	for i := range x.Data {
		if math.IsNaN(x.Data[i] - y.Data[i]) {
			return math.Inf(1)
		}
	}
	if d == 0 {
		return 0
	}
	return d / largest(y)
}

// directional compares ⟨u, J·v⟩, J·v = (f(x + h·v) − f(x − h·v))/2h by central differences, with ⟨Jᵀ·u, v⟩, and
// returns their difference over Σ|uᵢ·(J·v)ᵢ|; 0 where it drowns in the rounding of f, 10⁻¹⁴ of its size.
func directional(f func(h float64) eval.Tensor, u eval.Tensor, product float64) float64 {
	const h = 1e-6
	ahead, behind := f(h), f(-h)
	numeric, scale, noise := 0.0, 0.0, 0.0
	for i := range u.Data {
		p := u.Data[i] * (ahead.Data[i] - behind.Data[i]) / (2 * h)
		numeric += p
		scale += math.Abs(p)
		noise += math.Abs(u.Data[i]*ahead.Data[i]) * 1e-14 / h
	}
	d := math.Abs(numeric - product)
	if d <= noise {
		return 0
	}
	return d / scale
}
