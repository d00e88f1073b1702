package durable

import (
	"errors"
	"io"
	"os"
)

// FS is what durable writes go through. Its methods may be called from several goroutines.
type FS interface {
	Mkdir(path string) error          // makes a directory whose parent exists
	Create(path string) (File, error) // makes a file that does not exist yet
	Append(path string) (File, error) // opens a file to append to, making it where it is missing
	Rename(from, to string) error     // replaces a file at to, and no directory
	Exchange(a, b string) error       // swaps two directories in one step; not every file system can
	Remove(path string) error         // removes a file, or a directory with everything in it; nothing there is no error
	SyncDir(path string) error        // makes the names in a directory survive a crash
	SyncFile(path string) error       // makes the content of a file that others wrote survive a crash
}

// File is a file being written.
type File interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	Close() error
}

// OS is the FS of the operating system.
type OS struct{}

// Mkdir makes a directory.
func (OS) Mkdir(path string) error { return os.Mkdir(path, 0o755) }

// Create makes a file.
func (OS) Create(path string) (File, error) {
	return file(os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644))
}

// Append opens a file to append to.
func (OS) Append(path string) (File, error) {
	return file(os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644))
}

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rename renames a file or directory.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Exchange swaps two directories.
func (OS) Exchange(a, b string) error { return exchange(a, b) }

// Remove removes a file or a directory with everything in it.
func (OS) Remove(path string) error { return os.RemoveAll(path) }

// SyncDir syncs a directory.
func (OS) SyncDir(path string) error { return sync(path) }

// SyncFile syncs a file.
func (OS) SyncFile(path string) error { return sync(path) }

func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
