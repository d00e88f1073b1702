package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrLocked is wrapped by the error about a directory that another process uses.
var ErrLocked = errors.New("in use by another process")

// LockFile is the name of the lock in a locked directory.
const LockFile = ".lock"

// Lock is a directory kept for this process.
//
// The lock is the operating system's, on an open file: it ends with the process, however that ends. What the file
// holds is for people. On a network file system without locks, or with locks that each host keeps to itself, two hosts
// do not see each other; there the file's content is all there is, and only a process of the same host is told from a
// dead one.
type Lock struct {
	file *os.File
	path string
	// Stale describes the process that held the lock before and ended without giving it up, or is "".
	Stale string
}

// owner is what the lock file holds.
type owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func (o owner) String() string {
	return fmt.Sprintf("process %d on %s, since %s", o.PID, o.Host, o.Since.Format(time.DateTime))
}

// Acquire locks dir for this process. An error wraps ErrLocked where another process has it.
func Acquire(dir string) (*Lock, error) {
	path := filepath.Join(dir, LockFile)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		l, err := acquire(f, path)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if l != nil {
			return l, nil
		}
		f.Close() // it was removed meanwhile by the process that held it
	}
}

// acquire locks an open lock file; nil means that the file is no longer the one at path.
func acquire(f *os.File, path string) (*Lock, error) {
	err := flock(f)
	before, known := readOwner(f)
	host, _ := os.Hostname()
	switch {
	case errors.Is(err, errHeld):
		return nil, fmt.Errorf("%w: %v", ErrLocked, before)
	case errors.Is(err, errors.ErrUnsupported):
		if known && before.Host == host && before.PID != os.Getpid() && alive(before.PID) || known && before.Host != host {
			return nil, fmt.Errorf("%w: %v; this file system has no locks: if that process is gone, remove %s", ErrLocked, before, path)
		}
	case err != nil:
		return nil, err
	}
	if !same(f, path) {
		return nil, nil
	}
	l := &Lock{file: f, path: path}
	if known {
		l.Stale = before.String()
	}
	data, err := json.Marshal(owner{os.Getpid(), host, time.Now()})
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	_, err = f.WriteAt(append(data, '\n'), 0)
	return l, err
}

// readOwner reads who wrote the lock file last.
func readOwner(f *os.File) (o owner, known bool) {
	data, err := io.ReadAll(io.LimitReader(f, 1<<12))
	return o, err == nil && json.Unmarshal(data, &o) == nil
}

func same(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// Release gives the directory up and removes the lock file. Releasing twice is harmless.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	err := os.Remove(l.path) // while it is locked: a process that has opened it sees that it is gone
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}
