//go:build !unix

package durable

import (
	"errors"
	"os"
)

// errHeld says that another process has the lock.
var errHeld = errors.New("locked")

// flock locks an open file; this system has no such locks.
func flock(*os.File) error { return errors.ErrUnsupported }

// alive reports whether a process of this host runs.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err == nil {
		p.Release()
	}
	return err == nil
}
