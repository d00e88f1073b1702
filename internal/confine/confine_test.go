package confine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, path string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "secret"), "secret")
	model := filepath.Join(root, "models--x", "snapshots", "main")
	write(t, filepath.Join(model, "a"), "inside")
	write(t, filepath.Join(root, "models--x", "blobs", "1234"), "inside")
	write(t, filepath.Join(root, "models--xy", "blobs", "1234"), "secret")
	for name, c := range map[string]struct {
		path string
		want error // nil where it is read
	}{
		"a file":                          {filepath.Join(model, "a"), nil},
		"nothing":                         {filepath.Join(model, "none"), fs.ErrNotExist},
		"a directory":                     {model, ErrRefused},
		"a link beside":                   {symlink(t, "a", filepath.Join(model, "b")), nil},
		"a link to a link":                {symlink(t, "b", filepath.Join(model, "c")), nil},
		"a link into the blobs":           {symlink(t, "../../blobs/1234", filepath.Join(model, "d")), nil},
		"a link to a file elsewhere":      {symlink(t, "../../../secret", filepath.Join(model, "e")), ErrRefused},
		"a link by its full name":         {symlink(t, filepath.Join(root, "secret"), filepath.Join(model, "f")), ErrRefused},
		"a link to a link elsewhere":      {symlink(t, "e", filepath.Join(model, "g")), ErrRefused},
		"a link into another's blobs":     {symlink(t, "../../../models--xy/blobs/1234", filepath.Join(model, "h")), ErrRefused},
		"a link to nothing":               {symlink(t, "nowhere", filepath.Join(model, "i")), fs.ErrNotExist},
		"a link to a directory":           {symlink(t, ".", filepath.Join(model, "j")), ErrRefused},
		"a link to a device":              {symlink(t, "/dev/zero", filepath.Join(model, "k")), ErrRefused},
		"blobs where no snapshot is":      {symlink(t, "../blobs/1234", filepath.Join(root, "models--x", "other", "l")), ErrRefused},
		"through a link to its directory": {filepath.Join(symlink(t, model, filepath.Join(root, "link")), "d"), nil},
	} {
		data, err := ReadFile(c.path)
		if !errors.Is(err, c.want) || c.want == nil && string(data) != "inside" || c.want != nil && data != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	write(t, path, "12345")
	if data, err := readFile(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := readFile(path, 4); !errors.Is(err, ErrRefused) || data != nil {
		t.Errorf("%q, %v", data, err)
	}
	if err := os.Truncate(path, MaxText+1); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	if _, err := ReadFile(path); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}
