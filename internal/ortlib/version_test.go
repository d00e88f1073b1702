package ortlib

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]Version{"1.32.0": {1, 32, 0}, "1.9": {1, 9, 0}, "10.0.12": {10, 0, 12}} {
		if got, err := ParseVersion(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1", "1.", "1.2.3.4", "v1.2.3", "1.2.3-dev", "1.-2", "1.99999999999999999999"} {
		if got, err := ParseVersion(s); err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%q: got %v, %v; want an error that names it", s, got, err)
		}
	}
}

// Sorting agrees with the numbers, and a version reads back as it was written.
func TestVersionOrder(t *testing.T) {
	ascending := []Version{{0, 9, 9}, {1, 4, 0}, {1, 25, 0}, {1, 25, 1}, {1, 32, 0}, {2, 0, 0}}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.Compare(b); got > 0 != (i > j) || got < 0 != (i < j) {
				t.Errorf("%v against %v: %d", a, b, got)
			}
		}
		if back, err := ParseVersion(a.String()); err != nil || back != a {
			t.Errorf("%v reads back as %v, %v", a, back, err)
		}
	}
}

func TestFileVersion(t *testing.T) {
	dir := plant(t, "libonnxruntime.so.1.32.0", "plain/libonnxruntime.so")
	for link, target := range map[string]string{"libonnxruntime.so.1": "libonnxruntime.so.1.32.0", "libonnxruntime.so": "libonnxruntime.so.1"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	for path, want := range map[string]string{
		"libonnxruntime.so.1.32.0": "1.32.0", "libonnxruntime.so.1": "1.32.0", "libonnxruntime.so": "1.32.0",
		"plain/libonnxruntime.so": "", "absent/libonnxruntime.1.30.2.dylib": "1.30.2", "absent/onnxruntime.dll": "",
	} {
		v, ok := FileVersion(filepath.Join(dir, path))
		if ok != (want != "") || ok && v.String() != want {
			t.Errorf("%s: got %v, %v; want %q", path, v, ok, want)
		}
	}
}

func TestRequire(t *testing.T) {
	if err := Require("lib", MinStock, MinStock); err != nil {
		t.Errorf("the minimum itself: %v", err)
	}
	err := Require("/opt/lib.so", Version{1, 19, 2}, MinStock)
	var old *TooOldError
	if !errors.Is(err, ErrTooOld) || !errors.As(err, &old) || old.Have != (Version{1, 19, 2}) || old.Need != MinStock {
		t.Fatalf("got %v", err)
	}
	for _, s := range []string{"/opt/lib.so", "1.19.2", MinStock.String(), "make setup"} {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("message lacks %q: %v", s, err)
		}
	}
}

// What is accepted is three numbers that read back.
func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"1.32.0", "1.9", "1..0", "01.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVersion(s)
		if err != nil {
			return
		}
		if back, err := ParseVersion(v.String()); err != nil || back != v || v.Major < 0 || v.Minor < 0 || v.Patch < 0 {
			t.Errorf("%q gives %v, read back as %v, %v", s, v, back, err)
		}
	})
}
