package ortlib

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plant makes files with content below a new directory and returns it.
func plant(t *testing.T, paths ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range paths {
		p = filepath.Join(root, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestOrderOfPlaces(t *testing.T) {
	root := plant(t,
		"flag/libonnxruntime.so.1.30.0", "env/libonnxruntime.so.1.31.0",
		"proj/go.mod", "proj/.r3f/lib/libonnxruntime.so.1.32.0", "proj/sub/pkg/x.go",
		"home/cache/r3f-ort/lib/libonnxruntime.so.1.33.0",
		"elsewhere/x", "above/.r3f/lib/libonnxruntime.so.9.9.9", "above/noproject/x",
		"git/.git/HEAD", "git/sub/.r3f/lib/libonnxruntime.so.1.28.0", "git/.r3f/lib/libonnxruntime.so.1.29.0")
	in := func(p string) string { return filepath.Join(root, filepath.FromSlash(p)) }
	for _, c := range []struct{ name, explicit, env, wd, want string }{
		{"flag before all", in("flag/libonnxruntime.so.1.30.0"), in("env"), "proj", "flag/libonnxruntime.so.1.30.0"},
		{"flag names a directory", in("flag"), "", "proj", "flag/libonnxruntime.so.1.30.0"},
		{"flag relative to the working directory", "../flag/libonnxruntime.so.1.30.0", "", "proj", "flag/libonnxruntime.so.1.30.0"},
		{"environment before project", "", in("env"), "proj", "env/libonnxruntime.so.1.31.0"},
		{"project", "", "", "proj", "proj/.r3f/lib/libonnxruntime.so.1.32.0"},
		{"project from a package", "", "", "proj/sub/pkg", "proj/.r3f/lib/libonnxruntime.so.1.32.0"},
		{"nearest in a git tree", "", "", "git/sub", "git/sub/.r3f/lib/libonnxruntime.so.1.28.0"},
		{"cache", "", "", "elsewhere", "home/cache/r3f-ort/lib/libonnxruntime.so.1.33.0"},
		{"no parent outside a project", "", "", "above/noproject", "home/cache/r3f-ort/lib/libonnxruntime.so.1.33.0"},
	} {
		got, err := machine{goos: "linux", wd: in(c.wd), env: c.env, cache: in("home/cache")}.find(c.explicit)
		if err != nil || got != in(c.want) {
			t.Errorf("%s: got %s (%v), want %s", c.name, got, err, in(c.want))
		}
	}
}

// Training and stock libraries lie side by side and are not taken for each
// other; a path that is given may hold an official training build.
func TestTrainingLibrary(t *testing.T) {
	root := plant(t, "go.mod", ".r3f/lib/libonnxruntime.so.1.32.0", ".r3f/lib/libonnxruntime_training.so.1.19.2",
		".r3f/lib/onnxruntime_training_module.so", "official/libonnxruntime.so.1.19.2", "stock/go.mod", "stock/.r3f/lib/libonnxruntime.so.1.32.0")
	for _, c := range []struct{ wd, explicit, want string }{
		{"", "", ".r3f/lib/libonnxruntime_training.so.1.19.2"},
		{"", filepath.Join(root, ".r3f/lib"), ".r3f/lib/libonnxruntime_training.so.1.19.2"},
		{"", filepath.Join(root, "official"), "official/libonnxruntime.so.1.19.2"},
		{"stock", "", ""},
	} {
		m := machine{goos: "linux", wd: filepath.Join(root, c.wd), training: true}
		got, err := m.find(c.explicit)
		if c.want == "" {
			if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "setup-training") {
				t.Errorf("%+v: got %q, %v; want what to run", c, got, err)
			}
			continue
		}
		if want := filepath.Join(root, c.want); got != want || err != nil {
			t.Errorf("%+v: got %q (%v), want %s", c, got, err, want)
		}
	}
	got, err := machine{goos: "linux", wd: root}.find("")
	if want := filepath.Join(root, ".r3f/lib/libonnxruntime.so.1.32.0"); got != want {
		t.Errorf("the stock library is %q (%v), want %s", got, err, want)
	}
}

func TestNewestInADirectory(t *testing.T) {
	for _, c := range []struct {
		name, goos string
		files      []string
		want       string // "" where nothing fits
	}{
		{"numbers, not letters", "linux", []string{"libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0", "libonnxruntime.so.1.4.0"}, "libonnxruntime.so.1.32.0"},
		{"version before none", "linux", []string{"libonnxruntime.so", "libonnxruntime.so.1.25.0"}, "libonnxruntime.so.1.25.0"},
		{"plug-ins and others do not count", "linux", []string{"libonnxruntime_providers_shared.so", "libonnxruntime.so.1.32.0.tmp", "libonnxruntime.dylib"}, ""},
		{"macOS", "darwin", []string{"libonnxruntime.1.30.0.dylib", "libonnxruntime.1.32.0.dylib", "libonnxruntime.dylib", "libonnxruntime.so.2.0.0"}, "libonnxruntime.1.32.0.dylib"},
		{"Windows", "windows", []string{"onnxruntime.dll", "onnxruntime_providers_shared.dll"}, "onnxruntime.dll"},
	} {
		dir := plant(t, c.files...)
		got, problem := machine{goos: c.goos}.at(dir)
		if c.want == "" && got == "" && problem != "" {
			continue
		}
		if got != filepath.Join(dir, c.want) {
			t.Errorf("%s: got %q (%s), want %s", c.name, got, problem, c.want)
		}
	}
}

func TestBrokenEntriesAreSkipped(t *testing.T) {
	dir := plant(t, "libonnxruntime.so.1.26.0", "libonnxruntime.so.1.27.0/file")
	if err := os.WriteFile(filepath.Join(dir, "libonnxruntime.so.1.28.0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone", filepath.Join(dir, "libonnxruntime.so.1.29.0")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if got, problem := (machine{goos: "linux"}).at(dir); filepath.Base(got) != "libonnxruntime.so.1.26.0" {
		t.Errorf("got %q (%s)", got, problem)
	}
}

func TestNotFoundSaysWhereAndWhatToDo(t *testing.T) {
	root := plant(t, "go.mod", "sub/x", "cache/r3f-ort/lib/README")
	m := machine{goos: "linux", wd: filepath.Join(root, "sub"), cache: filepath.Join(root, "cache")}
	_, err := m.find("")
	var nf *NotFoundError
	if !errors.Is(err, ErrNotFound) || !errors.As(err, &nf) {
		t.Fatalf("got %v", err)
	}
	want := []string{
		filepath.Join(root, "sub", ".r3f", "lib") + ": does not exist",
		filepath.Join(root, ".r3f", "lib") + ": does not exist",
		filepath.Join(root, "cache", "r3f-ort", "lib") + ": holds no libonnxruntime.so",
	}
	if !slices.Equal(nf.Looked, want) {
		t.Errorf("looked at %q, want %q", nf.Looked, want)
	}
	for _, s := range append(want, "make setup", "r3f-ort runtime install") {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("message lacks %q:\n%v", s, err)
		}
	}
}

// A library that a person names and that is not there must not be replaced by
// another one silently.
func TestGivenPathsAreFinal(t *testing.T) {
	root := plant(t, "go.mod", ".r3f/lib/libonnxruntime.so.1.32.0")
	missing := filepath.Join(root, "missing.so")
	for _, m := range []struct {
		machine
		explicit, say string
	}{
		{machine{goos: "linux", wd: root}, missing, "as asked"},
		{machine{goos: "linux", wd: root, env: missing}, "", EnvVar},
	} {
		got, err := m.find(m.explicit)
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), m.say) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// Find itself, on this machine, through the environment.
func TestFindReadsTheEnvironment(t *testing.T) {
	lib := filepath.Join(plant(t, "custom.lib"), "custom.lib")
	t.Setenv(EnvVar, lib)
	if got, err := Find(""); err != nil || got != lib {
		t.Errorf("got %q, %v", got, err)
	}
}
