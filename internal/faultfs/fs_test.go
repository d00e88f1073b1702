package faultfs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// Every operation is numbered and can fail; a failed one is not done.
func TestEveryOperationIsAsked(t *testing.T) {
	var seen []string
	f := &FS{Before: func(op Op) error {
		if op.N != len(seen) {
			t.Errorf("operation %d is number %d", len(seen), op.N)
		}
		seen = append(seen, op.Name)
		return nil
	}}
	dir := filepath.Join(t.TempDir(), "dir")
	build := func(fs durable.FS) error {
		for range 2 { // the second replaces the first
			err := durable.ReplaceDir(fs, dir, func(temporary string) error {
				return durable.WriteFile(fs, filepath.Join(temporary, "a"), func(w io.Writer) error { _, err := w.Write([]byte("1234")); return err })
			})
			if err != nil {
				return err
			}
		}
		w, err := fs.Append(filepath.Join(dir, "a"))
		if err != nil {
			return err
		}
		for _, err := range []error{w.Truncate(2), fs.SyncFile(dir), w.Close()} {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := build(f); err != nil {
		t.Fatal(err)
	}
	want := []string{"mkdir", "create", "write", "write", "sync", "close", "sync-dir", "rename", "sync-dir"}
	if !slices.Equal(seen[:len(want)], want) || f.Count() != len(seen) {
		t.Errorf("operations %v", seen)
	}
	for _, name := range []string{"exchange", "remove", "append", "truncate", "sync-file"} {
		if !slices.Contains(seen, name) {
			t.Errorf("no %s among %v", name, seen)
		}
	}
	for n := range seen {
		os.RemoveAll(dir)
		broken := &FS{Before: func(op Op) error {
			if op.N == n {
				return fmt.Errorf("no %d", n)
			}
			return nil
		}}
		if err := build(broken); err == nil && seen[n] != "exchange" { // for which there is a second way
			t.Errorf("operation %d, %s, failed and nobody said so", n, seen[n])
		}
	}
}

// What was synced survives the loss of power, a part of the rest too, wherever the file was moved.
func TestLosePower(t *testing.T) {
	for part, want := range map[float64]string{0: "safe", 0.5: "safe12", 1: "safe1234"} {
		dir := t.TempDir()
		f := &FS{}
		w, err := f.Create(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "safe")
		w.Sync()
		io.WriteString(w, "1234")
		if err := f.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
			t.Fatal(err)
		}
		w.Close()
		f.LosePower(part)
		if got, _ := os.ReadFile(filepath.Join(dir, "b")); string(got) != want {
			t.Errorf("with %v of the rest: %q, want %q", part, got, want)
		}
	}
}
