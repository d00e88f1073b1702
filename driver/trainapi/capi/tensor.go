package capi

/*
#include "api.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Tensor is a tensor in Go memory, row-major. Data is a []float32, []float64, []int64, []int32, []uint8 or []bool.
type Tensor struct {
	Shape []int64 // empty for a scalar
	Data  any
}

// Float32s returns the data of a float32 tensor.
func (t Tensor) Float32s() ([]float32, error) {
	if data, ok := t.Data.([]float32); ok {
		return data, nil
	}
	return nil, fmt.Errorf("a tensor of %T where []float32 is needed", t.Data)
}

// elementType describes an ONNX element type.
type elementType struct {
	code   C.int
	make   func(n int) any
	layout func(data any) (first unsafe.Pointer, n, size int, ok bool)
}

func typeOf[T any](code C.int) elementType {
	return elementType{
		code: code,
		make: func(n int) any { return make([]T, n) },
		layout: func(data any) (unsafe.Pointer, int, int, bool) {
			s, ok := data.([]T)
			var zero T
			return unsafe.Pointer(unsafe.SliceData(s)), len(s), int(unsafe.Sizeof(zero)), ok
		},
	}
}

// elementTypes are those that graphs exchange, by their ONNXTensorElementDataType.
var elementTypes = [...]elementType{
	typeOf[float32](1), typeOf[uint8](2), typeOf[int32](6), typeOf[int64](7), typeOf[bool](9), typeOf[float64](11),
}

// values hands tensors to the library: their memory is pinned, not copied, until release.
type values struct {
	library *Library
	handles []unsafe.Pointer
	pinner  runtime.Pinner
}

func (v *values) add(name string, t Tensor) error {
	for _, e := range elementTypes {
		first, n, size, ok := e.layout(t.Data)
		if !ok {
			continue
		}
		want := int64(1)
		for _, d := range t.Shape {
			want *= d
		}
		if want != int64(n) {
			return fmt.Errorf("tensor %s: %d elements for shape %v", name, n, t.Shape)
		}
		if n > 0 {
			v.pinner.Pin(first)
		}
		var handle unsafe.Pointer
		shape := (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(t.Shape)))
		err := v.library.check("making tensor "+name, C.CreateTensorWithDataAsOrtValue(v.library.core, v.library.memory,
			first, C.size_t(n*size), shape, C.size_t(len(t.Shape)), e.code, &handle))
		if err == nil {
			v.handles = append(v.handles, handle)
		}
		return err
	}
	return fmt.Errorf("tensor %s: elements of %T, which no graph here takes", name, t.Data)
}

func (v *values) release() {
	for _, h := range v.handles {
		if h != nil {
			C.ReleaseValue(v.library.core, h)
		}
	}
	v.handles = v.handles[:0]
	v.pinner.Unpin()
}

// read copies a value of the library into Go memory.
func (l *Library) read(name string, value unsafe.Pointer) (Tensor, error) {
	var info, data unsafe.Pointer
	if err := l.check("describing tensor "+name, C.GetTensorTypeAndShape(l.core, value, &info)); err != nil {
		return Tensor{}, err
	}
	defer C.ReleaseTensorTypeAndShapeInfo(l.core, info)
	kind, shape, n, err := l.describe(name, info)
	if err != nil {
		return Tensor{}, err
	}
	if err := l.check("reading tensor "+name, C.GetTensorMutableData(l.core, value, &data)); err != nil {
		return Tensor{}, err
	}
	out := kind.make(n)
	first, _, size, _ := kind.layout(out)
	copy(unsafe.Slice((*byte)(first), n*size), unsafe.Slice((*byte)(data), n*size))
	return Tensor{Shape: shape, Data: out}, nil
}

// describe reads an OrtTensorTypeAndShapeInfo: element type, shape and number of elements.
func (l *Library) describe(name string, info unsafe.Pointer) (kind elementType, shape []int64, n int, err error) {
	var code C.int
	var rank C.size_t
	if err := firstError(
		l.check("reading the type of "+name, C.GetTensorElementType(l.core, info, &code)),
		l.check("reading the rank of "+name, C.GetDimensionsCount(l.core, info, &rank)),
	); err != nil {
		return kind, nil, 0, err
	}
	shape = make([]int64, rank)
	if err := l.check("reading the shape of "+name, C.GetDimensions(l.core, info, (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(shape))), rank)); err != nil {
		return kind, nil, 0, err
	}
	n = 1
	for _, d := range shape {
		n *= int(d)
	}
	for _, kind = range elementTypes {
		if kind.code == code {
			return kind, shape, n, nil
		}
	}
	return kind, nil, 0, fmt.Errorf("tensor %s has element type %d, which nothing here reads", name, code)
}
