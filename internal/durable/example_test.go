package durable_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// A directory of one file appears whole, or not at all.
func Example() {
	root, err := os.MkdirTemp("", "durable")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	lock, err := durable.Acquire(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Release()
	fs := durable.OS{}
	err = durable.ReplaceDir(fs, filepath.Join(root, "poem"), func(temporary string) error {
		return durable.WriteFile(fs, filepath.Join(temporary, "line"), func(w io.Writer) error {
			_, err := io.WriteString(w, "whole or not at all")
			return err
		})
	})
	data, _ := os.ReadFile(filepath.Join(root, "poem", "line"))
	fmt.Println(string(data), err)
	// Output: whole or not at all <nil>
}
