package onnxpb

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// sample is a model that uses every field that is written.
func sample() Model {
	return Model{
		Producer: "p", ProducerVersion: "v", Opset: 17, Domains: []Domain{{"com.microsoft", 1}}, Metadata: []Entry{{"task", "rte"}, {"labels", ""}},
		Graph: Graph{
			Name: "g",
			Nodes: []Node{{Name: "n", Domain: "com.microsoft", OpType: "Gemm", Inputs: []string{"x", "", "w"}, Outputs: []string{"y"}, Attributes: []Attribute{
				{"alpha", float32(0.5)}, {"transB", int64(-1)}, {"mode", "tanh"}, {"perm", []int64{1, 0}},
			}}},
			Initializers: []Tensor{{Name: "w", DataType: 1, Dims: []int64{2, 1}, Raw: []byte{0, 0, 128, 63, 0, 0, 0, 64}}},
			Inputs:       []ValueInfo{{Name: "x", ElemType: 7, Dims: []Dim{{Param: "B"}, {Value: 2}}}},
			Outputs:      []ValueInfo{{Name: "y", ElemType: 1, Dims: []Dim{{Param: "B"}}}},
		},
	}
}

func written(t testing.TB, m Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadIsTheInverseOfWrite(t *testing.T) {
	want := sample()
	got, err := Read(written(t, want))
	if err != nil {
		t.Fatal(err)
	}
	want.IRVersion = irVersion
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("read %+v\nwrote %+v", *got, want)
	}
}

// tensorModel is a model of one initialiser with the given TensorProto fields.
func tensorModel(fields ...[]byte) []byte {
	tensor := appendString(nil, 8, "w")
	for _, f := range fields {
		tensor = append(tensor, f...)
	}
	return appendMessage(appendMessage(nil, 7, appendMessage(nil, 5, tensor)), 8, appendInt(nil, 2, 17))
}

func packed(field protowire.Number, elements ...[]byte) []byte {
	return appendMessage(nil, field, bytes.Join(elements, nil))
}

// Data in typed fields, packed or one by one, reads as the raw bytes it stands for.
func TestTypedTensorData(t *testing.T) {
	varint := func(v uint64) []byte { return protowire.AppendVarint(nil, v) }
	float := func(x float32) []byte { return protowire.AppendFixed32(nil, math.Float32bits(x)) }
	double := func(x float64) []byte { return protowire.AppendFixed64(nil, math.Float64bits(x)) }
	for _, c := range []struct {
		name     string
		dataType int64
		field    []byte
		want     []byte
	}{
		{"float_data", 1, packed(4, float(1), float(-2)), append(float(1), float(-2)...)},
		{"float_data, unpacked", 1, append(append(protowire.AppendTag(nil, 4, protowire.Fixed32Type), float(1)...), append(protowire.AppendTag(nil, 4, protowire.Fixed32Type), float(-2)...)...), append(float(1), float(-2)...)},
		{"int32_data", 6, packed(5, varint(7), varint(math.MaxUint64)), []byte{7, 0, 0, 0, 255, 255, 255, 255}},
		{"int32_data of bools", 9, packed(5, varint(1), varint(0)), []byte{1, 0}},
		{"int64_data", 7, packed(7, varint(7), varint(math.MaxUint64)), []byte{7, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}},
		{"double_data", 11, packed(10, double(1), double(-2)), append(double(1), double(-2)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Read(tensorModel(packed(1, varint(2)), appendInt(nil, 2, c.dataType), c.field))
			if err != nil {
				t.Fatal(err)
			}
			d, err := OpenDirectory(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got, err := d.Bytes(&m.Graph.Initializers[0])
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func externalTensor(location, offset, length string) *Tensor {
	t := &Tensor{Name: "w", DataType: 1, Dims: []int64{2}, External: &External{}}
	for _, pair := range []Entry{{"location", location}, {"offset", offset}, {"length", length}, {"checksum", "x"}} {
		if pair.Value != "" {
			_ = t.External.read(pair)
		}
	}
	return t
}

func TestExternalData(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "model")
	for name, data := range map[string]string{"secret": "12345678", "model/weights": "abcdefghijklmnop", "model/sub/weights": "ABCDEFGH"} {
		path := filepath.Join(outer, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": "../secret", "up": "..", "in": "weights"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct {
		location, offset, length string
		want                     string
		err                      error
	}{
		{"weights", "", "", "abcdefgh", nil},
		{"weights", "4", "8", "efghijkl", nil},
		{"./weights", "8", "", "ijklmnop", nil},
		{"sub/weights", "0", "8", "ABCDEFGH", nil},
		{"in", "0", "8", "abcdefgh", nil},
		{"out", "0", "8", "", ErrOutside},
		{"up/secret", "0", "8", "", ErrOutside},
		{"../secret", "0", "8", "", ErrOutside},
		{filepath.Join(outer, "secret"), "0", "8", "", ErrOutside},
		{"", "0", "8", "", ErrOutside},
		{"none", "0", "8", "", os.ErrNotExist},
		{"sub", "0", "8", "", ErrCorrupt},
		{"weights", "9", "8", "", ErrCorrupt},
		{"weights", "-1", "8", "", ErrCorrupt},
		{"weights", "0", "4", "", ErrCorrupt},
		{"weights", "9223372036854775807", "8", "", ErrCorrupt},
	} {
		d, err := OpenDirectory(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Bytes(externalTensor(c.location, c.offset, c.length))
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q at %s, %s bytes: %q, %v; want %q, %v", c.location, c.offset, c.length, got, err, c.want, c.err)
		}
		d.Close()
	}
}

// Tensors that overlap cannot make more of a file than twice its size.
func TestExternalDataBudget(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "weights"), make([]byte, 16), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i := range 5 {
		_, err := d.Bytes(externalTensor("weights", "0", "8"))
		if i < 4 && err != nil || i == 4 && !errors.Is(err, ErrCorrupt) {
			t.Errorf("read %d: %v", i, err)
		}
	}
}

// A truncated model, and one with any byte changed, is read or refused, never more.
func TestBrokenModels(t *testing.T) {
	data := written(t, sample())
	for n := range data {
		if _, err := Read(data[:n]); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes of %d: %v", n, len(data), err)
		}
		for _, bit := range []byte{1, 8, 128} {
			broken := bytes.Clone(data)
			broken[n] ^= bit
			if _, err := Read(broken); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("byte %d changed by %d: %v", n, bit, err)
			}
		}
	}
	for name, m := range map[string]Model{
		"node without operator":    {Graph: Graph{Nodes: []Node{{Name: "n"}}}},
		"initialiser without name": {Graph: Graph{Initializers: []Tensor{{DataType: 1}}}},
	} {
		if _, err := Read(written(t, m)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(append(bytes.Clone(data), data...)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "second graph") {
		t.Errorf("two models in one file: %v", err)
	}
}

// allocated is how many bytes f allocates, give or take what the runtime has handed out in advance.
func allocated(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	return sample[0].Value.Uint64() - before
}

func FuzzModel(f *testing.F) {
	f.Add(written(f, sample()))
	f.Add(tensorModel(packed(1, []byte{2}), appendInt(nil, 2, 9), packed(5, []byte{1, 0})))
	f.Add(tensorModel(appendMessage(nil, 13, appendString(appendString(nil, 1, "location"), 2, "weights")), appendInt(nil, 14, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := allocated(func() {
			m, err := Read(data)
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("an error of another kind: %v", err)
				}
				return
			}
			for i := range m.Graph.Initializers {
				m.Graph.Initializers[i].Elements()
			}
		})
		if limit := uint64(1<<20 + 64*len(data)); n > limit {
			t.Errorf("%d bytes allocated for a file of %d", n, len(data))
		}
	})
}
