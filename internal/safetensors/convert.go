package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Float32s converts an F32, F16, BF16 or F64 tensor to float32 in row-major
// order. The result uses dst's memory where it is large enough, else new
// memory; it has Len elements and never aliases Data.
//
// F16 and BF16 convert exactly, F32 keeps every bit, F64 rounds to nearest even;
// a finite F64 beyond float32's range is an error that names its index, an
// other element type wraps ErrDType.
func (t Tensor) Float32s(dst []float32) ([]float32, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	n := t.Len()
	dst = slices.Grow(dst[:0], n)[:n]
	le := binary.LittleEndian
	switch t.DType {
	case F32:
		if littleEndian {
			copy(rawBytes(dst), t.Data)
			break
		}
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(t.Data[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = float16(le.Uint16(t.Data[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(t.Data[2*i:])) << 16)
		}
	case F64:
		for i := range dst {
			v := math.Float64frombits(le.Uint64(t.Data[8*i:]))
			dst[i] = float32(v)
			if math.IsInf(float64(dst[i]), 0) && !math.IsInf(v, 0) {
				return nil, fmt.Errorf("%v to float32: element %d is %g, beyond the range", t, i, v)
			}
		}
	default:
		return nil, fmt.Errorf("%v to float32: not a floating-point tensor: %w", t, ErrDType)
	}
	return dst, nil
}

// Int64s converts an I64, I32, I16, I8, U8 or BOOL tensor to int64 in row-major
// order, into dst's memory where it is large enough. Another element type wraps
// ErrDType.
func (t Tensor) Int64s(dst []int64) ([]int64, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	n := t.Len()
	dst = slices.Grow(dst[:0], n)[:n]
	le := binary.LittleEndian
	var at func(i int) int64
	switch t.DType {
	case I64:
		at = func(i int) int64 { return int64(le.Uint64(t.Data[8*i:])) }
	case I32:
		at = func(i int) int64 { return int64(int32(le.Uint32(t.Data[4*i:]))) }
	case I16:
		at = func(i int) int64 { return int64(int16(le.Uint16(t.Data[2*i:]))) }
	case I8:
		at = func(i int) int64 { return int64(int8(t.Data[i])) }
	case U8, Bool:
		at = func(i int) int64 { return int64(t.Data[i]) }
	default:
		return nil, fmt.Errorf("%v to int64: not an integer tensor: %w", t, ErrDType)
	}
	for i := range dst {
		dst[i] = at(i)
	}
	return dst, nil
}

// FromFloat32s makes an F32 tensor of v. On a little-endian machine Data is a
// view of v, elsewhere a converted copy. The shape is checked when it is written.
func FromFloat32s(name string, shape []int, v []float32) Tensor {
	t := Tensor{Name: name, DType: F32, Shape: shape}
	if littleEndian {
		t.Data = rawBytes(v)
		return t
	}
	t.Data = make([]byte, 0, 4*len(v))
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}

// littleEndian says whether this machine stores numbers as the format does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// rawBytes views v as bytes in the machine's order.
func rawBytes(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// float16 widens an IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10.
func float16(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0: // zero and subnormals: frac · 2⁻²⁴, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 0x1f: // infinities and NaNs keep their payload
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
