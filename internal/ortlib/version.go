package ortlib

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// Version is an ONNX Runtime release number.
type Version struct{ Major, Minor, Patch int }

// MinStock is the oldest release that the stock engine runs on.
var MinStock = Version{1, 25, 0}

// MinTraining is the oldest release whose training API the training engine
// runs on.
var MinTraining = Version{1, 19, 0}

// ErrTooOld marks a library below the version asked for; the error is a
// *TooOldError.
var ErrTooOld = errors.New("ONNX Runtime is too old")

// TooOldError says which library is too old and what was needed.
type TooOldError struct {
	Path       string
	Have, Need Version
}

// Error says what was found, what is needed and how to get it.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("%v: %s is version %v, at least %v is needed; %s", ErrTooOld, e.Path, e.Have, e.Need, howToGet)
}

// Unwrap gives ErrTooOld.
func (e *TooOldError) Unwrap() error { return ErrTooOld }

var dotted = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?$`)

// ParseVersion reads "1.32.0"; the third number may be missing and is then 0.
func ParseVersion(s string) (Version, error) {
	m := dotted.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("ONNX Runtime version %q: want numbers like 1.32.0", s)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // the pattern admits digits only; missing is 0
	}
	return Version{n[0], n[1], n[2]}, nil
}

// String writes the version as 1.32.0.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Compare is -1, 0 or +1 as v is older than, equal to or newer than w.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// numbered matches the version in libonnxruntime.so.1.32.0 and in
// libonnxruntime.1.32.0.dylib.
var numbered = regexp.MustCompile(`^libonnxruntime(?:_training)?\.(?:so\.([\d.]+)|([\d.]+)\.dylib)$`)

// FileVersion reads the version from the name of the library file, or from the
// name of the file that a symbolic link leads to. ok is false where neither
// tells (Windows' onnxruntime.dll, a bare libonnxruntime.so): the loaded
// library itself must be asked then.
func FileVersion(path string) (v Version, ok bool) {
	if v, ok := nameVersion(path); ok {
		return v, true
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Version{}, false
	}
	return nameVersion(target)
}

func nameVersion(path string) (Version, bool) {
	m := numbered.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return Version{}, false
	}
	v, err := ParseVersion(m[1] + m[2])
	return v, err == nil
}

// Require is a *TooOldError where the library at path, of version have, is
// older than need.
func Require(path string, have, need Version) error {
	if have.Compare(need) < 0 {
		return &TooOldError{Path: path, Have: have, Need: need}
	}
	return nil
}
