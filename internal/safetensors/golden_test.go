package safetensors

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// expectation is one line of testdata/golden.json: what NumPy reads.
type expectation struct {
	Name        string
	Shape       []int
	Float32Bits []uint32    `json:"float32_bits"`
	Int64       []jsonInt64 `json:"int64"`
}

type jsonInt64 int64

func (v *jsonInt64) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(bytes.Trim(b, `"`), (*int64)(v))
}

func readGolden(t *testing.T) (*File, []expectation) {
	t.Helper()
	f, err := Open(filepath.Join("testdata", "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want []expectation
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	return f, want
}

func TestReadsWhatPythonWrote(t *testing.T) {
	f, want := readGolden(t)
	if len(want) != len(f.Names()) || len(want) == 0 {
		t.Fatalf("file has %d tensors, NumPy lists %d", len(f.Names()), len(want))
	}
	for _, w := range want {
		x, ok := f.Tensor(w.Name)
		if !ok {
			t.Errorf("no tensor %q", w.Name)
			continue
		}
		if !slices.Equal(x.Shape, w.Shape) {
			t.Errorf("%v: want shape %v", x, w.Shape)
		}
		if w.Int64 != nil {
			got, err := x.Int64s(nil)
			if err != nil {
				t.Error(err)
			}
			if !slices.EqualFunc(got, w.Int64, func(a int64, b jsonInt64) bool { return a == int64(b) }) {
				t.Errorf("%v: got %v want %v", x, got, w.Int64)
			}
			continue
		}
		got, err := x.Float32s(nil)
		if err != nil {
			t.Error(err)
		}
		if !slices.EqualFunc(got, w.Float32Bits, func(a float32, b uint32) bool { return math.Float32bits(a) == b }) {
			t.Errorf("%v: got %v", x, got)
		}
	}
	if got := f.Metadata()["format"]; got != "pt <ä>" {
		t.Errorf("metadata format = %q", got)
	}
}

func TestWritesTheBytesPythonWrites(t *testing.T) {
	f, _ := readGolden(t)
	var tensors []Tensor
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		tensors = append(tensors, x)
	}
	slices.Reverse(tensors) // the order given must not matter
	var got bytes.Buffer
	if err := Write(&got, tensors, f.Metadata()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("wrote\n%q\nthe official library writes\n%q", got.Bytes(), want)
	}
}
