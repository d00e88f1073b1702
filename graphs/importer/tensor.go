package importer

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// elementTypes maps TensorProto.DataType to the type that the graph computes in. Integers are all int64 there;
// double, which exporters use for scalar constants, is float32.
var elementTypes = map[int32]graphs.DType{
	1: graphs.Float32, 2: graphs.Int64, 3: graphs.Int64, 4: graphs.Int64, 5: graphs.Int64, 6: graphs.Int64,
	7: graphs.Int64, 9: graphs.Bool, 11: graphs.Float32, 12: graphs.Int64, 13: graphs.Int64,
}

// unsupportedTypes says what to do about element types that cannot be trained.
var unsupportedTypes = map[int32]string{
	8:  "strings, which no encoder computes with",
	10: "float16; fine-tuning computes in float32: export the model without half precision (no --dtype fp16, no .half())",
	14: "complex64", 15: "complex128",
	16: "bfloat16; fine-tuning computes in float32: export the model with torch_dtype=float32",
	17: "float8", 18: "float8", 19: "float8", 20: "float8",
	21: "4-bit integers; export the model before it is quantised", 22: "4-bit integers; export the model before it is quantised",
}

// elementType maps an element type, or says why it cannot be.
func elementType(t int32) (graphs.DType, error) {
	if d, ok := elementTypes[t]; ok {
		return d, nil
	}
	why, ok := unsupportedTypes[t]
	if !ok {
		why = fmt.Sprintf("the element type %d, which ONNX does not define", t)
	}
	return 0, fmt.Errorf("it has %s", why)
}

// buffers end the names of tensors that a model computes with and does not train.
var buffers = []string{"inv_freq", "position_ids", "token_type_ids", "cos_cached", "sin_cached"}

func isBuffer(name string) bool {
	for _, b := range buffers {
		if strings.HasSuffix(name, b) {
			return true
		}
	}
	return false
}

// isParameter reports a float tensor that is trained: one with a name of the model's own, or one of several elements.
// What is left are the numbers of formulas, such as √2 and the epsilon of a LayerNorm.
func isParameter(name string, t *onnxpb.Tensor) bool {
	if t.DataType != int32(graphs.Float32) || len(t.Dims) == 0 {
		return false
	}
	return t.Elements() != 1 || isModuleName(name)
}

// initialiser makes the value of an initialiser or of a Constant's tensor. Constants are never trained.
func (im *importer) initialiser(name string, t *onnxpb.Tensor, trained bool) (*value, error) {
	dtype, err := elementType(t.DataType)
	if err != nil {
		return nil, err
	}
	n := t.Elements()
	if n < 0 {
		return nil, fmt.Errorf("its dimensions are %v", t.Dims)
	}
	v := &value{name: name, dtype: dtype, shape: make(graphs.Shape, len(t.Dims))}
	for i, d := range t.Dims {
		v.shape[i] = graphs.Static(int(d))
	}
	if trained && isParameter(name, t) {
		v.tensor = t
		return v, nil
	}
	data, err := im.numbers(t)
	if err != nil {
		return nil, err
	}
	if v.known = literal(v.shape, data); v.known == nil {
		v.compact = im.Const(dtype, sizes(v.shape), data...)
	}
	return v, nil
}

// floats reads a float32 tensor.
func (im *importer) floats(t *onnxpb.Tensor) ([]float32, error) {
	raw, err := im.files.Bytes(t)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out, nil
}

// numbers reads a tensor of any supported type.
func (im *importer) numbers(t *onnxpb.Tensor) ([]float64, error) {
	raw, err := im.files.Bytes(t)
	if err != nil {
		return nil, err
	}
	read, size := readers[t.DataType].read, readers[t.DataType].size
	if read == nil {
		return nil, fmt.Errorf("its element type %d cannot be read", t.DataType)
	}
	out := make([]float64, len(raw)/size)
	for i := range out {
		out[i] = read(raw[size*i:])
	}
	return out, nil
}

// readers read one little-endian element.
var readers = map[int32]struct {
	size int
	read func([]byte) float64
}{
	1:  {4, func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }},
	2:  {1, func(b []byte) float64 { return float64(b[0]) }},
	3:  {1, func(b []byte) float64 { return float64(int8(b[0])) }},
	4:  {2, func(b []byte) float64 { return float64(binary.LittleEndian.Uint16(b)) }},
	5:  {2, func(b []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(b))) }},
	6:  {4, func(b []byte) float64 { return float64(int32(binary.LittleEndian.Uint32(b))) }},
	7:  {8, func(b []byte) float64 { return float64(int64(binary.LittleEndian.Uint64(b))) }},
	9:  {1, func(b []byte) float64 { return float64(b[0] & 1) }},
	11: {8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }},
}
