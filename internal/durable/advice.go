package durable

import (
	"errors"
	"io/fs"
	"syscall"
)

// FromSystem reports whether err came from the operating system: a full disk, a directory that vanished, a file that
// may not be written.
func FromSystem(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// Advice says what a person can do about a failed write: a clause to follow the error, or "".
func Advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "; free some space or choose another directory"
	case errors.Is(err, syscall.EFBIG):
		return "; raise the file size limit (ulimit -f) or choose another file system"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "; choose a directory that you may write"
	case errors.Is(err, fs.ErrNotExist):
		return "; the directory is not there: create it or choose another"
	}
	return ""
}
