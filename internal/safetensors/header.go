package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	lengthBytes = 8           // the header length in front of the header
	maxHeader   = 100_000_000 // bytes of JSON; the official library's bound
	maxRank     = 64          // dimensions of a tensor; NumPy's bound
	metadataKey = "__metadata__"
)

// split cuts data into the JSON header and the tensor bytes behind it.
func split(data []byte) (header, body []byte, err error) {
	if len(data) < lengthBytes {
		return nil, nil, fmt.Errorf("has %d bytes, the header length alone takes %d: %w", len(data), lengthBytes, ErrCorrupt)
	}
	if bytes.HasPrefix(data, []byte("version https://git-lfs")) {
		return nil, nil, fmt.Errorf("is a Git LFS pointer, not the file itself (git lfs pull fetches it): %w", ErrCorrupt)
	}
	n, rest := binary.LittleEndian.Uint64(data), data[lengthBytes:]
	if n > maxHeader {
		return nil, nil, fmt.Errorf("header length %d is over the limit of %d: %w", n, maxHeader, ErrCorrupt)
	}
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("header of %d bytes, but only %d follow: %w", n, len(rest), ErrCorrupt)
	}
	return rest[:n:n], rest[n:], nil
}

// located is a tensor with its data_offsets before they are checked.
type located struct {
	Tensor
	begin, end uint64
}

// parseHeader decodes the header and cuts body into the tensors it lists.
func parseHeader(header, body []byte) ([]Tensor, map[string]string, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, fmt.Errorf("header does not begin with {: %w", ErrCorrupt)
	}
	if !utf8.Valid(header) {
		return nil, nil, fmt.Errorf("header is not UTF-8: %w", ErrCorrupt)
	}
	d := headerDecoder{json.NewDecoder(bytes.NewReader(header))}
	var list []located
	var metadata map[string]string
	err := d.object(func(name string) (err error) {
		if name == metadataKey {
			metadata, err = d.metadata()
			return err
		}
		t, err := d.tensor(name)
		list = append(list, t)
		return err
	})
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("more after the closing brace")
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("header, byte %d: %w: %w", d.InputOffset(), err, ErrCorrupt)
	}
	tensors, err := cut(list, body)
	return tensors, metadata, err
}

// cut gives every tensor its view of body and checks that the views fit their
// shapes and cover body exactly.
func cut(list []located, body []byte) ([]Tensor, error) {
	slices.SortStableFunc(list, func(a, b located) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	tensors := make([]Tensor, len(list))
	pos := uint64(0)
	for i, t := range list {
		want, err := byteSize(t.DType, t.Shape)
		if errors.Is(err, ErrDType) {
			return nil, fmt.Errorf("%v: %w", t.Tensor, err)
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w: %w", t.Tensor, err, ErrCorrupt)
		}
		problem := ""
		switch {
		case t.begin > t.end:
			problem = "end before they begin"
		case t.end-t.begin != want:
			problem = fmt.Sprintf("hold %d bytes, the shape needs %d", t.end-t.begin, want)
		case t.begin < pos:
			problem = fmt.Sprintf("overlap %v", tensors[i-1])
		case t.begin > pos:
			problem = fmt.Sprintf("leave a hole after byte %d", pos)
		case t.end > uint64(len(body)):
			problem = fmt.Sprintf("reach beyond the %d bytes of data in the file", len(body))
		}
		if problem != "" {
			return nil, fmt.Errorf("%v: data_offsets [%d, %d] %s: %w", t.Tensor, t.begin, t.end, problem, ErrCorrupt)
		}
		t.Data = body[t.begin:t.end:t.end]
		tensors[i], pos = t.Tensor, t.end
	}
	if pos != uint64(len(body)) {
		return nil, fmt.Errorf("%d bytes of data belong to no tensor: %w", uint64(len(body))-pos, ErrCorrupt)
	}
	return tensors, nil
}

// headerDecoder reads the header token by token: unlike json.Unmarshal it sees
// repeated keys, and it refuses at once whatever the format does not have.
type headerDecoder struct{ *json.Decoder }

// tensor reads one {"dtype", "shape", "data_offsets"} object.
func (d headerDecoder) tensor(name string) (located, error) {
	t := located{Tensor: Tensor{Name: name}}
	fields := 0
	err := d.object(func(key string) error {
		fields++
		switch key {
		case "dtype":
			s, err := d.str()
			t.DType = DType(s)
			return err
		case "shape":
			dims, err := d.integers()
			t.Shape = make([]int, len(dims))
			for i, v := range dims {
				if v > math.MaxInt {
					return fmt.Errorf("dimension %d is too large: %d", i, v)
				}
				t.Shape[i] = int(v)
			}
			return err
		case "data_offsets":
			o, err := d.integers()
			if err == nil && len(o) != 2 {
				err = fmt.Errorf("data_offsets has %d numbers, want 2", len(o))
			}
			if err == nil {
				t.begin, t.end = o[0], o[1]
			}
			return err
		}
		return fmt.Errorf("unknown field %.200q", key)
	})
	if err == nil && fields != 3 {
		err = errors.New("want dtype, shape and data_offsets")
	}
	if err != nil {
		return t, fmt.Errorf("tensor %.200q: %w", name, err)
	}
	return t, nil
}

// metadata reads an object of strings.
func (d headerDecoder) metadata() (map[string]string, error) {
	m := map[string]string{}
	err := d.object(func(key string) (err error) {
		m[key], err = d.str()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataKey, err)
	}
	return m, nil
}

// object reads {"key": value, …}; value is called at each value. A key that
// comes twice is an error.
func (d headerDecoder) object(value func(key string) error) error {
	if err := d.expect('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%.200q comes twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return d.expect('}')
}

// integers reads an array of non-negative whole numbers.
func (d headerDecoder) integers() ([]uint64, error) {
	var list json.RawMessage
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	if list[0] != '[' {
		return nil, fmt.Errorf("%.200q where a list belongs", list)
	}
	list = bytes.TrimSpace(list[1 : len(list)-1])
	if len(list) == 0 {
		return nil, nil
	}
	n := 1 + bytes.Count(list, []byte{','})
	if n > maxRank {
		return nil, fmt.Errorf("list of more than %d numbers", maxRank)
	}
	v := make([]uint64, 0, n)
	for item := range bytes.SplitSeq(list, []byte{','}) {
		x, err := strconv.ParseUint(string(bytes.TrimSpace(item)), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.200q is not a non-negative whole number below 2^64", item)
		}
		v = append(v, x)
	}
	return v, nil
}

func (d headerDecoder) str() (string, error) {
	tok, err := d.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%v where a string belongs", tok)
	}
	return s, nil
}

func (d headerDecoder) expect(want json.Delim) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("%.200v where %v belongs", tok, want)
	}
	return nil
}
