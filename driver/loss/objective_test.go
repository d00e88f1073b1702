package loss_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/loss"
)

// method returns a method that the test knows to exist.
func method(t testing.TB, name string) loss.Method {
	t.Helper()
	m, err := loss.MethodByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func evaluate(t testing.TB, o loss.Objective, logits []float32, classes int, labels []int, targets []float64, batch int) (loss.Result, []float32) {
	t.Helper()
	d := make([]float32, len(logits))
	r, err := o.Evaluate(logits, classes, labels, targets, batch, d)
	if err != nil {
		t.Fatal(err)
	}
	return r, d
}

func near(a, b, relative float64) bool {
	return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

// Every method against PyTorch's autograd; testdata/make_golden.py wrote the file.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Method            string
		Classes                 int
		Lambda                  float64
		Regression              bool
		StopGradient            bool                `json:"stop_gradient"`
		Term                    loss.RegressionTerm `json:"regression_term"`
		Labels                  []int
		Targets                 []float64
		Logits, DLogits         []float32
		Loss, Task, Regulariser float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	methods := map[string]bool{}
	for _, c := range cases {
		methods[c.Method] = true
		t.Run(c.Name, func(t *testing.T) {
			o := loss.Objective{Method: method(t, c.Method), Lambda: c.Lambda, StopGradient: c.StopGradient, Regression: c.Regression, RegressionTerm: c.Term}
			r, d := evaluate(t, o, c.Logits, c.Classes, c.Labels, c.Targets, len(c.Labels)+len(c.Targets))
			if !near(r.Loss, c.Loss, 1e-12) || !near(r.Task, c.Task, 1e-12) || !near(r.Regulariser, c.Regulariser, 1e-9) {
				t.Errorf("got %+v, want loss %v, task %v, regulariser %v", r, c.Loss, c.Task, c.Regulariser)
			}
			for i, want := range c.DLogits {
				if math.Abs(float64(d[i]-want)) > 2e-7*math.Abs(float64(want))+1e-12 {
					t.Errorf("dlogits[%d] = %g, want %g", i, d[i], want)
				}
			}
		})
	}
	for _, m := range loss.Methods() {
		if !methods[m.Name] {
			t.Errorf("no golden for method %s", m.Name)
		}
	}
}

// grid returns n random logits of about ±6 that are multiples of 2⁻¹³, so that float32 holds a step of 2⁻¹³ exactly.
func grid(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Round(r.NormFloat64()*2*0x1p13) * 0x1p-13)
	}
	return x
}

func randomLabels(r *rand.Rand, n, classes int) []int {
	y := make([]int, n)
	for i := range y {
		y[i] = r.IntN(classes)
	}
	return y
}

// Every gradient equals central differences of the float64 loss.
func TestGradientsByDifferences(t *testing.T) {
	const seed, h = 3, 0x1p-13
	r := rand.New(rand.NewPCG(seed, 0))
	for _, m := range loss.Methods() {
		for _, o := range []loss.Objective{
			{Method: m, Lambda: 0.7},
			{Method: m, Lambda: 0.7, Regression: true},
			{Method: m, Lambda: 0.7, Regression: true, RegressionTerm: loss.TermMSE},
		} {
			n, classes := 3, 4
			if o.Regression {
				classes = 1
			}
			labels, targets := randomLabels(r, n, classes), []float64{0.5, -1, 3}
			logits := grid(r, o.Passes()*n*classes)
			_, d := evaluate(t, o, logits, classes, labels, targets, 2*n)
			for i, x := range logits {
				logits[i] = x + h
				up, _ := evaluate(t, o, logits, classes, labels, targets, 2*n)
				logits[i] = x - h
				down, _ := evaluate(t, o, logits, classes, labels, targets, 2*n)
				logits[i] = x
				if want := (up.Loss - down.Loss) / (2 * h); math.Abs(float64(d[i])-want) > 2e-7*max(1, math.Abs(want)) {
					t.Errorf("seed %d, %s, regression %v %q: dlogits[%d] = %v, by differences %v", seed, m.Name, o.Regression, o.RegressionTerm, i, d[i], want)
				}
			}
		}
	}
}

// With the target held, the clean rows get the task's gradient alone and the noised rows what they get without.
func TestStopGradient(t *testing.T) {
	const seed, n, classes = 4, 5, 3
	r := rand.New(rand.NewPCG(seed, 0))
	logits, labels := grid(r, 2*n*classes), randomLabels(r, n, classes)
	o := loss.Objective{Method: method(t, "r3f"), Lambda: 2}
	_, free := evaluate(t, o, logits, classes, labels, nil, n)
	o.StopGradient = true
	_, held := evaluate(t, o, logits, classes, labels, nil, n)
	_, plain := evaluate(t, loss.Objective{Method: method(t, "standard")}, logits[:n*classes], classes, labels, nil, n)
	if want := slices.Concat(plain, free[n*classes:]); !slices.Equal(held, want) {
		t.Errorf("seed %d: gradient %v, want %v", seed, held, want)
	}
}

// Zero noise: no regulariser, and bit for bit the loss and gradient of standard fine-tuning.
func TestZeroNoise(t *testing.T) {
	const seed, n, classes = 5, 7, 3
	r := rand.New(rand.NewPCG(seed, 0))
	clean, labels := grid(r, n*classes), randomLabels(r, n, classes)
	plain, dplain := evaluate(t, loss.Objective{Method: method(t, "standard")}, clean, classes, labels, nil, n)
	got, d := evaluate(t, loss.Objective{Method: method(t, "r3f"), Lambda: 3}, slices.Concat(clean, clean), classes, labels, nil, n)
	if got != plain {
		t.Errorf("seed %d: %+v, want %+v", seed, got, plain)
	}
	if want := slices.Concat(dplain, make([]float32, n*classes)); !slices.Equal(d, want) {
		t.Errorf("seed %d: gradient %v, want %v", seed, d, want)
	}
}

// The regulariser is symmetric and shift-invariant bit for bit, at least 0, and equals the naive formula.
func TestSymmetricKL(t *testing.T) {
	const seed = 6
	r := rand.New(rand.NewPCG(seed, 0))
	term := func(a, b []float32) float64 {
		o := loss.Objective{Method: method(t, "r3f"), Lambda: 1}
		res, _ := evaluate(t, o, slices.Concat(a, b), len(a), []int{0}, nil, 1)
		return res.Regulariser
	}
	shift := func(x []float32, by float32) []float32 {
		y := slices.Clone(x)
		for i := range y {
			y[i] += by
		}
		return y
	}
	for trial := range 1000 {
		k := 2 + r.IntN(6)
		a, b := grid(r, k), grid(r, k)
		value := term(a, b)
		if other := term(b, a); other != value {
			t.Errorf("seed %d trial %d: %v one way, %v the other", seed, trial, value, other)
		}
		if other := term(shift(a, 5), shift(b, -3)); other != value {
			t.Errorf("seed %d trial %d: %v, after shifts %v", seed, trial, value, other)
		}
		if want := naiveSymmetricKL(a, b); !near(value, want, 1e-12) {
			t.Errorf("seed %d trial %d: %v, naively %v", seed, trial, value, want)
		}
		for i := range b { // noise in the last bits
			b[i] = math.Nextafter32(a[i], float32(r.NormFloat64()))
		}
		if value := term(a, b); !(value >= 0) {
			t.Errorf("seed %d trial %d: negative: %v", seed, trial, value)
		}
	}
}

func naiveSymmetricKL(a, b []float32) (sum float64) {
	var za, zb float64
	for k := range a {
		za += math.Exp(float64(a[k]))
		zb += math.Exp(float64(b[k]))
	}
	for k := range a {
		p, q := math.Exp(float64(a[k]))/za, math.Exp(float64(b[k]))/zb
		sum += (p - q) * math.Log(p/q)
	}
	return sum
}

// For small noise δ the term is the variance of δ under p, up to O(δ³): the size at which R3F works.
func TestSmallNoise(t *testing.T) {
	const seed, k = 7, 4
	r := rand.New(rand.NewPCG(seed, 0))
	a := grid(r, k)
	for _, size := range []float64{1e-3, 1e-5} {
		b := slices.Clone(a)
		var z, mean, square float64
		for i := range b {
			b[i] += float32(size * r.NormFloat64())
			delta, e := float64(b[i])-float64(a[i]), math.Exp(float64(a[i]))
			z, mean, square = z+e, mean+e*delta, square+e*delta*delta
		}
		want := square/z - (mean/z)*(mean/z)
		o := loss.Objective{Method: method(t, "r3f"), Lambda: 1}
		got, _ := evaluate(t, o, slices.Concat(a, b), k, []int{0}, nil, 1)
		if !near(got.Regulariser, want, 10*size) {
			t.Errorf("seed %d, noise %g: %v, want %v", seed, size, got.Regulariser, want)
		}
	}
}

// Losses and gradients of micro-batches of any sizes make up those of the whole.
func TestMicroBatches(t *testing.T) {
	const seed, n = 8, 12
	r := rand.New(rand.NewPCG(seed, 0))
	for _, m := range loss.Methods() {
		for _, o := range []loss.Objective{{Method: m, Lambda: 0.7}, {Method: m, Lambda: 0.7, Regression: true, RegressionTerm: loss.TermMSE}} {
			classes, targets := 3, make([]float64, n)
			if o.Regression {
				classes = 1
			}
			labels, logits := randomLabels(r, n, classes), grid(r, o.Passes()*n*classes)
			whole, dwhole := evaluate(t, o, logits, classes, labels, targets, n)
			var sum loss.Result
			for at := 0; at < n; {
				to := min(n, at+1+r.IntN(5))
				var micro, dwant []float32
				for p := range o.Passes() {
					lo, hi := (p*n+at)*classes, (p*n+to)*classes
					micro, dwant = append(micro, logits[lo:hi]...), append(dwant, dwhole[lo:hi]...)
				}
				part, d := evaluate(t, o, micro, classes, labels[at:to], targets[at:to], n)
				if !slices.Equal(d, dwant) {
					t.Errorf("seed %d, %s: gradient of examples %d to %d differs from the whole batch's", seed, m.Name, at, to)
				}
				sum, at = sum.Plus(part), to
			}
			if !near(sum.Loss, whole.Loss, 1e-14) || !near(sum.Task, whole.Task, 1e-14) || !near(sum.Regulariser, whole.Regulariser, 1e-14) {
				t.Errorf("seed %d, %s: micro-batches sum to %+v, the whole is %+v", seed, m.Name, sum, whole)
			}
		}
	}
}

// Logits of any finite size give finite numbers, and the right ones: here the loss of a certain, wrong prediction.
func TestExtremeLogits(t *testing.T) {
	for _, big := range []float32{1e4, 1e30} {
		logits := []float32{big, -big, -big, big} // clean certain of class 0, noised of class 1; the label is 1
		o := loss.Objective{Method: method(t, "r3f"), Lambda: 1}
		r, d := evaluate(t, o, logits, 2, []int{1}, nil, 1)
		if gap := 2 * float64(big); r.Task != gap || r.Regulariser != 2*gap {
			t.Errorf("±%g: %+v, want task %g and regulariser %g", big, r, gap, 2*gap)
		}
		for i, v := range d {
			if v-v != 0 {
				t.Errorf("±%g: dlogits[%d] = %v", big, i, v)
			}
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add(float32(1), float32(-1), float32(0), float32(1e20), uint8(1))
	f.Add(float32(math.NaN()), float32(-1e4), float32(1e4), float32(1e-40), uint8(0))
	f.Fuzz(func(t *testing.T, a, b, c, d float32, label uint8) {
		logits, grad := []float32{a, b, c, d}, make([]float32, 4)
		for _, m := range loss.Methods() {
			o := loss.Objective{Method: m, Lambda: 1}
			n := 2 / o.Passes()
			labels := []int{int(label) % 2, 0}[:n]
			r, err := o.Evaluate(logits, 2, labels, nil, n, grad)
			if finite := !slices.ContainsFunc(logits, func(v float32) bool { return v-v != 0 }); finite != (err == nil) {
				t.Fatalf("%s: logits %v: error %v", m.Name, logits, err)
			}
			if err == nil && !(r.Task >= 0 && r.Regulariser >= 0 && r.Loss-r.Loss == 0) {
				t.Errorf("%s: logits %v: %+v", m.Name, logits, r)
			}
		}
	})
}

func TestNonFiniteLogit(t *testing.T) {
	o := loss.Objective{Method: method(t, "r3f"), Lambda: 1}
	logits := make([]float32, 2*4*3)
	logits[(4+2)*3+1] = float32(math.Inf(1))
	_, err := o.Evaluate(logits, 3, make([]int, 4), nil, 4, nil)
	var bad *loss.NonFiniteError
	if !errors.As(err, &bad) || !errors.Is(err, loss.ErrNonFinite) {
		t.Fatalf("error %v, want a *NonFiniteError", err)
	}
	if want := (loss.NonFiniteError{Row: 6, Class: 1, Example: 2, Value: float32(math.Inf(1))}); *bad != want {
		t.Errorf("%+v, want %+v", *bad, want)
	}
}

func TestErrors(t *testing.T) {
	r3f, standard := method(t, "r3f"), method(t, "standard")
	x := make([]float32, 12)
	for name, evaluate := range map[string]func() (loss.Result, error){
		"zero objective": func() (loss.Result, error) { return loss.Objective{}.Evaluate(x, 2, make([]int, 6), nil, 6, nil) },
		"lambda": func() (loss.Result, error) {
			return loss.Objective{Method: r3f, Lambda: -1}.Evaluate(x, 2, make([]int, 3), nil, 3, nil)
		},
		"NaN lambda": func() (loss.Result, error) {
			return loss.Objective{Method: r3f, Lambda: math.NaN()}.Evaluate(x, 2, make([]int, 3), nil, 3, nil)
		},
		"regression term": func() (loss.Result, error) {
			return loss.Objective{Method: r3f, RegressionTerm: "kl"}.Evaluate(x, 2, make([]int, 3), nil, 3, nil)
		},
		"row count": func() (loss.Result, error) {
			return loss.Objective{Method: r3f}.Evaluate(x, 2, make([]int, 6), nil, 6, nil)
		},
		"no rows": func() (loss.Result, error) { return loss.Objective{Method: r3f}.Evaluate(nil, 2, nil, nil, 6, nil) },
		"batch": func() (loss.Result, error) {
			return loss.Objective{Method: r3f}.Evaluate(x, 2, make([]int, 3), nil, 2, nil)
		},
		"one class": func() (loss.Result, error) {
			return loss.Objective{Method: r3f}.Evaluate(x, 1, make([]int, 6), nil, 6, nil)
		},
		"gradient": func() (loss.Result, error) {
			return loss.Objective{Method: r3f}.Evaluate(x, 2, make([]int, 3), nil, 3, x[:1])
		},
		"label": func() (loss.Result, error) {
			return loss.Objective{Method: standard}.Evaluate(x[:4], 2, []int{0, 2}, nil, 2, nil)
		},
		"label < 0": func() (loss.Result, error) {
			return loss.Objective{Method: standard}.Evaluate(x[:4], 2, []int{0, -1}, nil, 2, nil)
		},
		"two values": func() (loss.Result, error) {
			return loss.Objective{Method: standard, Regression: true}.Evaluate(x[:4], 2, nil, make([]float64, 2), 2, nil)
		},
		"NaN target": func() (loss.Result, error) {
			return loss.Objective{Method: standard, Regression: true}.Evaluate(x[:1], 1, nil, []float64{math.NaN()}, 1, nil)
		},
	} {
		if r, err := evaluate(); err == nil {
			t.Errorf("%s: no error, %+v", name, r)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	if _, err := loss.MethodByName("r5f"); err == nil {
		t.Error("method r5f exists")
	}
}

// Evaluating without a gradient gives the same value, and neither way allocates.
func TestValueOnly(t *testing.T) {
	const seed, n, classes = 9, 16, 3
	r := rand.New(rand.NewPCG(seed, 0))
	o := loss.Objective{Method: method(t, "r3f"), Lambda: 1}
	logits, labels, d := grid(r, 2*n*classes), randomLabels(r, n, classes), make([]float32, 2*n*classes)
	with, _ := evaluate(t, o, logits, classes, labels, nil, n)
	if without, err := o.Evaluate(logits, classes, labels, nil, n, nil); err != nil || without != with {
		t.Errorf("seed %d: %+v, %v; with the gradient %+v", seed, without, err, with)
	}
	if allocations := testing.AllocsPerRun(20, func() { _, _ = o.Evaluate(logits, classes, labels, nil, n, d) }); allocations != 0 {
		t.Errorf("%v allocations a call", allocations)
	}
}
