package faultfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// Op is one operation.
type Op struct {
	N    int    // number, from 0
	Name string // mkdir, create, append, write, truncate, sync, close, rename, exchange, remove, sync-dir or sync-file
	Path string // of the file or directory, a rename's new name
}

// FS is a durable.FS. The zero value passes everything on.
type FS struct {
	// Before is called before each operation, one at a time; the operation fails with what it returns.
	Before func(Op) error

	system durable.OS
	mu     sync.Mutex
	n      int
	files  []*file
}

// Count returns how many operations there have been.
func (f *FS) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// do asks the test and runs an operation.
func (f *FS) do(name, path string, run func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	op := Op{f.n, name, path}
	f.n++
	if f.Before != nil {
		if err := f.Before(op); err != nil {
			return &os.PathError{Op: name, Path: path, Err: err}
		}
	}
	return run()
}

// LosePower truncates every file to what was synced of it and a part, between 0 and 1, of the rest. It may be called
// from Before.
func (f *FS) LosePower(part float64) {
	for _, w := range f.files {
		if w.synced < w.size {
			os.Truncate(w.path, w.synced+int64(part*float64(w.size-w.synced)))
		}
	}
}

// Mkdir makes a directory.
func (f *FS) Mkdir(path string) error {
	return f.do("mkdir", path, func() error { return f.system.Mkdir(path) })
}

// Create makes a file.
func (f *FS) Create(path string) (durable.File, error) {
	return f.open("create", path, f.system.Create)
}

// Append opens a file to append to.
func (f *FS) Append(path string) (durable.File, error) {
	return f.open("append", path, f.system.Append)
}

func (f *FS) open(name, path string, open func(string) (durable.File, error)) (durable.File, error) {
	w := &file{fs: f, path: path}
	err := f.do(name, path, func() (err error) {
		if w.under, err = open(path); err != nil {
			return err
		}
		if info, err := os.Stat(path); err == nil {
			w.size, w.synced = info.Size(), info.Size()
		}
		f.files = append(f.files, w)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Rename renames.
func (f *FS) Rename(from, to string) error {
	return f.do("rename", to, func() error {
		err := f.system.Rename(from, to)
		if err == nil {
			f.moved(from, to)
		}
		return err
	})
}

// Exchange swaps two directories.
func (f *FS) Exchange(a, b string) error {
	return f.do("exchange", b, func() error {
		err := f.system.Exchange(a, b)
		if err == nil {
			f.moved(a, b)
		}
		return err
	})
}

// moved keeps track of files below a directory that is renamed.
func (f *FS) moved(from, to string) {
	for _, w := range f.files {
		if rest, ok := strings.CutPrefix(w.path, from); ok && (rest == "" || rest[0] == filepath.Separator) {
			w.path = to + rest
		}
	}
}

// Remove removes a file or directory.
func (f *FS) Remove(path string) error {
	return f.do("remove", path, func() error { return f.system.Remove(path) })
}

// SyncDir does nothing to a directory that is there.
func (f *FS) SyncDir(path string) error {
	return f.do("sync-dir", path, func() error { _, err := os.Stat(path); return err })
}

// SyncFile does nothing to a file that is there.
func (f *FS) SyncFile(path string) error {
	return f.do("sync-file", path, func() error { _, err := os.Stat(path); return err })
}

// file is an open file.
type file struct {
	fs           *FS
	path         string
	under        durable.File
	size, synced int64
}

// Write writes data in two halves.
func (w *file) Write(data []byte) (int, error) {
	done := 0
	for _, half := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		err := w.fs.do("write", w.path, func() error {
			n, err := w.under.Write(half)
			done += n
			w.size += int64(n)
			return err
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Truncate cuts the file.
func (w *file) Truncate(size int64) error {
	return w.fs.do("truncate", w.path, func() error {
		w.size, w.synced = size, min(size, w.synced)
		return w.under.Truncate(size)
	})
}

// Sync makes the file survive LosePower.
func (w *file) Sync() error {
	return w.fs.do("sync", w.path, func() error {
		w.synced = w.size
		return nil
	})
}

// Close closes the file; where the test lets that fail, it is closed all the same.
func (w *file) Close() error {
	closed := false
	err := w.fs.do("close", w.path, func() error {
		closed = true
		if w.synced == w.size { // it has nothing left to lose
			w.fs.files = slices.DeleteFunc(w.fs.files, func(f *file) bool { return f == w })
		}
		return w.under.Close()
	})
	if !closed {
		w.under.Close()
	}
	return err
}
