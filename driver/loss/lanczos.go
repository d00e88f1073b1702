package loss

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/gonum"
)

const (
	svdSide      = 32    // matrices with a side of at most this go to the full SVD, in about a millisecond
	lanczosSteps = 300   // after this many the full SVD takes over
	lanczosEvery = 4     // steps between two looks at the Ritz pair
	ritzResidual = 1e-15 // of the Ritz pair that ends the iteration, relative to σ₁²
	maxResidual  = 1e-13 // of the pair found, recomputed from W, relative to σ₁²
)

// lanczos finds the triplet by the Lanczos method on G = W·Wᵀ or Wᵀ·W, whichever is smaller, and reports whether the
// residual ‖G·x − σ₁²·x‖ confirms it. The full SVD finds all triplets, at a hundred times the cost.
//
// G squares the condition number, which spoils small singular values but not the largest: σ₁ keeps its full relative
// precision.
func (s *Spectral) lanczos() bool {
	w := s.w.RawMatrix()
	narrow, wide := s.u, s.v // x and Wᵀ·x
	toWide, toNarrow := blas.Trans, blas.NoTrans
	if w.Rows > w.Cols {
		narrow, wide = s.v, s.u
		toWide, toNarrow = blas.NoTrans, blas.Trans
	}
	gram := func(x, gx []float64) {
		blas64.Gemv(toWide, 1, w, vector(x), 0, vector(wide))
		blas64.Gemv(toNarrow, 1, w, vector(wide), 0, vector(gx))
	}
	if !topEigenvector(narrow, gram) {
		return false
	}
	residual := make([]float64, len(narrow))
	gram(narrow, residual)
	s.sigma = floats.Norm(wide, 2)
	floats.Scale(1/s.sigma, wide)
	floats.AddScaled(residual, -s.sigma*s.sigma, narrow)
	return floats.Norm(residual, 2) <= maxResidual*s.sigma*s.sigma
}

// topEigenvector sets x to the unit eigenvector of the largest eigenvalue of a positive semidefinite matrix given by
// its product with a vector, and reports whether the iteration converged.
//
// The start vector is pseudo-random and always the same: it has a part along every eigenvector, so the largest is not
// missed, and equal matrices give equal bytes. Every new basis vector is orthogonalised against all before it, twice,
// so rounding does not bring back directions already found.
//
// Source: Golub and Van Loan, Matrix Computations, 4th edition, chapter 10.
func topEigenvector(x []float64, product func(x, ax []float64)) bool {
	n := len(x)
	steps := min(n, lanczosSteps)
	basis := blas64.General{Cols: n, Stride: n, Data: make([]float64, 0, steps*n)} // its orthonormal rows
	var diagonal, offDiagonal []float64                                            // of T = basis·A·basisᵀ
	q, overlap := startVector(n), make([]float64, steps)
	for k := 1; k <= steps; k++ {
		basis.Rows, basis.Data = k, append(basis.Data, q...)
		q = basis.Data[(k-1)*n:]
		next := make([]float64, n)
		product(q, next)
		diagonal = append(diagonal, floats.Dot(q, next))
		for range 2 {
			blas64.Gemv(blas.NoTrans, 1, basis, vector(next), 0, vector(overlap[:k]))
			blas64.Gemv(blas.Trans, -1, basis, vector(overlap[:k]), 1, vector(next))
		}
		norm := floats.Norm(next, 2)
		if closed := norm <= ritzResidual*floats.Max(diagonal); closed || k%lanczosEvery == 0 || k == steps {
			y, theta, ok := ritz(diagonal, offDiagonal)
			if ok && norm*math.Abs(y[k-1]) <= ritzResidual*theta {
				blas64.Gemv(blas.Trans, 1, basis, vector(y), 0, vector(x))
				floats.Scale(1/floats.Norm(x, 2), x)
				return true
			}
			if closed {
				return false
			}
		}
		offDiagonal = append(offDiagonal, norm)
		floats.Scale(1/norm, next)
		q = next
	}
	return false
}

// ritz returns the largest eigenvalue theta of a symmetric tridiagonal matrix with positive off-diagonal elements and
// its unit eigenvector y, by inverse iteration. By the Perron–Frobenius theorem no element of y is negative, so the
// vector of ones is a safe start.
func ritz(diagonal, offDiagonal []float64) (y []float64, theta float64, ok bool) {
	lapack, n := gonum.Implementation{}, len(diagonal)
	d, e := clone(diagonal), clone(offDiagonal)
	if !lapack.Dsterf(n, d, e) {
		return nil, 0, false
	}
	theta = d[n-1]
	y = make([]float64, n)
	floats.AddConst(1, y)
	for range 3 {
		d, lower, upper := clone(diagonal), clone(offDiagonal), clone(offDiagonal)
		floats.AddConst(-theta*(1+0x1p-50), d)
		if !lapack.Dgtsv(n, 1, lower, d, upper, y, 1) {
			return nil, 0, false
		}
		floats.Scale(1/floats.Norm(y, 2), y)
	}
	return y, theta, true
}

// startVector returns the fixed pseudo-random unit vector of n elements.
func startVector(n int) []float64 {
	r := rand.New(rand.NewPCG(0, 0))
	q := make([]float64, n)
	for i := range q {
		q[i] = r.NormFloat64()
	}
	floats.Scale(1/floats.Norm(q, 2), q)
	return q
}

func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Inc: 1, Data: x} }

func clone(x []float64) []float64 { return append(make([]float64, 0, len(x)), x...) }
