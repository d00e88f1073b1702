package rng

import "encoding/binary"

// Uniform32 fills dst with independent values of U(−eps, eps).
//
//	dst[i] = eps · k·2⁻²⁴   k uniform over the odd integers in (−2²⁴, 2²⁴)
//
// k is exact in float32 and |k·2⁻²⁴| < 1, so no value leaves [−eps, eps] and the distribution is symmetric about 0.
// Each value takes 4 bytes of the stream.
func (s *Stream) Uniform32(dst []float32, eps float32) {
	for len(dst) > 0 {
		n := min(len(dst), (len(s.buf)-s.next)/4)
		if n == 0 {
			dst[0] = symmetric(s.uint32(), eps)
			dst = dst[1:]
			continue
		}
		src := s.buf[s.next : s.next+4*n]
		s.next += 4 * n
		for i := range dst[:n] {
			dst[i] = symmetric(binary.LittleEndian.Uint32(src[4*i:]), eps)
		}
		dst = dst[n:]
	}
}

// symmetric maps 32 random bits to (−eps, eps).
func symmetric(bits uint32, eps float32) float32 {
	return float32(int32(bits)>>7|1) * 0x1p-24 * eps
}

// Normal32 fills dst with independent values of N(0, sigma²), by the ziggurat of [rand.Rand.NormFloat64] (which is
// also what gonum's distuv.Normal calls) rounded to float32 after scaling.
func (s *Stream) Normal32(dst []float32, sigma float32) {
	for i := range dst {
		dst[i] = float32(s.rand.NormFloat64() * float64(sigma))
	}
}

// Perm returns a random permutation of [0, n), by the Fisher–Yates shuffle of [rand.Rand.Shuffle].
func (s *Stream) Perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	s.rand.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}
