package faultfs_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/faultfs"
)

// A file is replaced on a disk that is full from the fourth operation on: the old one stays.
func Example() {
	dir, err := os.MkdirTemp("", "faultfs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notes.txt")
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	full := &faultfs.FS{Before: func(op faultfs.Op) error {
		if op.Name == "write" && op.N > 1 {
			return syscall.ENOSPC
		}
		return nil
	}}
	if err := durable.ReplaceFile(durable.OS{}, path, write("old")); err != nil {
		fmt.Println(err)
	}
	err = durable.ReplaceFile(full, path, write("new"))
	fmt.Println(errors.Is(err, syscall.ENOSPC))
	content, _ := os.ReadFile(path)
	fmt.Println(string(content))
	entries, _ := os.ReadDir(dir)
	fmt.Println(len(entries), "file")
	// Output:
	// true
	// old
	// 1 file
}
