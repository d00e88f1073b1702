package loss

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomMatrix returns rows×cols elements of N(0, 0.02²).
func randomMatrix(seed uint64, rows, cols int) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64() * 0.02)
	}
	return w
}

// withSpectrum returns an orthogonal matrix times diag(sigma) times another.
func withSpectrum(seed uint64, sigma []float64) []float32 {
	n := len(sigma)
	random := func(seed uint64) *mat.Dense {
		data := make([]float64, n*n)
		for i, v := range randomMatrix(seed, n, n) {
			data[i] = float64(v)
		}
		var qr mat.QR
		qr.Factorize(mat.NewDense(n, n, data))
		var q mat.Dense
		qr.QTo(&q)
		return &q
	}
	var w mat.Dense
	w.Product(random(seed), mat.NewDiagDense(n, sigma), random(seed+1))
	out := make([]float32, n*n)
	for i, v := range w.RawMatrix().Data {
		out[i] = float32(v)
	}
	return out
}

func normalised(t *testing.T, w []float32, rows, cols int) (*Spectral, []float32) {
	t.Helper()
	s, out := NewSpectral(rows, cols), make([]float32, len(w))
	if err := s.Normalise(w, out); err != nil {
		t.Fatal(err)
	}
	return s, out
}

// The Lanczos triplet is that of the full SVD, for square, flat, tall, decaying, clustered and singular matrices.
func TestLanczosEqualsSVD(t *testing.T) {
	identity, rankOne, decaying, near := make([]float64, 60), make([]float64, 60), make([]float64, 60), make([]float64, 60)
	rankOne[0] = 3
	for i := range identity {
		identity[i] = 1
		decaying[i] = math.Exp2(float64(-i))
		near[i] = 1 - 1e-3*float64(i)
	}
	for _, c := range []struct {
		name       string
		rows, cols int
		w          []float32
	}{
		{"just above the small", 33, 33, randomMatrix(1, 33, 33)},
		{"flat", 100, 384, randomMatrix(2, 100, 384)},
		{"tall", 384, 50, randomMatrix(3, 384, 50)},
		{"square", 128, 128, randomMatrix(4, 128, 128)},
		{"decaying", 60, 60, withSpectrum(5, decaying)},
		{"rank one", 60, 60, withSpectrum(7, rankOne)},
		{"near each other", 60, 60, withSpectrum(9, near)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := normalised(t, c.w, c.rows, c.cols)
			if !s.lanczos() {
				t.Fatal("did not converge")
			}
			sigma, outer := s.sigma, outerProduct(s.u, s.v)
			if err := s.svd(); err != nil {
				t.Fatal(err)
			}
			if relative := math.Abs(sigma-s.sigma) / s.sigma; relative > 1e-13 {
				t.Errorf("σ₁ = %v, the SVD's %v: relative difference %g", sigma, s.sigma, relative)
			}
			for i, want := range outerProduct(s.u, s.v) { // free of the sign that u and v share
				if math.Abs(outer[i]-want) > 1e-10 {
					t.Fatalf("u·vᵀ element %d is %v, the SVD's %v", i, outer[i], want)
				}
			}
		})
	}
	t.Run("all equal", func(t *testing.T) { // the vectors are any, the value is not
		if s, _ := normalised(t, withSpectrum(11, identity), 60, 60); math.Abs(s.Sigma()-1) > 1e-6 {
			t.Errorf("σ₁ of an orthogonal matrix is %v", s.Sigma())
		}
	})
}

func outerProduct(u, v []float64) []float64 {
	var m mat.Dense
	m.Outer(1, mat.NewVecDense(len(u), u), mat.NewVecDense(len(v), v))
	return m.RawMatrix().Data
}

// A spectrum so dense at its upper end that 300 steps do not separate it: the full SVD takes over.
func TestFallBack(t *testing.T) {
	sigma := make([]float64, 310)
	for i := range sigma {
		sigma[i] = math.Cos(1.5 * float64(i) / float64(len(sigma)))
	}
	s, out := normalised(t, withSpectrum(1, sigma), len(sigma), len(sigma))
	if s.lanczos() {
		t.Fatal("the Lanczos method converged, so this test shows nothing; use a denser spectrum")
	}
	_ = s.svd()
	for i, v := range s.w.RawMatrix().Data {
		if want := float32(v / s.sigma); out[i] != want {
			t.Fatalf("element %d is %v, by the SVD %v", i, out[i], want)
		}
	}
}

// Backward equals central differences of ⟨R, W/σ₁(W)⟩ in float64 with gonum's full SVD.
func TestSpectralGradient(t *testing.T) {
	for _, c := range [][2]int{{1, 1}, {1, 7}, {2, 16}, {5, 3}, {33, 35}} {
		rows, cols := c[0], c[1]
		w, dOut := randomMatrix(1, rows, cols), randomMatrix(2, rows, cols)
		s, _ := normalised(t, w, rows, cols)
		dW := make([]float32, len(w))
		s.Backward(dOut, dW)
		value := func(at int, h float64) float64 {
			data := make([]float64, len(w))
			for i, v := range w {
				data[i] = float64(v)
			}
			data[at] += h
			sum, norm := 0.0, spectralNorm(data, rows, cols)
			for i, v := range data {
				sum += float64(dOut[i]) * v / norm
			}
			return sum
		}
		scale := 0.0
		for _, g := range dOut {
			scale = max(scale, math.Abs(float64(g))/s.Sigma())
		}
		for i := 0; i < len(w); i += 1 + len(w)/40 {
			const h = 1e-6
			want := (value(i, h) - value(i, -h)) / (2 * h)
			if math.Abs(float64(dW[i])-want) > 1e-6*scale {
				t.Errorf("%d×%d: dW[%d] = %g, by differences %g", rows, cols, i, dW[i], want)
			}
		}
	}
}

// spectralNorm returns σ₁.
func spectralNorm(data []float64, rows, cols int) float64 {
	var svd mat.SVD
	svd.Factorize(mat.NewDense(rows, cols, data), mat.SVDNone)
	return svd.Values(nil)[0]
}

// Ŵ has norm 1 and is invariant to the scale of W, so dW is orthogonal to W.
func TestSpectralProperties(t *testing.T) {
	for _, c := range [][2]int{{3, 40}, {64, 48}} {
		w, dOut := randomMatrix(3, c[0], c[1]), randomMatrix(4, c[0], c[1])
		s, hat := normalised(t, w, c[0], c[1])
		if again, _ := normalised(t, hat, c[0], c[1]); math.Abs(again.Sigma()-1) > 1e-6 {
			t.Errorf("%v: σ₁(Ŵ) = %v", c, again.Sigma())
		}
		dW := make([]float32, len(w))
		s.Backward(dOut, dW)
		inner, size := 0.0, 0.0
		for i := range w {
			inner += float64(dW[i]) * float64(w[i])
			size += math.Abs(float64(dW[i]) * float64(w[i]))
		}
		if math.Abs(inner) > 1e-6*size {
			t.Errorf("%v: ⟨dW, W⟩ = %g of terms that sum to %g", c, inner, size)
		}
		s.Backward(dOut, dOut)
		for i := range dW {
			if dOut[i] != dW[i] {
				t.Fatalf("%v: in place, element %d is %v instead of %v", c, i, dOut[i], dW[i])
			}
		}
	}
}

func TestSpectralExtremes(t *testing.T) {
	for _, scale := range []float32{1e-42, 1e-30, 1e30, 1e38} {
		w := withSpectrum(1, []float64{1: 0.5, 2: 2, 40: 1})
		for i := range w {
			w[i] *= scale
		}
		s, _ := normalised(t, w, 41, 41)
		if got := s.Sigma() / float64(scale); math.Abs(got-2) > 0.02 { // 1e-42 has 10 bits
			t.Errorf("scale %g: σ₁/scale = %v, want 2", scale, got)
		}
	}
}

func TestSpectralErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		w    []float32
		want error
	}{
		"zero": {make([]float32, 6), ErrZeroMatrix}, "NaN": {[]float32{1, 2, nan, 4, 5, 6}, ErrNonFinite},
		"Inf": {[]float32{1, 2, 3, 4, 5, inf}, ErrNonFinite}, "length": {make([]float32, 5), nil},
	} {
		err := NewSpectral(2, 3).Normalise(c.w, make([]float32, len(c.w)))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func BenchmarkNormalise(b *testing.B) {
	for _, side := range [][2]int{{2, 384}, {384, 384}, {1024, 1024}} {
		b.Run(fmt.Sprintf("%dx%d", side[0], side[1]), func(b *testing.B) {
			w, out := randomMatrix(1, side[0], side[1]), make([]float32, side[0]*side[1])
			s := NewSpectral(side[0], side[1])
			for b.Loop() {
				if err := s.Normalise(w, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
