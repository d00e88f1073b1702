package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// raw builds a file of a header and n bytes of data.
func raw(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

// one is a file with the single tensor "a".
func one(dtype, shape string, begin, end uint64, n int) []byte {
	return raw(fmt.Sprintf(`{"a":{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}}`, dtype, shape, begin, end), n)
}

const abc = `{"a":{"dtype":"U8","shape":[2],"data_offsets":[%d,%d]},` +
	`"b":{"dtype":"U8","shape":[2],"data_offsets":[%d,%d]},"c":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}`

var badFiles = []struct {
	name string
	data []byte
	want string // part of the message
}{
	{"empty", nil, "has 0 bytes"},
	{"seven bytes", make([]byte, 7), "has 7 bytes"},
	{"zero header", make([]byte, 8), "does not begin with {"},
	{"header beyond the end", raw(`{}`, 0)[:9], "header of 2 bytes, but only 1 follow"},
	{"huge header length", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "over the limit"},
	{"git lfs pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "git lfs pull"},
	{"space first", raw(` {}`, 0), "does not begin with {"},
	{"not json", raw(`{"a"`, 0), "byte 4"},
	{"array value", raw(`{"a":[]}`, 0), "[ where { belongs"},
	{"second object", raw(`{}{}`, 0), "more after the closing brace"},
	{"not utf-8", raw("{\"\xff\":1}", 0), "not UTF-8"},
	{"name twice", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), `"a" comes twice`},
	{"field twice", raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), `"dtype" comes twice`},
	{"field missing", raw(`{"a":{"dtype":"U8","shape":[0]}}`, 0), "want dtype, shape and data_offsets"},
	{"field unknown", raw(`{"a":{"Dtype":"U8"}}`, 0), `unknown field "Dtype"`},
	{"metadata of numbers", raw(`{"__metadata__":{"k":1}}`, 0), "1 where a string belongs"},
	{"dtype is a number", raw(`{"a":{"dtype":3}}`, 0), "3 where a string belongs"},
	{"negative dimension", one("U8", "[-1]", 0, 0, 0), `"-1" is not a non-negative`},
	{"fractional dimension", one("U8", "[1.0]", 0, 1, 1), `"1.0" is not a non-negative`},
	{"string dimension", one("U8", `["1"]`, 0, 1, 1), `"\"1\"" is not a non-negative`},
	{"dimension over int", one("U8", "[9223372036854775808]", 0, 0, 0), "dimension 0 is too large"},
	{"null dimension", one("U8", "[null]", 0, 1, 1), `"null" is not a non-negative`},
	{"nested dimension", one("U8", "[[1]]", 0, 1, 1), `"[1]" is not a non-negative`},
	{"shape is no list", one("U8", "{}", 0, 1, 1), `"{}" where a list belongs`},
	{"list not closed", raw(`{"a":{"shape":[1`, 0), `tensor "a": unexpected EOF`},
	{"list ends in a comma", one("U8", "[1,]", 0, 1, 1), "invalid character"},
	{"too many dimensions", one("U8", "[1"+strings.Repeat(",1", maxRank)+"]", 0, 1, 1), "more than 64 numbers"},
	{"elements overflow", one("U8", "[4294967296,4294967296]", 0, 0, 0), "elements overflows at dimension 1"},
	{"elements overflow before a zero", one("U8", "[4294967296,4294967296,0]", 0, 0, 0), "elements overflows at dimension 1"},
	{"bytes overflow", one("F64", "[4611686018427387904]", 0, 0, 0), "bytes overflows"},
	{"three offsets", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}`, 0), "3 numbers, want 2"},
	{"offsets reversed", one("U8", "[0]", 1, 0, 1), "end before they begin"},
	{"shape larger than offsets", one("F32", "[2,3]", 0, 20, 20), `tensor "a" F32 [2 3]: data_offsets [0, 20] hold 20 bytes, the shape needs 24`},
	{"offset overflow", one("U8", "[1]", 18446744073709551615, 0, 1), "end before they begin"},
	{"data cut off", one("F32", "[2,3]", 0, 24, 23), "reach beyond the 23 bytes"},
	{"data too long", one("F32", "[2,3]", 0, 24, 25), "1 bytes of data belong to no tensor"},
	{"hole in front", one("U8", "[1]", 1, 2, 2), "leave a hole after byte 0"},
	{"hole between", raw(fmt.Sprintf(abc, 0, 2, 3, 5), 5), "leave a hole after byte 2"},
	{"overlap", raw(fmt.Sprintf(abc, 0, 2, 1, 3), 3), `overlap tensor "a"`},
}

func TestRefusesBrokenFiles(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.safetensors")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v\nwant ErrCorrupt naming %s and saying %s", err, path, c.want)
			}
			if _, err := Parse(c.data); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Parse: %v", err)
			}
		})
	}
}

func TestAcceptsTheFormatsCorners(t *testing.T) {
	for name, data := range map[string][]byte{
		"no tensors":           raw(`{}`, 0),
		"padded header":        raw("{}      ", 0),
		"touching and empty":   raw(fmt.Sprintf(abc, 0, 2, 2, 4), 4),
		"listed backwards":     raw(fmt.Sprintf(abc, 2, 4, 0, 2), 4),
		"zero before overflow": one("U8", "[0,4294967296,4294967296]", 0, 0, 0),
	} {
		if _, err := Parse(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownTypeIsNotCorrupt(t *testing.T) {
	_, err := Parse(one("F8_E4M3", "[1]", 0, 1, 1))
	if !errors.Is(err, ErrDType) || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "F8_E4M3") {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "is a directory, want a regular file") {
		t.Errorf("directory: %v", err)
	}
}

// Opening must cost the header only: an 8 GiB file takes no memory of that order.
func TestOpenDoesNotReadTensors(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("no memory mapping here")
	}
	const n = 8 << 30
	path := filepath.Join(t.TempDir(), "sparse.safetensors")
	header := one("F32", "[2147483648]", 0, n, 0)
	if err := os.WriteFile(path, header, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(header))+n); err != nil {
		t.Skip("no sparse files here:", err)
	}
	var f *File
	spent := allocated(func() {
		var err error
		if f, err = Open(path); err != nil {
			t.Fatal(err)
		}
	})
	if spent > 1<<20 {
		t.Errorf("opening took %d bytes of memory", spent)
	}
	if x, _ := f.Tensor("a"); len(x.Data) != n {
		t.Errorf("view of %d bytes, want %d", len(x.Data), n)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error("second Close:", err)
	}
	if _, ok := f.Tensor("a"); ok {
		t.Error("a closed file still hands out views")
	}
}

// A header made to cost as much as it can still costs in proportion.
func TestMemoryIsBoundedByTheInput(t *testing.T) {
	const n = 20000
	many := func(format string) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return raw("{"+strings.TrimSuffix(b.String(), ",")+"}", 0)
	}
	for name, data := range map[string][]byte{
		"tensors":    many(`"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`),
		"dimensions": many(`"%x":{"dtype":"U8","shape":[0` + strings.Repeat(",0", maxRank-1) + `],"data_offsets":[0,0]},`),
		"one shape":  one("U8", "[0"+strings.Repeat(",0", n)+"]", 0, 0, 0),
		"one name":   raw(`{"`+strings.Repeat("a", n)+`":0}`, 0),
	} {
		var err error
		spent := allocated(func() { _, err = Parse(data) })
		factor := float64(spent) / float64(len(data))
		t.Logf("%s: %d bytes of input, memory %.1f times that (freed memory included)", name, len(data), factor)
		if factor > 40 {
			t.Errorf("%s: took %.1f times its size, limit 40", name, factor)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: message of %d bytes", name, len(err.Error()))
		}
	}
}

// allocated is the number of bytes f allocates on the heap, freed ones included.
func allocated(f func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}

// FuzzParse: no panic, memory bounded by the input, and what is accepted obeys
// the format: dense views that fit their shapes and survive a round trip.
func FuzzParse(f *testing.F) {
	for _, c := range badFiles {
		f.Add(c.data)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "golden.safetensors"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(raw(fmt.Sprintf(abc, 0, 2, 2, 4), 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		var file *File
		var err error
		spent := allocated(func() { file, err = Parse(data) })
		// Freed memory counts too. Another goroutine of the fuzzing engine may
		// allocate meanwhile, hence the constant.
		if limit := uint64(64*len(data) + 1<<20); spent > limit {
			t.Errorf("%d bytes of input took %d bytes of memory, limit %d", len(data), spent, limit)
		}
		if err != nil {
			return
		}
		roundTrip(t, file)
	})
}
