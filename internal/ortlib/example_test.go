package ortlib_test

import (
	"errors"
	"fmt"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

func Example() {
	_, err := ortlib.Find("/nowhere/libonnxruntime.so.1.32.0")
	fmt.Println(errors.Is(err, ortlib.ErrNotFound))

	v, _ := ortlib.FileVersion("/nowhere/libonnxruntime.so.1.19.2")
	fmt.Println(v, errors.Is(ortlib.Require("libonnxruntime.so.1.19.2", v, ortlib.MinStock), ortlib.ErrTooOld))
	// Output:
	// true
	// 1.19.2 true
}
