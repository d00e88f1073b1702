package stock_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// outdated is the C source of a library that knows none of the API versions asked for, as one that is too old.
const outdated = `
typedef struct { const void *(*api)(unsigned); const char *(*version)(void); } base;
static const void *api(unsigned version) { return 0; }
static const char *version(void) { return "1.4.0"; }
static const base it = { api, version };
const base *OrtGetApiBase(void) { return &it; }
`

// compile builds a shared library from C source.
func compile(t *testing.T, source, into string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("not tested on Windows: building a library takes more than cc -shared there")
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	file := filepath.Join(t.TempDir(), "library.c")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", into, file).CombinedOutput(); err != nil {
		t.Skipf("no C compiler to build a library with: %v\n%s", err, out)
	}
}

// opens fails unless the real library can be opened and closed: an earlier failure must not stand in its way.
func opens(t *testing.T) {
	t.Helper()
	l, err := stock.OpenLibrary("")
	if err != nil {
		t.Fatalf("the library does not open any more: %v", err)
	}
	if v, err := ortlib.ParseVersion(l.Version); err != nil || v.Compare(ortlib.MinStock) < 0 || !filepath.IsAbs(l.Path) {
		t.Errorf("library %+v, %v", l, err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
}

func TestLibraryErrors(t *testing.T) {
	needLibrary(t)
	dir := t.TempDir()
	garbage := filepath.Join(dir, "libonnxruntime.so")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a library\n", 1000)), 0o755); err != nil {
		t.Fatal(err)
	}
	other, old, older := filepath.Join(dir, "libother.so"), filepath.Join(dir, "libold.so"), filepath.Join(dir, "libonnxruntime.so.1.4.0")
	compile(t, "int answer(void) { return 42; }", other)
	compile(t, outdated, old)
	compile(t, outdated, older)
	need := ortlib.MinStock.String()
	for _, c := range []struct {
		name, path string
		is         error
		words      []string
	}{
		{"missing", filepath.Join(dir, "none.so"), ortlib.ErrNotFound, []string{"none.so", "does not exist", "make setup"}},
		{"an empty directory", t.TempDir(), ortlib.ErrNotFound, []string{"holds no", "make setup"}},
		{"garbage", garbage, nil, []string{garbage, need, "make setup"}},
		{"another library", other, nil, []string{other, "OrtGetApiBase", need}},
		{"too old, version unknown", old, nil, []string{old, need, "make setup"}},
		{"too old", older, ortlib.ErrTooOld, []string{older, "1.4.0", need, "make setup"}},
	} {
		_, err := stock.OpenLibrary(c.path)
		if !errors.Is(err, stock.ErrLibrary) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: error %v", c.name, err)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: no %q in error %v", c.name, w, err)
			}
		}
		if _, err := stock.New(tiny(t), stock.Options{Library: c.path}); !errors.Is(err, stock.ErrLibrary) {
			t.Errorf("%s: engine: error %v", c.name, err)
		}
		if _, err := stock.NewPredictor("model.onnx", stock.Options{Library: c.path}); !errors.Is(err, stock.ErrLibrary) {
			t.Errorf("%s: predictor: error %v", c.name, err)
		}
		opens(t)
	}
}

// A process uses one library at a time: another can be opened once the first is closed.
func TestOneLibraryAtATime(t *testing.T) {
	needLibrary(t)
	path, err := ortlib.Find("")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	first, err := stock.OpenLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stock.OpenLibrary(link); !errors.Is(err, stock.ErrLibrary) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), link) {
		t.Errorf("a second library: error %v", err)
	}
	second, err := stock.OpenLibrary(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil { // twice counts once
		t.Error(err)
	}
	if _, err := stock.OpenLibrary(link); err == nil {
		t.Error("a second library opens while the first is in use")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	third, err := stock.OpenLibrary(link)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
	opens(t)
}
