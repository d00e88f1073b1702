package confine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// A model directory holds a link to a file of its reader's.
func Example() {
	dir, err := os.MkdirTemp("", "confine")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "vocab.txt")
	if err := os.Symlink("/etc/hosts", path); err != nil {
		fmt.Println(err)
	}
	_, err = confine.ReadFile(path)
	fmt.Println(errors.Is(err, confine.ErrRefused))
	// Output: true
}
