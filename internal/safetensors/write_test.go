package safetensors

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// all lists a file's tensors by name.
func all(f *File) []Tensor {
	var list []Tensor
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		list = append(list, t)
	}
	return list
}

// roundTrip writes f's tensors, reads them back and compares everything.
func roundTrip(t *testing.T, f *File) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, all(f), f.Metadata()); err != nil {
		t.Fatal(err)
	}
	back, err := Parse(b.Bytes())
	if err != nil {
		t.Fatalf("reading what was written: %v\n%q", err, b.Bytes())
	}
	if a, b := all(f), all(back); !reflect.DeepEqual(a, b) {
		t.Errorf("tensors changed: %v, now %v", a, b)
	}
	if a, b := f.Metadata(), back.Metadata(); len(a)+len(b) > 0 && !reflect.DeepEqual(a, b) {
		t.Errorf("metadata changed: %v, now %v", a, b)
	}
}

func TestFloat32RoundTripThroughAFile(t *testing.T) {
	const seed = 7
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	v := make([]float32, 5*7*11)
	for i := range v {
		v[i] = math.Float32frombits(r.Uint32()) // NaN payloads and subnormals included
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	meta := map[string]string{"b": "2", "a": "1\u2028<", "c": ""}
	if err := WriteFile(path, []Tensor{FromFloat32s("w", []int{5, 7, 11}, v), FromFloat32s("bias", nil, v[:1])}, meta); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, _ := f.Tensor("w")
	dst := make([]float32, 1000)
	got, err := w.Float32s(dst)
	if err != nil {
		t.Fatal(err)
	}
	if &got[0] != &dst[0] {
		t.Error("Float32s did not use the memory it was given")
	}
	if !slices.EqualFunc(got, v, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		t.Error("values changed")
	}
	if !reflect.DeepEqual(f.Metadata(), meta) {
		t.Errorf("metadata %v, want %v", f.Metadata(), meta)
	}
	roundTrip(t, f)
}

// Every half-precision number against the definition of the format:
// (-1)^s · 2^(e-15) · 1.f, or · 2^-14 · 0.f where e = 0.
func TestFloat16IsExact(t *testing.T) {
	for h := range 1 << 16 {
		s, e, frac := h>>15, h>>10&31, float64(h&1023)
		want := math.Ldexp(1+frac/1024, e-15)
		switch {
		case e == 0:
			want = math.Ldexp(frac/1024, -14)
		case e == 31 && frac == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		if s == 1 {
			want = -want
		}
		got := float64(float16(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (s == 1) {
			t.Fatalf("half %#04x is %g, want %g", h, got, want)
		}
	}
}

func TestConversionErrors(t *testing.T) {
	ints := Tensor{Name: "ids", DType: I64, Shape: []int{1}, Data: make([]byte, 8)}
	if _, err := ints.Float32s(nil); !errors.Is(err, ErrDType) {
		t.Errorf("I64 as float32: %v", err)
	}
	if _, err := FromFloat32s("w", []int{1}, []float32{1}).Int64s(nil); !errors.Is(err, ErrDType) {
		t.Errorf("F32 as int64: %v", err)
	}
	big := Tensor{Name: "w", DType: F64, Shape: []int{2}, Data: make([]byte, 16)}
	big.Data[15] = 0x7f // 2^1009 in element 1
	if _, err := big.Float32s(nil); err == nil || !strings.Contains(err.Error(), "element 1") {
		t.Errorf("F64 beyond float32: %v", err)
	}
	short := Tensor{Name: "w", DType: F32, Shape: []int{2}, Data: make([]byte, 7)}
	if _, err := short.Float32s(nil); !errors.Is(err, ErrShape) {
		t.Errorf("short data: %v", err)
	}
}

func TestWriteRefusesBadTensors(t *testing.T) {
	x := func(name string, shape ...int) Tensor { return FromFloat32s(name, shape, make([]float32, 2)) }
	for name, c := range map[string]struct {
		tensors []Tensor
		meta    map[string]string
		is      error
		want    string
	}{
		"two of a name":     {[]Tensor{x("w", 2), x("w", 2)}, nil, nil, `tensor "w" F32 [2]: two tensors`},
		"reserved name":     {[]Tensor{x("__metadata__", 2)}, nil, nil, "reserves"},
		"name not utf-8":    {[]Tensor{x("\xff", 2)}, nil, nil, "not UTF-8"},
		"shape too large":   {[]Tensor{x("w", 3)}, nil, ErrShape, `"w" F32 [3]: has 8 bytes of data, its shape needs 12`},
		"negative shape":    {[]Tensor{x("w", -2)}, nil, ErrShape, "dimension 0 is negative"},
		"unknown type":      {[]Tensor{{Name: "w", DType: "F8"}}, nil, ErrDType, "F8"},
		"metadata no utf-8": {nil, map[string]string{"k": "\xff"}, nil, "metadata"},
	} {
		var b bytes.Buffer
		err := Write(&b, c.tensors, c.meta)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if b.Len() > 0 {
			t.Errorf("%s: wrote %d bytes before it failed", name, b.Len())
		}
	}
}

// A failed write leaves the old file as it was and no temporary one beside it.
func TestWriteFileIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	old := []Tensor{FromFloat32s("old", []int{1}, []float32{1})}
	if err := WriteFile(path, old, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	err := WriteFile(path, []Tensor{{Name: "bad", DType: F32, Shape: []int{9}}}, nil)
	if !errors.Is(err, ErrShape) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	onlyFile(t, dir, "m.safetensors", before)
}

// onlyFile checks that dir holds the one file name with these bytes.
func onlyFile(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name() != name {
		t.Errorf("directory holds %v, want %s alone", list, name)
	}
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s changed (%v)", name, err)
	}
}

func TestWriteFileSaysWhatToDo(t *testing.T) {
	err := WriteFile(filepath.Join(t.TempDir(), "no", "m.safetensors"), nil, nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create it") {
		t.Errorf("absent directory: %v", err)
	}
}
