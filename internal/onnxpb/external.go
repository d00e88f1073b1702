package onnxpb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// External says where a tensor's data lies outside the model's file.
type External struct {
	Location       string // path relative to the model's directory
	Offset, Length int64  // in bytes; Length 0 is all that follows the offset
}

// read takes one key and value of external_data; checksums and keys of other programs are ignored.
func (e *External) read(pair Entry) (err error) {
	switch pair.Key {
	case "location":
		e.Location = pair.Value
	case "offset":
		e.Offset, err = strconv.ParseInt(pair.Value, 10, 64)
	case "length":
		e.Length, err = strconv.ParseInt(pair.Value, 10, 64)
	}
	return err
}

// ErrOutside marks external data that lies outside the model's directory.
var ErrOutside = errors.New("external data must lie in the model's own directory: copy the file there")

// elementSizes are the sizes in bytes of the element types whose data this package hands out, by TensorProto.DataType.
var elementSizes = map[int32]int{
	1: 4 /* float */, 2: 1 /* uint8 */, 3: 1 /* int8 */, 4: 2 /* uint16 */, 5: 2 /* int16 */, 6: 4, /* int32 */
	7: 8 /* int64 */, 9: 1 /* bool */, 10: 2 /* float16 */, 11: 8 /* double */, 16: 2, /* bfloat16 */
}

// Elements is the number of elements that Dims declare, or −1 where that is no sensible number.
func (t *Tensor) Elements() int {
	n := int64(1)
	for _, d := range t.Dims {
		if d < 0 || d > math.MaxInt32 {
			return -1
		}
		if n *= d; n > math.MaxInt32 {
			return -1
		}
	}
	return int(n)
}

// Directory reads the data of one model's tensors, from the model itself and from files beside it.
type Directory struct {
	root   *os.Root
	length map[string]int64 // of files read from
	budget int64            // bytes that may still be read
}

// OpenDirectory opens the directory that a model's file lies in.
func OpenDirectory(path string) (*Directory, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Directory{root: root, length: map[string]int64{}}, nil
}

// Close closes the directory; data that was read stays.
func (d *Directory) Close() error { return d.root.Close() }

// Bytes returns a tensor's data, little-endian and row-major: Raw, or what lies in a file of the directory. Lengths are
// checked against type and dimensions before anything is allocated, and all tensors together may take no more than
// twice the size of the files that they lie in.
func (d *Directory) Bytes(t *Tensor) ([]byte, error) {
	size, ok := elementSizes[t.DataType]
	n := t.Elements()
	if !ok || n < 0 {
		return nil, fmt.Errorf("tensor %q: %w: element type %d, dimensions %v", t.Name, ErrCorrupt, t.DataType, t.Dims)
	}
	want := int64(size) * int64(n)
	if t.External == nil {
		if int64(len(t.Raw)) != want {
			return nil, fmt.Errorf("tensor %q: %w: %d bytes of data for dimensions %v", t.Name, ErrCorrupt, len(t.Raw), t.Dims)
		}
		return t.Raw, nil
	}
	data, err := d.load(t.External, want)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: reading external data %q: %w", t.Name, t.External.Location, err)
	}
	return data, nil
}

// load reads want bytes. [os.Root] keeps every component of the path, symbolic links included, in the directory.
func (d *Directory) load(e *External, want int64) ([]byte, error) {
	if !filepath.IsLocal(e.Location) {
		return nil, ErrOutside
	}
	info, err := d.root.Stat(e.Location)
	if err != nil {
		return nil, outside(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: no regular file", ErrCorrupt)
	}
	name := filepath.Clean(e.Location)
	if _, known := d.length[name]; !known {
		d.length[name] = info.Size()
		d.budget += 2 * info.Size()
	}
	if e.Offset < 0 || e.Length < 0 || e.Offset > info.Size() || want > info.Size()-e.Offset || e.Length != 0 && e.Length != want {
		return nil, fmt.Errorf("%w: %d bytes are needed from offset %d, %d are declared, the file has %d", ErrCorrupt, want, e.Offset, e.Length, info.Size())
	}
	if d.budget -= want; d.budget < 0 {
		return nil, fmt.Errorf("%w: the tensors overlap", ErrCorrupt)
	}
	f, err := d.root.Open(e.Location)
	if err != nil {
		return nil, outside(err)
	}
	defer f.Close()
	data := make([]byte, want)
	_, err = io.ReadFull(io.NewSectionReader(f, e.Offset, want), data)
	return data, err
}

// outside says what to do about a path that os.Root refuses to follow.
func outside(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrOutside, err)
}
