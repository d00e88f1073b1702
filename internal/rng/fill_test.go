package rng_test

import (
	"math"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/rng"
)

// moments returns the mean, variance and kurtosis of x.
func moments(x []float32) (mean, variance, kurtosis float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += float64(v) / n
	}
	for _, v := range x {
		d := float64(v) - mean
		variance += d * d / n
		kurtosis += d * d * d * d / n
	}
	return mean, variance, kurtosis / (variance * variance)
}

// within fails unless got lies within 5 standard errors of want.
func within(t *testing.T, what string, got, want, standardError float64) {
	t.Helper()
	if z := (got - want) / standardError; math.Abs(z) > 5 {
		t.Errorf("%s is %g, want %g: %.1f standard errors away", what, got, want, z)
	}
}

func TestUniform32(t *testing.T) {
	const n = 1 << 20
	x := make([]float32, n)
	for _, eps := range []float32{1e-5, 1, 3e38, 1e-44} {
		rng.New(1, 1, "uniform").Uniform32(x, eps)
		if lo, hi := slices.Min(x), slices.Max(x); lo < -eps || hi > eps {
			t.Errorf("eps %g: values in [%g, %g]", eps, lo, hi)
		}
		if eps < 1e-30 || eps > 1e30 {
			continue // moments leave the range of the arithmetic of float32
		}
		mean, variance, kurtosis := moments(x)
		sd := float64(eps) / math.Sqrt(3)
		within(t, "mean", mean, 0, sd/1024)
		within(t, "variance", variance, sd*sd, sd*sd*math.Sqrt(0.8)/1024)
		within(t, "kurtosis", kurtosis, 1.8, 2.0/1024)
	}
}

func TestNormal32(t *testing.T) {
	const n = 1 << 20
	x := make([]float32, n)
	for _, sigma := range []float32{1e-5, 1} {
		rng.New(1, 1, "normal").Normal32(x, sigma)
		sd := float64(sigma)
		mean, variance, kurtosis := moments(x)
		within(t, "mean", mean, 0, sd/1024)
		within(t, "variance", variance, sd*sd, sd*sd*math.Sqrt2/1024)
		within(t, "kurtosis", kurtosis, 3, math.Sqrt(24)/1024)
		beyond := 0.0
		for _, v := range x {
			if math.Abs(float64(v)) > 2*sd {
				beyond++
			}
		}
		p := math.Erfc(math.Sqrt2)
		within(t, "share beyond 2 sigma", beyond/n, p, math.Sqrt(p*(1-p)/n))
	}
}

// The same key gives the same values whatever the lengths of the calls.
func TestUniform32InPieces(t *testing.T) {
	want, got := make([]float32, 9999), make([]float32, 9999)
	rng.New(3, 1, "pieces").Uniform32(want, 1)
	s := rng.New(3, 1, "pieces")
	for at, n := 0, 1; at < len(got); at, n = at+n, n*2 {
		s.Uniform32(got[at:min(at+n, len(got))], 1)
	}
	if !slices.Equal(got, want) {
		t.Error("values depend on how they are asked for")
	}
	// Off the 4-byte grid of the buffer, values are made of the very bytes that follow.
	a, b := rng.New(3, 2, "odd"), rng.New(3, 2, "odd")
	raw := make([]byte, 1+4*len(want))
	a.Fill(raw)
	b.Fill(raw[:1])
	b.Uniform32(got, 1)
	for i, v := range got {
		k := int32(uint32(raw[1+4*i])|uint32(raw[2+4*i])<<8|uint32(raw[3+4*i])<<16|uint32(raw[4+4*i])<<24) >> 7
		if want := float32(math.Ldexp(float64(k|1), -24)); v != want {
			t.Fatalf("value %d is %g, want %g", i, v, want)
		}
	}
}

func BenchmarkUniform32(b *testing.B) {
	s, x := rng.New(1, 1, "uniform"), make([]float32, 1<<18)
	b.SetBytes(4 << 18)
	for b.Loop() {
		s.Uniform32(x, 1e-5)
	}
}

func BenchmarkNormal32(b *testing.B) {
	s, x := rng.New(1, 1, "normal"), make([]float32, 1<<18)
	b.SetBytes(4 << 18)
	for b.Loop() {
		s.Normal32(x, 1e-5)
	}
}
