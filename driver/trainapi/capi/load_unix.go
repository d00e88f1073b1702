//go:build unix

package capi

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

static const void *callBase(void *f) { return ((const void *(*)(void))f)(); }
*/
import "C"

import (
	"errors"
	"unsafe"
)

// load opens a library, its symbols kept to itself, and finds one of them.
func load(path, symbol string) (unsafe.Pointer, error) {
	p, s := C.CString(path), C.CString(symbol)
	defer C.free(unsafe.Pointer(p))
	defer C.free(unsafe.Pointer(s))
	library := C.dlopen(p, C.RTLD_NOW|C.RTLD_LOCAL)
	if library == nil {
		return nil, errors.New(C.GoString(C.dlerror()))
	}
	found := C.dlsym(library, s)
	if found == nil {
		return nil, errors.New("it is no ONNX Runtime library: " + C.GoString(C.dlerror()))
	}
	return found, nil
}

func callBase(f unsafe.Pointer) unsafe.Pointer { return unsafe.Pointer(C.callBase(f)) }
