package loss

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// ErrZeroMatrix is wrapped by the error about a matrix without a norm to divide by.
var ErrZeroMatrix = errors.New("matrix is zero")

// Spectral divides one weight matrix by its largest singular value, as R4F does with those of the head g so that g is
// 1-Lipschitz, and carries gradients back through the division.
//
//	Ŵ  = W/σ₁                                  W = Σ_i σ_i·u_i·v_iᵀ, σ₁ ≥ σ₂ ≥ …
//	dW = (dŴ − ⟨dŴ, Ŵ⟩·u₁·v₁ᵀ)/σ₁              since ∂σ₁/∂W = u₁·v₁ᵀ
//
// The triplet (σ₁, u₁, v₁) is exact to the rounding of float64, not a power iteration's estimate: it depends on W alone,
// so a resumed run needs no state of it. Where σ₁ = σ₂ the gradient is one of the subgradients.
//
// Source: arXiv 2008.03156, the R4F objective; testdata/golden/r3f_reference.py, spectral_normalised.
// Differs: the reference differentiates a float32 SVD.
//
// A Spectral holds the scratch memory of one matrix and is reused every step; it is not safe for concurrent use.
type Spectral struct {
	w     *mat.Dense // W in float64
	u, v  []float64  // u₁ and v₁
	sigma float64
}

// NewSpectral returns the normaliser of a rows×cols matrix.
func NewSpectral(rows, cols int) *Spectral {
	return &Spectral{w: mat.NewDense(rows, cols, nil), u: make([]float64, rows), v: make([]float64, cols)}
}

// Normalise sets out to Ŵ. w and out are row-major and may be the same slice.
// A zero matrix and one with a NaN or infinite element are errors wrapping [ErrZeroMatrix] and [ErrNonFinite].
func (s *Spectral) Normalise(w, out []float32) error {
	rows, cols := s.w.Dims()
	data := s.w.RawMatrix().Data
	if len(w) != len(data) || len(out) != len(data) {
		return fmt.Errorf("normalising a %d×%d matrix: %d elements in, %d out", rows, cols, len(w), len(out))
	}
	zero := true
	for i, x := range w {
		if x-x != 0 {
			return fmt.Errorf("normalising a %d×%d matrix: element (%d, %d) is %v: %w", rows, cols, i/cols, i%cols, x, ErrNonFinite)
		}
		zero = zero && x == 0
		data[i] = float64(x)
	}
	if zero {
		return fmt.Errorf("normalising a %d×%d matrix: %w, which has no spectral norm to divide by; initialise it at random", rows, cols, ErrZeroMatrix)
	}
	if min(rows, cols) <= svdSide || !s.lanczos() {
		if err := s.svd(); err != nil {
			return err
		}
	}
	for i, x := range data {
		out[i] = float32(x / s.sigma)
	}
	return nil
}

// Sigma returns the largest singular value that the last Normalise found.
func (s *Spectral) Sigma() float64 { return s.sigma }

// Backward sets dW to the gradient with respect to W, from dOut with respect to Ŵ, at the W of the last Normalise.
// Both have W's shape and may be the same slice.
func (s *Spectral) Backward(dOut, dW []float32) {
	rows, cols := s.w.Dims()
	data := s.w.RawMatrix().Data
	inner := 0.0 // ⟨dŴ, W⟩
	for i, g := range dOut[:len(data)] {
		inner += float64(g) * data[i]
	}
	for i := range rows {
		in, out := dOut[i*cols:(i+1)*cols], dW[i*cols:(i+1)*cols]
		ui := inner / s.sigma * s.u[i]
		for j, g := range in {
			out[j] = float32((float64(g) - ui*s.v[j]) / s.sigma)
		}
	}
}

// svd finds the triplet by LAPACK's algorithm as gonum has it.
func (s *Spectral) svd() error {
	var svd mat.SVD
	if rows, cols := s.w.Dims(); !svd.Factorize(s.w, mat.SVDThin) {
		return fmt.Errorf("normalising a %d×%d matrix: its singular value decomposition did not converge", rows, cols)
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	mat.Col(s.u, 0, &u)
	mat.Col(s.v, 0, &v)
	s.sigma = svd.Values(nil)[0]
	return nil
}
