package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
)

// Errors a caller can decide on with errors.Is.
var (
	// ErrCorrupt marks a file that breaks the format.
	ErrCorrupt = errors.New("not a valid safetensors file, or a truncated one; download or write it again")
	// ErrDType marks an element type outside the supported ones.
	ErrDType = errors.New("unsupported element type; convert the tensor to F32 (supported: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL)")
	// ErrShape marks a shape that does not fit its data.
	ErrShape = errors.New("shape and data disagree")
)

// File is an open safetensors file. Its methods other than Close may be called
// from several goroutines at once.
type File struct {
	names    []string
	tensors  map[string]Tensor
	metadata map[string]string
	unmap    func() error
}

// Open maps the file at path and checks its header against its size; tensor
// data is not read. Errors name the file and, where one is at fault, the tensor
// with type and shape; a file that breaks the format wraps ErrCorrupt.
//
// The file must not be truncated by another program while it is open: reading
// a page that has gone kills the process, as with any memory-mapped file.
func Open(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("read safetensors %s: %w", path, err)
	}
	return f, nil
}

func open(path string) (*File, error) {
	// Asked before opening: opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("is a %s, want a regular file", kind(info.Mode()))
	}
	if info.Size() < lengthBytes {
		return nil, fmt.Errorf("has %d bytes, the header length alone takes %d: %w", info.Size(), lengthBytes, ErrCorrupt)
	}
	if info.Size() > math.MaxInt {
		return nil, fmt.Errorf("has %d bytes, too many for this system's address space", info.Size())
	}
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, bare(err)
	}
	f, err := Parse(data)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	f.unmap = unmap
	return f, nil
}

// Parse is Open on bytes in memory; tensors are views of data.
func Parse(data []byte) (*File, error) {
	header, body, err := split(data)
	if err != nil {
		return nil, err
	}
	tensors, metadata, err := parseHeader(header, body)
	if err != nil {
		return nil, err
	}
	f := &File{
		names:    make([]string, 0, len(tensors)),
		tensors:  make(map[string]Tensor, len(tensors)),
		metadata: metadata,
		unmap:    func() error { return nil },
	}
	for _, t := range tensors {
		f.names = append(f.names, t.Name)
		f.tensors[t.Name] = t
	}
	slices.Sort(f.names)
	return f, nil
}

// Names lists the tensors in sorted order.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Tensor finds a tensor by name. Its data is a view, valid until Close.
func (f *File) Tensor(name string) (Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

// Metadata is a copy of the file's free-form strings; nil if it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Close gives the mapping back. Tensor data must not be touched afterwards;
// Names and Tensor then find nothing. Closing twice is harmless.
func (f *File) Close() error {
	unmap := f.unmap
	f.names, f.tensors, f.unmap = nil, nil, func() error { return nil }
	return unmap()
}

// bare drops the operation and path of a file-system error: callers name the
// file themselves.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// kind names what stands where a file was wanted.
func kind(m os.FileMode) string {
	if m.IsDir() {
		return "directory"
	}
	return "special file (" + m.Type().String() + ")"
}
