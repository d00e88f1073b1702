package capi

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"
)

// Checkpoint is the state of a training: parameters, gradients, the optimiser's moments and step, and properties.
// A session trains it in place; close it after the session.
type Checkpoint struct {
	library *Library
	handle  unsafe.Pointer
}

// LoadCheckpoint reads a checkpoint file.
func (l *Library) LoadCheckpoint(path string) (*Checkpoint, error) {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	c := &Checkpoint{library: l}
	if err := l.check("loading checkpoint "+path, C.LoadCheckpoint(l.training, p, &c.handle)); err != nil {
		return nil, err
	}
	return c, nil
}

// LoadCheckpointBytes reads the content of a checkpoint file.
func (l *Library) LoadCheckpointBytes(data []byte) (*Checkpoint, error) {
	c := &Checkpoint{library: l}
	if err := l.check("loading a checkpoint", C.LoadCheckpointFromBuffer(l.training, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)), &c.handle)); err != nil {
		return nil, err
	}
	return c, nil
}

// Save writes the checkpoint to a file, with the optimiser's moments and step where optimizer is set.
func (c *Checkpoint) Save(path string, optimizer bool) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	return c.library.check("saving checkpoint "+path, C.SaveCheckpoint(c.library.training, c.handle, p, C.bool(optimizer)))
}

// Close releases the checkpoint. Closing twice is harmless.
func (c *Checkpoint) Close() error {
	if c.handle != nil {
		C.ReleaseCheckpointState(c.library.training, c.handle)
		c.handle = nil
	}
	return nil
}

// Parameter returns one parameter's values. A session must have been created on the checkpoint.
func (c *Checkpoint) Parameter(name string) (Tensor, error) {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	var value unsafe.Pointer
	if err := c.library.check("reading parameter "+name, C.GetParameter(c.library.training, c.handle, n, c.library.allocator, &value)); err != nil {
		return Tensor{}, err
	}
	defer C.ReleaseValue(c.library.core, value)
	return c.library.read(name, value)
}

// ParameterShape returns one parameter's shape.
func (c *Checkpoint) ParameterShape(name string) ([]int64, error) {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	var info unsafe.Pointer
	if err := c.library.check("describing parameter "+name, C.GetParameterTypeAndShape(c.library.training, c.handle, n, &info)); err != nil {
		return nil, err
	}
	defer C.ReleaseTensorTypeAndShapeInfo(c.library.core, info)
	_, shape, _, err := c.library.describe(name, info)
	return shape, err
}

// UpdateParameter replaces one parameter's values. A session must have been created on the checkpoint.
func (c *Checkpoint) UpdateParameter(name string, t Tensor) error {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	v := values{library: c.library}
	defer v.release()
	if err := v.add(name, t); err != nil {
		return err
	}
	return c.library.check("writing parameter "+name, C.UpdateParameter(c.library.training, c.handle, n, v.handles[0]))
}

// The kinds of properties.
const (
	intProperty = iota
	floatProperty
	stringProperty
)

// SetProperty adds or replaces a property, which a saved checkpoint keeps: an int64, float32 or string.
func (c *Checkpoint) SetProperty(name string, value any) error {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	set := func(kind C.int, p unsafe.Pointer) error {
		return c.library.check("setting property "+name, C.AddProperty(c.library.training, c.handle, n, kind, p))
	}
	switch v := value.(type) {
	case int64:
		return set(intProperty, unsafe.Pointer(&v))
	case float32:
		return set(floatProperty, unsafe.Pointer(&v))
	case string:
		s := C.CString(v)
		defer C.free(unsafe.Pointer(s))
		return set(stringProperty, unsafe.Pointer(s))
	}
	return fmt.Errorf("setting property %s to a %T; give an int64, a float32 or a string", name, value)
}

// Property returns a property: an int64, float32 or string.
func (c *Checkpoint) Property(name string) (any, error) {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	var kind C.int
	var value unsafe.Pointer
	l := c.library
	if err := l.check("reading property "+name, C.GetProperty(l.training, c.handle, n, l.allocator, &kind, &value)); err != nil {
		return nil, err
	}
	if kind == stringProperty {
		return l.take((*C.char)(value))
	}
	var out any
	switch kind {
	case intProperty:
		out = *(*int64)(value)
	case floatProperty:
		out = math.Float32frombits(*(*uint32)(value))
	default:
		out = nil
	}
	if err := l.check("freeing property "+name, C.AllocatorFree(l.core, l.allocator, value)); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, fmt.Errorf("property %s is of kind %d, which nothing here reads", name, kind)
	}
	return out, nil
}
