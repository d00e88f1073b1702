package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// file is one file to write.
type file struct {
	name  string
	write func(io.Writer) error
}

func writeBytes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// copyOf is a file of the same name and content.
func copyOf(path string) file {
	return file{filepath.Base(path), func(w io.Writer) error {
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	}}
}

// writeAll writes and syncs files and their directory.
func writeAll(dir string, files []file) error {
	for _, f := range files {
		out, err := os.OpenFile(filepath.Join(dir, f.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if err := errors.Join(f.write(out), out.Sync(), out.Close()); err != nil {
			return fmt.Errorf("writing %s: %w", f.name, err)
		}
	}
	return syncDir(dir)
}

// replace lets fill build a directory under a temporary name beside dir and puts it in dir's place. The old one, which
// must be empty or an export, is removed afterwards. On an error dir is as it was before and the temporary directory
// is gone.
func replace(dir string, fill func(temporary string) error) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	exists, err := occupied(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := errors.Join(os.Chmod(temporary, 0o755), fill(temporary)); err != nil {
		return err
	}
	if !exists {
		return errors.Join(os.Rename(temporary, dir), syncDir(parent))
	}
	return errors.Join(swap(temporary, dir), syncDir(parent))
}

// swap exchanges two directories: in one step where the system can, else in three, undone where one fails.
func swap(temporary, dir string) error {
	if exchange(temporary, dir) == nil {
		return nil
	}
	return swapByRenaming(temporary, dir)
}

func swapByRenaming(temporary, dir string) error {
	old := temporary + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.Rename(old, temporary)
}

// occupied reports whether dir exists, and fails where replacing it would destroy what is not an export.
func occupied(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name() == ModelFile {
			return true, nil
		}
	}
	if len(entries) > 0 {
		return false, fmt.Errorf("it holds files and no %s: it is no export, so it is not replaced; choose another directory", ModelFile)
	}
	return true, nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// advice says what a person can do about a failed write.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "; free some space or choose another directory"
	case errors.Is(err, syscall.EFBIG):
		return "; raise the file size limit (ulimit -f) or choose another file system"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "; choose a directory that you may write"
	}
	return ""
}
