package durable_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/faultfs"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// fill makes a directory of two files.
func fill(fs durable.FS, content string) func(string) error {
	return func(dir string) error {
		return errors.Join(durable.WriteFile(fs, filepath.Join(dir, "a"), text(content)), durable.WriteFile(fs, filepath.Join(dir, "b"), text(content)))
	}
}

// contents maps the visible files below dir to what they hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// noExchange fails to exchange, as many file systems do.
func noExchange(op faultfs.Op) error {
	if op.Name == "exchange" {
		return syscall.EINVAL
	}
	return nil
}

// Whichever operation fails, a reader finds the old files or the new ones, nothing is left over, and where the old ones
// are found there is an error. That holds with and without an exchange in one step.
func TestReplaceFailsWhole(t *testing.T) {
	for name, before := range map[string]func(faultfs.Op) error{"exchange": func(faultfs.Op) error { return nil }, "no exchange": noExchange} {
		for n := 0; ; n++ {
			dir := t.TempDir()
			first := errors.Join(durable.ReplaceDir(durable.OS{}, filepath.Join(dir, "d"), fill(durable.OS{}, "old")),
				durable.ReplaceFile(durable.OS{}, filepath.Join(dir, "f"), text("old")))
			if first != nil {
				t.Fatal(first)
			}
			fs := &faultfs.FS{Before: func(op faultfs.Op) error {
				if op.N == n {
					return syscall.ENOSPC
				}
				return before(op)
			}}
			errDir := durable.ReplaceDir(fs, filepath.Join(dir, "d"), fill(fs, "new"))
			errFile := durable.ReplaceFile(fs, filepath.Join(dir, "f"), text("new"))
			if _, err := durable.Sweep(durable.OS{}, dir); err != nil {
				t.Fatal(err)
			}
			got := contents(t, dir)
			if len(got) != 3 || got["d/a"] != got["d/b"] || got["d/a"] != "new" && !errors.Is(errDir, syscall.ENOSPC) || got["f"] != "new" && !errors.Is(errFile, syscall.ENOSPC) {
				t.Errorf("%s, operation %d failed: %v; errors %v, %v", name, n, got, errDir, errFile)
			}
			if n > fs.Count() {
				if errDir != nil || errFile != nil {
					t.Errorf("%s: errors %v, %v", name, errDir, errFile)
				}
				break
			}
		}
	}
}

// Whichever operation a crash comes before, sweeping leaves the old files or the new ones, each whole.
func TestCrashLeavesOldOrNew(t *testing.T) {
	type crash struct{}
	for name, before := range map[string]func(faultfs.Op) error{"exchange": func(faultfs.Op) error { return nil }, "no exchange": noExchange} {
		displaced := false
		for n, crashed := 0, true; crashed; n++ {
			dir := t.TempDir()
			if err := durable.ReplaceDir(durable.OS{}, filepath.Join(dir, "d"), fill(durable.OS{}, "old")); err != nil {
				t.Fatal(err)
			}
			var fs *faultfs.FS
			fs = &faultfs.FS{Before: func(op faultfs.Op) error {
				if op.N == n {
					fs.LosePower(0.5)
					panic(crash{})
				}
				return before(op)
			}}
			func() {
				defer func() { _, crashed = recover().(crash) }()
				durable.ReplaceDir(fs, filepath.Join(dir, "d"), fill(fs, "a new one"))
			}()
			found, err := durable.Sweep(durable.OS{}, dir)
			if err != nil {
				t.Fatal(err)
			}
			displaced = displaced || slices.Contains(found, ".old-d")
			got := contents(t, dir)
			if len(got) != 2 || got["d/a"] != got["d/b"] || got["d/a"] != "old" && got["d/a"] != "a new one" {
				t.Errorf("%s, crash before operation %d: %v", name, n, got)
			}
		}
		if displaced != (name == "no exchange") {
			t.Errorf("%s: a displaced directory was found: %v", name, displaced)
		}
	}
}

// Sweep touches temporary names only, and a directory that is not there has none.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"keep", ".hidden", ".tmp-x", ".old-keep"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := durable.Sweep(durable.OS{}, dir)
	if got := contents(t, dir); err != nil || !slices.Equal(found, []string{".old-keep", ".tmp-x"}) || len(got) != 2 || got["keep"] != "keep" {
		t.Errorf("found %v, left %v, %v", found, got, err)
	}
	if found, err := durable.Sweep(durable.OS{}, filepath.Join(dir, "none")); err != nil || found != nil {
		t.Errorf("no directory: %v, %v", found, err)
	}
}

// Who looks while a directory is replaced again and again always finds a complete one.
func TestReplaceIsNeverSeenHalfway(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skipf("%s swaps directories in three steps", runtime.GOOS)
	}
	if err := (durable.OS{}).Exchange(t.TempDir(), t.TempDir()); err != nil {
		t.Skip("this file system cannot exchange directories in one step:", err)
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := durable.ReplaceDir(durable.OS{}, dir, fill(durable.OS{}, "0")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		for n := range 50 {
			if err := durable.ReplaceDir(durable.OS{}, dir, fill(durable.OS{}, strconv.Itoa(n))); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for looks := 0; ; looks++ {
		select {
		case err := <-done:
			if err != nil || looks == 0 {
				t.Errorf("%d looks, %v", looks, err)
			}
			return
		default:
			if _, err := os.ReadFile(filepath.Join(dir, "a")); err != nil {
				t.Errorf("look %d: %v", looks, err)
				<-done
				return
			}
		}
	}
}

func TestAdvice(t *testing.T) {
	for cause, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "free some space", syscall.EDQUOT: "free some space", syscall.EFBIG: "ulimit", syscall.EROFS: "may write", syscall.EACCES: "may write",
		syscall.ENOENT: "create it", syscall.EIO: "",
	} {
		err := fmt.Errorf("writing: %w", &os.PathError{Op: "write", Path: "x", Err: cause})
		if got := durable.Advice(err); !strings.Contains(got, want) || (got == "") != (want == "") || !durable.FromSystem(err) {
			t.Errorf("%v: %q, of the system: %v", cause, got, durable.FromSystem(err))
		}
	}
	if durable.FromSystem(io.ErrUnexpectedEOF) {
		t.Error("an end of file is taken for an error of the system")
	}
}
