//go:build linux || darwin

package safetensors

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A file size limit stands in for a full disk: the write fails half-way.
func TestWriteFileOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	if err := WriteFile(path, nil, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)

	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Skip("no file size limits here:", err)
	}
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 16, Max: old.Max}); err != nil {
		t.Skip("cannot set a file size limit:", err)
	}
	err := WriteFile(path, []Tensor{FromFloat32s("w", []int{1 << 16}, make([]float32, 1<<16))}, nil)
	if e := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "file size limit") {
		t.Errorf("got %v", err)
	}
	onlyFile(t, dir, "m.safetensors", before)
}
