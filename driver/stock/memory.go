package stock

import (
	"fmt"
	"unsafe"
)

// slab is float32 memory outside the Go heap: ONNX Runtime may keep pointers into it, the collector never scans
// it, and pages that are never written cost nothing.
type slab struct {
	bytes []byte
	used  int // floats handed out
}

// newSlab reserves room for n floats.
func newSlab(n int) (*slab, error) {
	if n == 0 {
		return &slab{}, nil
	}
	b, err := reserve(4 * n)
	if err != nil {
		return nil, fmt.Errorf("reserving %d MB for tensors: %w", 4*n>>20, err)
	}
	return &slab{bytes: b}, nil
}

// aligned rounds a float count up to 64 bytes, the width of a cache line and of the widest vector register.
func aligned(n int) int { return (n + 15) &^ 15 }

// take hands out the next n floats.
func (s *slab) take(n int) []float32 {
	if n == 0 {
		return nil
	}
	at := s.used
	s.used += aligned(n)
	return unsafe.Slice((*float32)(unsafe.Pointer(&s.bytes[4*at])), n)
}

// reset makes all of the slab available again.
func (s *slab) reset() { s.used = 0 }

// floats returns the slab's capacity.
func (s *slab) floats() int { return len(s.bytes) / 4 }

// close returns the memory to the system.
func (s *slab) close() error {
	if s == nil || s.bytes == nil {
		return nil
	}
	b := s.bytes
	s.bytes = nil
	return release(b)
}
