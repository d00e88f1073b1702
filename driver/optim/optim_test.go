package optim_test

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// golden is testdata/golden.json, which PyTorch wrote through testdata/make_golden.py.
type golden struct {
	AdamW []struct {
		Beta1, Beta2, Eps float64
		WeightDecay       float64 `json:"weight_decay"`
		Scale             float32
		Start             []float32
		Steps             []struct {
			LR         float64
			G, P, M, V []float32
		}
	}
	Schedules []struct {
		Total, Warmup  int
		Linear, Cosine []float64
	}
	Warmup []struct {
		Share        float64
		Total, Steps int
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// closeTo reports whether a is b to 1e-6, relative to b or to a larger scale.
func closeTo(a, b float32, scale float64) bool {
	return math.Abs(float64(a)-float64(b)) <= 1e-6*max(math.Abs(float64(b)), scale)
}

func TestAdamWEqualsTorch(t *testing.T) {
	for i, c := range readGolden(t).AdamW {
		a := optim.AdamW{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WeightDecay}
		p, m, v := slices.Clone(c.Start), make([]float32, len(c.Start)), make([]float32, len(c.Start))
		largest := make([]float64, len(p)) // gradient so far: the scale of m, whose terms may cancel
		for n, s := range c.Steps {
			a.Apply(p, s.G, m, v, optim.Step{T: n + 1, LR: s.LR, Scale: c.Scale, Decay: true})
			for j := range p {
				largest[j] = max(largest[j], math.Abs(float64(c.Scale*s.G[j])))
				if !closeTo(p[j], s.P[j], s.LR) || !closeTo(m[j], s.M[j], largest[j]) || !closeTo(v[j], s.V[j], 0) {
					t.Errorf("case %d, update %d, element %d: p %g m %g v %g, want %g %g %g", i, n+1, j, p[j], m[j], v[j], s.P[j], s.M[j], s.V[j])
				}
			}
		}
	}
}

// tensors returns parameters, a gradient and moments of n elements.
func tensors(seed uint64, n int) (p, g, m, v []float32) {
	r := rand.New(rand.NewPCG(seed, 0))
	p, g, m, v = make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range p {
		p[i], g[i], m[i], v[i] = float32(r.NormFloat64()), float32(r.NormFloat64()), float32(r.NormFloat64()), r.Float32()
	}
	return p, g, m, v
}

// The zero AdamW has the documented constants; Scale 0 is 1; Decay off is a decay of 0.
func TestDefaults(t *testing.T) {
	defaults := optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.01}
	still := defaults
	still.WeightDecay = 0
	for _, c := range []struct {
		name         string
		a, b         optim.AdamW
		aStep, bStep optim.Step
	}{
		{"constants", optim.AdamW{}, defaults, optim.Step{T: 3, LR: 0.1, Decay: true}, optim.Step{T: 3, LR: 0.1, Decay: true}},
		{"scale", defaults, defaults, optim.Step{T: 3, LR: 0.1}, optim.Step{T: 3, LR: 0.1, Scale: 1}},
		{"decay", defaults, still, optim.Step{T: 3, LR: 0.1}, optim.Step{T: 3, LR: 0.1, Decay: true}},
	} {
		p, g, m, v := tensors(1, 100)
		q, _, mq, vq := tensors(1, 100)
		c.a.Apply(p, g, m, v, c.aStep)
		c.b.Apply(q, g, mq, vq, c.bStep)
		if !slices.Equal(p, q) || !slices.Equal(m, mq) || !slices.Equal(v, vq) {
			t.Errorf("%s: the two updates differ", c.name)
		}
	}
}

func TestValidate(t *testing.T) {
	good := optim.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6}
	for _, a := range []optim.AdamW{{}, good} {
		if err := a.Validate(); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
	for _, spoil := range []func(*optim.AdamW){
		func(a *optim.AdamW) { a.Beta1 = 1 }, func(a *optim.AdamW) { a.Beta2 = -0.1 }, func(a *optim.AdamW) { a.Eps = 0 },
		func(a *optim.AdamW) { a.WeightDecay = math.NaN() }, func(a *optim.AdamW) { a.WeightDecay = math.Inf(1) },
	} {
		a := good
		spoil(&a)
		if a.Validate() == nil {
			t.Errorf("%+v: no error", a)
		}
	}
}

// One processor or several: the same bytes.
func TestProcessors(t *testing.T) {
	const n = 200_003
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var sums []float64
	var results [][]float32
	for _, processors := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(processors)
		p, g, m, v := tensors(2, n)
		sums = append(sums, optim.SumSquares(g))
		optim.AdamW{}.Apply(p, g, m, v, optim.Step{T: 7, LR: 0.01, Decay: true})
		results = append(results, slices.Concat(p, m, v))
	}
	for i := range sums {
		if sums[i] != sums[0] || !slices.Equal(results[i], results[0]) {
			t.Error("results depend on the number of processors")
		}
	}
}

// ApplyRows and Apply give the same bits over many steps, with any touched sets, decay or not, and through a restart
// from the moments.
func TestRowsEqualDense(t *testing.T) {
	const seed, rows, cols, steps = 3, 130, 24, 30
	r := rand.New(rand.NewPCG(seed, 0))
	for _, decay := range []bool{true, false} {
		p, _, _, _ := tensors(seed, rows*cols)
		p[5], p[6] = 0, float32(math.Copysign(0, -1))
		q := slices.Clone(p)
		m, v, mq, vq := make([]float32, rows*cols), make([]float32, rows*cols), make([]float32, rows*cols), make([]float32, rows*cols)
		touched, ever := optim.NewRowSet(rows), optim.NewRowSet(rows)
		for step := 1; step <= steps; step++ {
			touched.Clear()
			dense, sparse := make([]float32, rows*cols), make([]float32, rows*cols)
			for i := range sparse {
				sparse[i] = float32(math.NaN()) // not to be read
			}
			for range r.IntN(6) {
				row := r.IntN(rows / 2)
				touched.Add(row)
				for i := row * cols; i < (row+1)*cols; i++ {
					dense[i] = float32(r.NormFloat64() * float64(r.IntN(2)))
					sparse[i] = dense[i]
				}
			}
			s := optim.Step{T: step, LR: 0.01, Decay: decay, Scale: 0.5}
			optim.AdamW{}.Apply(p, dense, m, v, s)
			optim.AdamW{}.ApplyRows(q, sparse, mq, vq, cols, touched, ever, s)
			if step == steps/2 {
				ever = optim.NonZeroRows(cols, mq, vq)
			}
		}
		if n := ever.Len(); n == 0 || n > rows/2 {
			t.Fatalf("seed %d: %d rows were touched; the test needs both kinds", seed, n)
		}
		for i := range p {
			for _, pair := range [][2]float32{{p[i], q[i]}, {m[i], mq[i]}, {v[i], vq[i]}} {
				if math.Float32bits(pair[0]) != math.Float32bits(pair[1]) {
					t.Fatalf("seed %d, decay %v: row %d: dense %v, by rows %v", seed, decay, i/cols, pair[0], pair[1])
				}
			}
		}
	}
}

func TestRowSet(t *testing.T) {
	const seed, rows = 4, 200
	r := rand.New(rand.NewPCG(seed, 0))
	s, want := optim.NewRowSet(rows), map[int]bool{}
	for range 100 {
		row := r.IntN(rows)
		s.Add(row)
		want[row] = true
	}
	for row := range rows {
		if s.Has(row) != want[row] {
			t.Errorf("seed %d: Has(%d) = %v", seed, row, s.Has(row))
		}
	}
	rowsOf := slices.Sorted(maps.Keys(want))
	if got := slices.Collect(s.All()); s.Len() != len(want) || !slices.Equal(got, rowsOf) {
		t.Errorf("seed %d: %d rows %v, want %v", seed, s.Len(), got, rowsOf)
	}
	for row := range s.All() {
		if row != rowsOf[0] {
			t.Errorf("seed %d: first row is %d, want %d", seed, row, rowsOf[0])
		}
		break
	}
	if s.Clear(); s.Len() != 0 {
		t.Error("rows left after Clear")
	}
}

// A wrong call is a programmer's mistake and says so at once.
func TestPanics(t *testing.T) {
	x, y := make([]float32, 6), make([]float32, 5)
	set := optim.NewRowSet(2)
	for name, call := range map[string]func(){
		"lengths":  func() { optim.AdamW{}.Apply(x, y, x, x, optim.Step{T: 1}) },
		"update 0": func() { optim.AdamW{}.Apply(x, x, x, x, optim.Step{}) },
		"columns":  func() { optim.AdamW{}.ApplyRows(x, x, x, x, 2, set, set, optim.Step{T: 1}) },
		"sets":     func() { optim.AdamW{}.ApplyRows(x, x, x, x, 3, set, optim.NewRowSet(3), optim.Step{T: 1}) },
		"row":      func() { set.Add(2) },
		"schedule": func() { optim.Schedule("step").Factor(1, 2, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestSumSquares(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 5, 1<<15 - 1, 1<<15 + 1, 100_001} {
		_, g, _, _ := tensors(5, n)
		want := 0.0
		for _, x := range g {
			want += float64(x) * float64(x)
		}
		if got := optim.SumSquares(g); math.Abs(got-want) > 1e-12*want {
			t.Errorf("%d elements: %v, want %v", n, got, want)
		}
		if n == 0 {
			continue
		}
		g[n-1] = math.MaxFloat32
		if got := optim.SumSquares(g); math.IsInf(got, 0) {
			t.Errorf("%d elements: overflow", n)
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			g[n/2] = float32(bad)
			if got := optim.SumSquares(g); got-got == 0 {
				t.Errorf("%d elements, one %v: %v", n, bad, got)
			}
		}
	}
}

// Clipping leaves a gradient of norm at most max, and one that was already there alone.
func TestClipScale(t *testing.T) {
	const seed = 6
	r := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		norm, limit := math.Exp(10*r.NormFloat64()), math.Exp(5*r.NormFloat64())
		scale := float64(optim.ClipScale(norm, limit))
		if clipped := scale * norm; scale <= 0 || scale > 1 || clipped > limit*(1+1e-7) {
			t.Errorf("seed %d: norm %v, max %v: scale %v", seed, norm, limit, scale)
		}
		if norm+1e-6 <= limit && scale != 1 {
			t.Errorf("seed %d: norm %v is below max %v, yet scale %v", seed, norm, limit, scale)
		}
		if off := optim.ClipScale(norm, 0); off != 1 {
			t.Errorf("seed %d: without a limit the scale is %v", seed, off)
		}
	}
}

// model has the number of parameters of MiniLM-L6-H384, of which the word embeddings are 30522×384.
const (
	model      = 22_700_000
	vocabulary = 30522
	width      = 384
)

func BenchmarkApply(b *testing.B) {
	p, g, m, v := tensors(1, model)
	b.ResetTimer()
	for t := 1; b.Loop(); t++ {
		optim.AdamW{}.Apply(p, g, m, v, optim.Step{T: t, LR: 1e-5, Decay: true})
	}
}

func BenchmarkApplyRows(b *testing.B) {
	p, g, _, _ := tensors(1, vocabulary*width)
	m, v := make([]float32, len(p)), make([]float32, len(p))
	touched, ever := optim.NewRowSet(vocabulary), optim.NewRowSet(vocabulary)
	for row := range 1000 {
		touched.Add(row * 30)
	}
	b.ResetTimer()
	for t := 1; b.Loop(); t++ {
		optim.AdamW{}.ApplyRows(p, g, m, v, width, touched, ever, optim.Step{T: t, LR: 1e-5, Decay: true})
	}
}

func BenchmarkSumSquares(b *testing.B) {
	_, g, _, _ := tensors(1, model)
	b.ResetTimer()
	for b.Loop() {
		optim.SumSquares(g)
	}
}
