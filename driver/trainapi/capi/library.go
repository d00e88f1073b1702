package capi

/*
#include <stdlib.h>
#include "api.h"

static table getApi(const base *b, uint32_t version) { return b->GetApi(version); }
static const char *getVersion(const base *b) { return b->GetVersionString(); }
static char *nameAt(char **names, int i) { return names[i]; }
*/
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// ErrLibrary is wrapped by every error about the library itself.
var ErrLibrary = errors.New("ONNX Runtime training library")

// ErrNoTraining marks an ONNX Runtime that was built without the training API; it comes with ErrLibrary.
var ErrNoTraining = errors.New("it was built without the training API; run make setup-training, or name a training build with --ort-library")

// apiVersion is the version of the API whose slots api.h has.
const apiVersion = 19

// Library is a loaded ONNX Runtime with the training API.
type Library struct {
	Path    string // file that was loaded
	Version string // as the library reports it

	core, training                 C.table
	environment, allocator, memory unsafe.Pointer
}

// Open loads the library at path. Close it when done; the file itself stays loaded until the process ends, as the
// threads of a C++ library may outlive its last use.
func Open(path string) (*Library, error) {
	l, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: loading %s: %w", ErrLibrary, path, err)
	}
	return l, nil
}

func open(path string) (*Library, error) {
	symbol, err := load(path, "OrtGetApiBase")
	if err != nil {
		return nil, err
	}
	base := (*C.base)(callBase(symbol))
	if base == nil {
		return nil, errors.New("OrtGetApiBase gives nothing: the bridge and its module do not belong together; run make setup-training again")
	}
	l := &Library{Path: path, Version: C.GoString(C.getVersion(base))}
	version, err := ortlib.ParseVersion(l.Version)
	if err != nil {
		return nil, err
	}
	if err := ortlib.Require(path, version, ortlib.MinTraining); err != nil {
		return nil, err
	}
	if l.core = C.getApi(base, apiVersion); l.core == nil {
		return nil, fmt.Errorf("version %s does not offer version %d of its API", l.Version, apiVersion)
	}
	if l.training = C.GetTrainingApi(l.core, apiVersion); l.training == nil {
		return nil, ErrNoTraining
	}
	id := C.CString("r3f-ort")
	defer C.free(unsafe.Pointer(id))
	const fatal, deviceAllocator, defaultMemory = 4, 0, 0
	if err := firstError(
		l.check("creating the environment", C.CreateEnv(l.core, fatal, id, &l.environment)),
		l.check("asking for an allocator", C.GetAllocatorWithDefaultOptions(l.core, &l.allocator)),
		l.check("describing memory", C.CreateCpuMemoryInfo(l.core, deviceAllocator, defaultMemory, &l.memory)),
	); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close releases the library's environment. Closing twice is harmless.
func (l *Library) Close() error {
	if l.memory != nil {
		C.ReleaseMemoryInfo(l.core, l.memory)
	}
	if l.environment != nil {
		C.ReleaseEnv(l.core, l.environment)
	}
	l.memory, l.environment = nil, nil
	return nil
}

// Providers lists the execution providers that the library was built with, as "CPUExecutionProvider".
func (l *Library) Providers() ([]string, error) {
	var names **C.char
	var n C.int
	if err := l.check("asking for the execution providers", C.GetAvailableProviders(l.core, &names, &n)); err != nil {
		return nil, err
	}
	var out []string
	for i := range n {
		out = append(out, C.GoString(C.nameAt(names, i)))
	}
	return out, l.check("releasing the execution providers", C.ReleaseAvailableProviders(l.core, names, n))
}

// Has reports whether the library was built with a provider.
func (l *Library) Has(provider string) (bool, error) {
	names, err := l.Providers()
	return slices.Contains(names, provider), err
}

// SetSeed sets the seed of everything random that graphs of the library compute themselves, dropout above all, for
// the whole process. What they draw next depends on the seed alone.
func (l *Library) SetSeed(seed int64) error {
	return l.check("setting the seed", C.SetSeed(l.training, C.int64_t(seed)))
}

// Error is what ONNX Runtime answered to a call.
type Error struct {
	Doing   string // what was being done
	Code    int    // OrtErrorCode
	Message string
}

// Error says what was being done and what went wrong.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (ONNX Runtime error %d)", e.Doing, e.Message, e.Code)
}

// check turns a status into an error and releases it.
func (l *Library) check(doing string, s C.status) error {
	if s == nil {
		return nil
	}
	defer C.ReleaseStatus(l.core, s)
	return &Error{Doing: doing, Code: int(C.GetErrorCode(l.core, s)), Message: C.GoString(C.GetErrorMessage(l.core, s))}
}

// take copies a string that the library allocated, and frees it.
func (l *Library) take(s *C.char) (string, error) {
	out := C.GoString(s)
	return out, l.check("freeing a string", C.AllocatorFree(l.core, l.allocator, unsafe.Pointer(s)))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
