package safetensors

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// Write writes a file that any safetensors reader accepts. Its bytes depend on
// the arguments only: tensors go by element type, widest first, then by name,
// as the official library orders them (the order given does not matter), metadata
// by key, and the header is padded with spaces to 8 bytes.
//
// It fails before the first byte on a repeated, reserved or non-UTF-8 name, an
// unknown element type (ErrDType), or a shape that does not fit its data (ErrShape).
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.DType.rank(), b.DType.rank()), strings.Compare(a.Name, b.Name))
	})
	header, err := encodeHeader(sorted, metadata)
	if err != nil {
		return err
	}
	buf := bufio.NewWriter(w)
	buf.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	buf.Write(header)
	for _, t := range sorted {
		buf.Write(t.Data)
	}
	return buf.Flush() // a bufio.Writer keeps its first error
}

// WriteFile writes the file at path in one piece: to a temporary name in the
// same directory, synced, renamed, the directory synced. On an error the path
// is as it was before.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	err := durable.ReplaceFile(durable.OS{}, path, func(w io.Writer) error { return Write(w, tensors, metadata) })
	if err != nil {
		return fmt.Errorf("write safetensors %s: %w%s", path, bare(err), durable.Advice(err))
	}
	return nil
}

// encodeHeader checks the tensors, already in file order, and writes the JSON.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	text := json.NewEncoder(&b)
	text.SetEscapeHTML(false)
	quote := func(s string) error {
		if !utf8.ValidString(s) {
			return fmt.Errorf("name %q is not UTF-8", s)
		}
		err := text.Encode(s)
		b.Truncate(b.Len() - 1) // the newline
		return err
	}

	b.WriteByte('{')
	if len(metadata) > 0 {
		b.WriteString(`"` + metadataKey + `":`)
		sep := byte('{')
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			b.WriteByte(sep)
			err := quote(key)
			b.WriteByte(':')
			if err := errors.Join(err, quote(metadata[key])); err != nil {
				return nil, fmt.Errorf("metadata: %w", err)
			}
			sep = ','
		}
		b.WriteByte('}')
	}
	seen, offset := make(map[string]bool, len(tensors)), 0
	for _, t := range tensors {
		if t.Name == metadataKey {
			return nil, fmt.Errorf("%v: the format reserves this name", t)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("%v: two tensors have this name", t)
		}
		seen[t.Name] = true
		if err := t.check(); err != nil {
			return nil, err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		if err := quote(t.Name); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}`,
			t.DType, joinInts(t.Shape), offset, offset+len(t.Data))
		offset += len(t.Data)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is over the format's limit of %d", b.Len(), maxHeader)
	}
	return b.Bytes(), nil
}

func joinInts(v []int) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = strconv.Itoa(x)
	}
	return strings.Join(s, ",")
}
