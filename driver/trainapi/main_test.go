package trainapi

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// official is a directory of official artifacts with free axes and dropout in the training graph.
const official = "../../testdata/golden/training-api"

// open makes an engine on artifacts, or skips the test where there is no training library.
func open(t testing.TB, dir string) *Engine {
	t.Helper()
	e, err := New(dir, Options{Threads: 1})
	if errors.Is(err, ortlib.ErrNotFound) {
		t.Skipf("no training library: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// examples are n random texts of 3 to 20 tokens whose label is told by their first.
func examples(n int, seed uint64) []driver.Example {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]driver.Example, n)
	for i := range out {
		x := driver.Example{ID: fmt.Sprint("x", i), InputIDs: make([]int64, 3+r.IntN(18))}
		for k := range x.InputIDs {
			x.InputIDs[k] = 1 + r.Int64N(96)
		}
		x.Label = int(x.InputIDs[0]) % 3
		out[i] = x
	}
	return out
}

// sequence yields examples as a pipeline would.
func sequence(examples []driver.Example) func(yield func(driver.Example, error) bool) {
	return func(yield func(driver.Example, error) bool) {
		for _, x := range examples {
			if !yield(x, nil) {
				return
			}
		}
	}
}
