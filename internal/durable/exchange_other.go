//go:build !linux && !darwin

package durable

import "errors"

// exchange swaps two directories in one step; this system cannot.
func exchange(_, _ string) error { return errors.ErrUnsupported }
