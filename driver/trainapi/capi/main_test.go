package capi

import (
	"os"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// openLibrary opens the training library, or skips the test.
func openLibrary(t testing.TB) *Library {
	t.Helper()
	path, err := ortlib.FindTraining(os.Getenv("R3F_ORT_TRAINING_LIBRARY"))
	if err != nil {
		t.Skipf("no training library: %v", err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
