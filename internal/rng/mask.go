package rng

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// maskBlock is the number of mask bytes drawn before the further bits of their ties; it is part of what a key means.
const maskBlock = 4096

// One byte in each of the eight lanes of a word.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// Mask fills dst with a dropout keep-mask: independently each element is 0 with probability drop and 1 otherwise.
// A drop of at most 0 (or NaN) keeps everything, one of at least 1 nothing, and neither consumes any of the stream.
//
// The probability is exact to 2⁻⁴¹: with t = 256·min(drop, 1−drop), one random byte x decides unless x = ⌊t⌋, and
// then 32 further bits are compared with the fraction of t. Eight bytes are compared at a time within a word (SWAR);
// the further bits of a block of 4096 elements follow its bytes in the stream.
func (s *Stream) Mask(dst []uint8, drop float64) {
	if !(drop > 0 && drop < 1) {
		keep := uint8(1)
		if drop >= 1 {
			keep = 0
		}
		for i := range dst {
			dst[i] = keep
		}
		return
	}
	for len(dst) > 0 {
		n := min(len(dst), maskBlock)
		s.Fill(dst[:n])
		newThreshold(drop).apply(dst[:n], s)
		dst = dst[n:]
	}
}

// threshold is a drop probability ready for comparison with random bytes: an element is rare (has the less likely of
// the two values) if its byte is below base, or equals base and its further 32 bits are below fraction.
type threshold struct {
	base     uint8  // ⌊256·p⌋ for p = min(drop, 1−drop), at most 128
	fraction uint32 // what is left of 256·p, in units of 2⁻³²
	common   uint8  // the value of elements that are not rare
}

func newThreshold(drop float64) threshold {
	t := threshold{common: 1}
	p := drop
	if p > 0.5 {
		p, t.common = 1-p, 0
	}
	units := uint64(math.Round(p * 0x1p40))
	t.base, t.fraction = uint8(units>>32), uint32(units)
	return t
}

// apply replaces the random bytes of dst by mask values, drawing the further bits of ties from s in their order.
func (t threshold) apply(dst []uint8, s *Stream) {
	gap := (0x80 - uint64(t.base)) * ones
	flip := uint64(1-t.common) * ones
	var open uint64 // high bits of the lanes that a tie leaves open
	if t.fraction != 0 {
		open = high
	}
	for len(dst) >= 8 {
		n, ties := compare(dst, gap, flip, open)
		for word := dst[n-8 : n]; ties != 0; ties &= ties - 1 {
			word[bits.TrailingZeros64(ties)/8] = t.settle(s)
		}
		dst = dst[n:]
	}
	for i, x := range dst {
		dst[i] = t.value(x, s)
	}
}

// compare replaces the bytes of d by mask values, a word at a time, up to and including the first word with an open
// tie or else the last whole word. It returns how many it replaced, at least 8, and the tied lanes of the last word.
//
// Every lane of gap is 128 − base, so the low 7 bits of a byte carry into the lane's high bit if they reach base, and
// still do with one less if they exceed it. No lane overflows into the next: 127 + 128 < 256, and where gap is 0 (base
// is 128) no tie is open. Not inlined, because the loop would lose its registers to the caller's variables.
//
//go:noinline
func compare(d []uint8, gap, flip, open uint64) (n int, ties uint64) {
	for ; n <= len(d)-8; n += 8 {
		x := binary.LittleEndian.Uint64(d[n : n+8])
		reach := x&^high + gap
		binary.LittleEndian.PutUint64(d[n:n+8], ((reach|x)&high)>>7^flip)
		if ties = reach &^ (reach - ones) &^ x & open; ties != 0 {
			return n + 8, ties
		}
	}
	return n, 0
}

// value is the mask element of one random byte: the definition that compare computes eight at a time.
func (t threshold) value(x uint8, s *Stream) uint8 {
	switch {
	case x < t.base:
		return 1 - t.common
	case x == t.base && t.fraction != 0:
		return t.settle(s)
	}
	return t.common
}

// settle is the mask element of a tie.
func (t threshold) settle(s *Stream) uint8 {
	below := uint8((uint64(s.uint32()) - uint64(t.fraction)) >> 63) // without a branch: it would be a coin toss
	return t.common ^ below
}
