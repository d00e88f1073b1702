//go:build !unix

package capi

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

func load(string, string) (unsafe.Pointer, error) {
	return nil, fmt.Errorf("the training API on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func callBase(unsafe.Pointer) unsafe.Pointer { return nil }
