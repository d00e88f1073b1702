package safetensors

import (
	"fmt"
	"math"
	"math/bits"
)

// DType names an element type as the format spells it.
type DType string

// The element types this package reads and writes.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// dtypes lists every type in the order in which the official library lays
// tensors out: widest first, so that each tensor is aligned to its own size.
var dtypes = [...]struct {
	name DType
	size int
}{
	{I64, 8}, {F64, 8}, {F32, 4}, {I32, 4}, {BF16, 2}, {F16, 2}, {I16, 2}, {I8, 1}, {U8, 1}, {Bool, 1},
}

// rank is d's place in dtypes, or -1.
func (d DType) rank() int {
	for i, t := range dtypes {
		if t.name == d {
			return i
		}
	}
	return -1
}

// Size is the number of bytes of one element, 0 for an unknown type.
func (d DType) Size() int {
	if i := d.rank(); i >= 0 {
		return dtypes[i].size
	}
	return 0
}

// Tensor is a named dense row-major array.
//
// Data holds the elements in little-endian byte order. For a tensor of a File
// it is a read-only view that lives until the file is closed.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// Len is the number of elements: len(Data) over the element size.
func (t Tensor) Len() int {
	if s := t.DType.Size(); s > 0 {
		return len(t.Data) / s
	}
	return 0
}

// String names the tensor with its type and shape: `tensor "w" F32 [2 3]`.
// Names and types are cut, since they can come from a hostile file.
func (t Tensor) String() string {
	return fmt.Sprintf("tensor %.200q %.20s %v", t.Name, string(t.DType), t.Shape)
}

// check reports whether the data has the size that the type and shape ask for.
func (t Tensor) check() error {
	want, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return fmt.Errorf("%v: %w", t, err)
	}
	if uint64(len(t.Data)) != want {
		return fmt.Errorf("%v: has %d bytes of data, its shape needs %d: %w", t, len(t.Data), want, ErrShape)
	}
	return nil
}

// byteSize is product(shape) · size of one element, multiplied from the left
// as the official library does; an overflow on the way is an error.
func byteSize(d DType, shape []int) (uint64, error) {
	size := d.Size()
	if size == 0 {
		return 0, fmt.Errorf("dtype %.20q: %w", string(d), ErrDType)
	}
	n := uint64(1)
	for i, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("dimension %d is negative: %w", i, ErrShape)
		}
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 || lo > math.MaxInt {
			return 0, fmt.Errorf("the number of elements overflows at dimension %d: %w", i, ErrShape)
		}
		n = lo
	}
	hi, lo := bits.Mul64(n, uint64(size))
	if hi != 0 || lo > math.MaxInt {
		return 0, fmt.Errorf("the number of bytes overflows: %w", ErrShape)
	}
	return lo, nil
}
