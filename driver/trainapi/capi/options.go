package capi

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// ErrProvider is wrapped by errors about a provider that the library or the machine lacks.
var ErrProvider = errors.New("execution provider")

// SessionOptions configure a session. The zero value computes on all processors.
type SessionOptions struct {
	Threads int  // 0: as many as there are cores
	CUDA    bool // compute on the first CUDA device
}

// options makes session options; release them.
func (l *Library) options(o SessionOptions) (unsafe.Pointer, error) {
	var out unsafe.Pointer
	if err := l.check("creating session options", C.CreateSessionOptions(l.core, &out)); err != nil {
		return nil, err
	}
	const all = 99
	err := firstError(
		l.check("setting the optimisation level", C.SetSessionGraphOptimizationLevel(l.core, out, all)),
		l.check("setting the threads", C.SetIntraOpNumThreads(l.core, out, C.int(o.Threads))),
		l.check("setting the threads", C.SetInterOpNumThreads(l.core, out, 1)),
		// Patterns keep one plan for each shape, and shapes change with every batch.
		l.check("switching memory patterns off", C.DisableMemPattern(l.core, out)),
		// Leave the processors to Go between runs.
		l.configure(out, "session.force_spinning_stop", "1"),
	)
	if err == nil && o.CUDA {
		err = l.useCUDA(out)
	}
	if err != nil {
		C.ReleaseSessionOptions(l.core, out)
		return nil, err
	}
	return out, nil
}

func (l *Library) configure(options unsafe.Pointer, key, value string) error {
	k, v := C.CString(key), C.CString(value)
	defer C.free(unsafe.Pointer(k))
	defer C.free(unsafe.Pointer(v))
	return l.check("setting "+key, C.AddSessionConfigEntry(l.core, options, k, v))
}

// useCUDA puts the CUDA provider before that of the processor.
func (l *Library) useCUDA(options unsafe.Pointer) error {
	const provider = "CUDAExecutionProvider"
	names, err := l.Providers()
	if err != nil {
		return err
	}
	if built, err := l.Has(provider); err != nil || !built {
		return errors.Join(err, fmt.Errorf("%w %s: %s was built with %s only; name a CUDA build of onnxruntime-training with --ort-library, or leave --provider away",
			ErrProvider, provider, l.Path, strings.Join(names, ", ")))
	}
	var cuda unsafe.Pointer
	if err = l.check("creating the provider's options", C.CreateCUDAProviderOptions(l.core, &cuda)); err == nil {
		defer C.ReleaseCUDAProviderOptions(l.core, cuda)
		err = l.check("adding the provider", C.SessionOptionsAppendExecutionProvider_CUDA_V2(l.core, options, cuda))
	}
	if err != nil {
		return fmt.Errorf("%w %s: %w; it needs a CUDA device, its driver, and the CUDA and cuDNN libraries that %s was built for", ErrProvider, provider, err, l.Path)
	}
	return nil
}
