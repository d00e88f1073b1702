package confine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrRefused is wrapped by errors about files that are not read because of what or where they are.
var ErrRefused = errors.New("refused")

// MaxText is the size up to which ReadFile reads: several times the largest tokenizer known.
const MaxText = 256 << 20

// Check reports why the file at path must not be read: it is no regular file, or it is a symbolic link that leads out of
// its directory.
func Check(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		if err := inside(path); err != nil {
			return err
		}
		if info, err = os.Stat(path); err != nil {
			return err
		}
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is %w: it is no regular file", path, ErrRefused)
	}
	return nil
}

// inside follows the link at path.
func inside(path string) error {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if target, err = filepath.Abs(target); err != nil {
		return err
	}
	allowed := []string{dir}
	if snapshots := filepath.Dir(dir); filepath.Base(snapshots) == "snapshots" {
		allowed = append(allowed, filepath.Join(filepath.Dir(snapshots), "blobs"))
	}
	for _, root := range allowed {
		if strings.HasPrefix(target, root+string(filepath.Separator)) {
			return nil
		}
	}
	return fmt.Errorf("%s is %w: it is a symbolic link out of its directory, to %s; put the file itself in its place", path, ErrRefused, target)
}

// ReadFile reads a file that passes Check and has at most MaxText bytes.
func ReadFile(path string) ([]byte, error) { return readFile(path, MaxText) }

func readFile(path string, limit int64) ([]byte, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is %w: it has %d bytes, more than %d", path, ErrRefused, info.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
