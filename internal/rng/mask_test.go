package rng

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// naiveMask is the definition of Mask, an element at a time: the bytes of a block, then the bits of its ties.
func naiveMask(s *Stream, n int, drop float64) []uint8 {
	p, rare := drop, uint8(0)
	if drop > 0.5 {
		p, rare = 1-drop, 1
	}
	t := 256 * p
	base := math.Floor(t)
	var out []uint8
	for len(out) < n {
		block := make([]byte, min(4096, n-len(out)))
		s.Fill(block)
		for i, x := range block {
			isRare := float64(x) < base
			if float64(x) == base && t > base {
				var b [4]byte
				s.Fill(b[:])
				u := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
				isRare = float64(u) < math.Round((t-base)*0x1p32)
			}
			block[i] = 1 - rare
			if isRare {
				block[i] = rare
			}
		}
		out = append(out, block...)
	}
	return out
}

func TestMaskEqualsNaive(t *testing.T) {
	const seed = 20
	r := rand.New(rand.NewPCG(seed, 0))
	probabilities := []float64{0.5, 0.25, 0.1, 0.9, 1.0 / 256, 127.5 / 256, 0x1p-30, 1 - 0x1p-30}
	for trial := range 400 {
		drop, n := r.Float64(), r.IntN(20000)>>r.IntN(14)
		if trial < len(probabilities) {
			drop, n = probabilities[trial], 100000
		}
		got := make([]uint8, n)
		a, b := New(seed, uint64(trial), "mask"), New(seed, uint64(trial), "mask")
		a.Mask(got, drop)
		if want := naiveMask(b, n, drop); !bytes.Equal(got, want) {
			t.Fatalf("seed %d trial %d: drop %v, %d elements: differs from the naive mask", seed, trial, drop, n)
		}
		if a.Uint64() != b.Uint64() {
			t.Fatalf("seed %d trial %d: drop %v, %d elements: consumed another number of bytes", seed, trial, drop, n)
		}
	}
}

func TestMaskFrequency(t *testing.T) {
	const n = 1 << 24
	mask := make([]uint8, n)
	for _, drop := range []float64{-1, 0, 0x1p-17, 0.001, 0.05, 0.1, 0.3, 0.5, 0.7, 0.999, 1, 2} {
		New(1, 1, "frequency").Mask(mask, drop)
		kept := 0
		for _, v := range mask {
			if v > 1 {
				t.Fatalf("drop %v: element %d", drop, v)
			}
			kept += int(v)
		}
		p := 1 - min(max(drop, 0), 1)
		if sd := math.Sqrt(n * p * (1 - p)); math.Abs(float64(kept)-n*p) > 5*sd {
			t.Errorf("drop %v: kept %d of %d, want %.0f ± %.0f", drop, kept, n, n*p, sd)
		}
	}
}

// Neighbouring elements, within a word and across words, are uncorrelated.
func TestMaskCorrelation(t *testing.T) {
	const n, drop = 1 << 20, 0.3
	mask := make([]uint8, n)
	New(1, 1, "correlation").Mask(mask, drop)
	for lag := 1; lag <= 17; lag++ {
		sum := 0.0
		for i := range mask[lag:] {
			sum += (float64(mask[i]) - (1 - drop)) * (float64(mask[i+lag]) - (1 - drop))
		}
		if z := sum / (drop * (1 - drop) * math.Sqrt(n)); math.Abs(z) > 5 {
			t.Errorf("lag %d: correlation %.1f standard errors from 0", lag, z)
		}
	}
}

// The masks of a run's sites and steps are independent: totals of masks, and totals of one element over all masks, vary
// as binomial numbers do. A block's ties that shared their further bits would make the totals of masks vary 15 % more.
func TestMaskDispersion(t *testing.T) {
	const n, sites, steps, drop = maskBlock, 20, 1080, 0.1
	s, mask := New(1, 0, ""), make([]uint8, n)
	masks, elements := make([]int, sites*steps), make([]int, n) // how many each has dropped
	for i := range masks {
		s.Reset(1, uint64(i%steps), fmt.Sprintf("dropout.%d.0", i/steps))
		s.Mask(mask, drop)
		for k, keep := range mask {
			masks[i] += 1 - int(keep)
			elements[k] += 1 - int(keep)
		}
	}
	for _, v := range []struct {
		what   string
		totals []int
		of     float64
	}{{"masks", masks, n}, {"elements", elements, sites * steps}} {
		dispersion := 0.0 // mean square of a total's deviation, in a binomial number's variance
		for _, total := range v.totals {
			d := float64(total) - v.of*drop
			dispersion += d * d / (v.of * drop * (1 - drop)) / float64(len(v.totals))
		}
		if z := (dispersion - 1) / math.Sqrt(2/float64(len(v.totals))); math.Abs(z) > 5 {
			t.Errorf("totals of %s vary %.3f times as binomial numbers do: %.1f standard errors from 1", v.what, dispersion, z)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, drop := range []float64{0.1, 0.5} {
		b.Run(fmt.Sprint(drop), func(b *testing.B) {
			s, mask := New(1, 1, "mask"), make([]uint8, 1<<20)
			b.SetBytes(1 << 20)
			for b.Loop() {
				s.Mask(mask, drop)
			}
		})
	}
}
