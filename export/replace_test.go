package export

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// Both ways to swap leave each directory under the other's name.
func TestSwap(t *testing.T) {
	for name, swap := range map[string]func(string, string) error{"in one step or three": swap, "by renaming": swapByRenaming} {
		root := t.TempDir()
		a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
		for _, dir := range []string{a, b} {
			if err := os.MkdirAll(filepath.Join(dir, "was "+filepath.Base(dir)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := swap(a, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for dir, was := range map[string]string{a: "was b", b: "was a"} {
			if _, err := os.Stat(filepath.Join(dir, was)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if entries, _ := os.ReadDir(root); len(entries) != 2 {
			t.Errorf("%s: %v is left", name, entries)
		}
	}
}

// Where the new directory cannot take its place, the old one comes back.
func TestSwapByRenamingIsUndone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := swapByRenaming(dir+".new", dir); err == nil {
		t.Error("a directory that does not exist was swapped")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// Who looks while a directory is replaced again and again always finds a complete one.
func TestReplaceIsNeverSeenHalfway(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skipf("%s swaps directories in three steps", runtime.GOOS)
	}
	dir := filepath.Join(t.TempDir(), "model")
	fill := func(n int) func(string) error {
		return func(temporary string) error {
			return writeAll(temporary, []file{{ModelFile, writeBytes([]byte(strconv.Itoa(n)))}})
		}
	}
	if err := replace(dir, fill(0)); err != nil {
		t.Fatal(err)
	}
	if a, b := t.TempDir(), t.TempDir(); exchange(a, b) != nil {
		t.Skip("this file system cannot exchange directories in one step")
	}
	done := make(chan error)
	go func() {
		for n := range 50 {
			if err := replace(dir, fill(n)); err != nil {
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
			if _, err := os.ReadFile(filepath.Join(dir, ModelFile)); err != nil {
				t.Errorf("look %d: %v", looks, err)
				<-done
				return
			}
		}
	}
}
