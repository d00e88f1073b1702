package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/internal/durable"
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

// copiesOf are files of the same names and content.
func copiesOf(paths []string) []file {
	var out []file
	for _, path := range paths {
		out = append(out, file{filepath.Base(path), func(w io.Writer) error {
			in, err := os.Open(path)
			if err != nil {
				return err
			}
			defer in.Close()
			_, err = io.Copy(w, in)
			return err
		}})
	}
	return out
}

// writeAll writes and syncs files.
func writeAll(dir string, files []file) error {
	for _, f := range files {
		if err := durable.WriteFile(durable.OS{}, filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("writing %s: %w", f.name, err)
		}
	}
	return nil
}

// replace lets fill build a directory under a temporary name beside dir and puts it in dir's place. The old one, which
// must be empty or hold the file mark, is removed afterwards. On an error dir is as it was before and the temporary
// directory is gone.
func replace(dir, mark string, fill func(temporary string) error) error {
	dir = filepath.Clean(dir)
	if err := replaceable(dir, mark); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return durable.ReplaceDir(durable.OS{}, dir, fill)
}

// replaceable fails where replacing dir would destroy what is not an export with the file mark.
func replaceable(dir, mark string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == mark {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("it holds files and no %s: it is no such export, so it is not replaced; choose another directory", mark)
	}
	return nil
}
