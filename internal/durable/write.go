package durable

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What the names of temporary and of displaced files and directories begin with.
const (
	temporaryPrefix = ".tmp-"
	displacedPrefix = ".old-"
)

// Temporary returns a new name under which to make what will be at path: beside it, and no other process's.
func Temporary(path string) string { return beside(temporaryPrefix, path) + "-" + rand.Text()[:8] }

func beside(prefix, path string) string {
	return filepath.Join(filepath.Dir(path), prefix+filepath.Base(path))
}

// WriteFile makes a new file and syncs it.
func WriteFile(fs FS, path string, write func(io.Writer) error) error {
	f, err := fs.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReplaceFile puts a file at path: a reader, and a crash, see the old file or the new one.
func ReplaceFile(fs FS, path string, write func(io.Writer) error) error {
	temporary := Temporary(path)
	err := WriteFile(fs, temporary, write)
	if err == nil {
		err = fs.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, fs.Remove(temporary))
	}
	return fs.SyncDir(filepath.Dir(path))
}

// ReplaceDir lets fill build a directory under a temporary name and puts it at path; whatever is there is removed
// afterwards. On an error path is as it was before. The files that fill writes must be synced by it.
func ReplaceDir(fs FS, path string, fill func(temporary string) error) error {
	path = filepath.Clean(path)
	temporary := Temporary(path)
	if err := fs.Mkdir(temporary); err != nil {
		return err
	}
	err := fill(temporary)
	if err == nil {
		err = Commit(fs, temporary, path)
	}
	if err != nil {
		return errors.Join(err, fs.Remove(temporary))
	}
	return nil
}

// Commit syncs a directory made under a temporary name and puts it at path, then removes what was there.
func Commit(fs FS, temporary, path string) error {
	if err := fs.SyncDir(temporary); err != nil {
		return err
	}
	parent := filepath.Dir(path)
	if _, err := os.Lstat(path); err != nil {
		if err := fs.Rename(temporary, path); err != nil {
			return err
		}
		return fs.SyncDir(parent)
	}
	old := temporary
	if fs.Exchange(temporary, path) != nil {
		old = beside(displacedPrefix, path)
		if err := displace(fs, temporary, path, old); err != nil {
			return err
		}
	}
	if err := fs.SyncDir(parent); err != nil {
		return err
	}
	return fs.Remove(old)
}

// displace renames path to old and temporary to path. A crash in between is made good by Sweep.
func displace(fs FS, temporary, path, old string) error {
	if err := errors.Join(fs.Remove(old), fs.Rename(path, old)); err != nil {
		return err
	}
	if err := fs.Rename(temporary, path); err != nil {
		return errors.Join(err, fs.Rename(old, path))
	}
	return nil
}

// Sweep removes what a crash left in dir under temporary names, and puts back what was displaced and not replaced. It
// returns the names it found. No other process may be writing in dir.
func Sweep(fsys FS, dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dir, name)
		final, displaced := strings.CutPrefix(name, displacedPrefix)
		switch {
		case displaced && missing(filepath.Join(dir, final)):
			err = fsys.Rename(path, filepath.Join(dir, final))
		case displaced || strings.HasPrefix(name, temporaryPrefix):
			err = fsys.Remove(path)
		default:
			continue
		}
		if err != nil {
			return found, err
		}
		found = append(found, name)
	}
	return found, nil
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
