package ortlib

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// EnvVar is the environment variable that names the library.
const EnvVar = "R3F_ORT_LIBRARY"

const (
	howToGet         = "run make setup or r3f-ort runtime install, or name a library with --ort-library or " + EnvVar
	howToGetTraining = "run make setup-training, or name a training build of 1.19 with --ort-library or " + EnvVar
)

// ErrNotFound marks a library that is nowhere; the error is a *NotFoundError.
var ErrNotFound = errors.New("ONNX Runtime library not found")

// NotFoundError lists the places that were searched.
type NotFoundError struct {
	Looked   []string // in order, each with what is wrong there
	Training bool     // a library with the training API was looked for
}

// Error lists the places and says how to get a library.
func (e *NotFoundError) Error() string {
	advice := howToGet
	if e.Training {
		advice = howToGetTraining
	}
	return fmt.Sprintf("%v; looked at\n  %s\n%s", ErrNotFound, strings.Join(e.Looked, "\n  "), advice)
}

// Unwrap gives ErrNotFound.
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// Find gives the absolute path of the library by the order in the package
// comment; explicit may be empty. A path given by flag or environment that
// holds no library is an error: no later place is tried.
func Find(explicit string) (string, error) { return find(explicit, false) }

// FindTraining is Find for a library with the training API. make setup-training
// gives it a name of its own, libonnxruntime_training.so.1.19.2, so that it can
// lie beside the stock library; under that name alone it is looked for by
// convention, while a path that is given may hold an official training build,
// which is called as stock ones are.
func FindTraining(explicit string) (string, error) { return find(explicit, true) }

func find(explicit string, training bool) (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the ONNX Runtime library: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = "" // no home directory: one place less
	}
	return machine{runtime.GOOS, wd, os.Getenv(EnvVar), cache, training}.find(explicit)
}

// machine is what Find depends on.
type machine struct {
	goos, wd, env, cache string
	training             bool
}

func (m machine) find(explicit string) (string, error) {
	for _, given := range []struct{ path, by string }{{explicit, "as asked"}, {m.env, EnvVar}} {
		if given.path == "" {
			continue
		}
		path := given.path
		// dlopen searches the system's directories for a bare name: make it a path.
		if !filepath.IsAbs(path) {
			path = filepath.Join(m.wd, path)
		}
		lib, problem := m.at(path)
		if problem != "" && m.training { // an official training build has the stock library's name
			stock := m
			stock.training = false
			if official, none := stock.at(path); none == "" {
				return official, nil
			}
		}
		if problem != "" {
			return "", &NotFoundError{[]string{fmt.Sprintf("%s (%s): %s", path, given.by, problem)}, m.training}
		}
		return lib, nil
	}
	var looked []string
	for _, dir := range m.dirs() {
		lib, problem := m.at(dir)
		if problem == "" {
			return lib, nil
		}
		looked = append(looked, dir+": "+problem)
	}
	return "", &NotFoundError{looked, m.training}
}

// dirs lists the directories that hold libraries by convention. Directories
// above the working directory count only inside a project: a library planted in
// a shared parent such as /tmp must not be loaded.
func (m machine) dirs() []string {
	up := []string{m.wd}
	for dir := m.wd; ; dir = filepath.Dir(dir) {
		if dir != m.wd {
			up = append(up, dir)
		}
		if exists(filepath.Join(dir, "go.mod")) || exists(filepath.Join(dir, ".git")) {
			break
		}
		if dir == filepath.Dir(dir) { // the root, and no project found
			up = up[:1]
			break
		}
	}
	for i := range up {
		up[i] = filepath.Join(up[i], ".r3f", "lib")
	}
	if m.cache != "" {
		up = append(up, filepath.Join(m.cache, "r3f-ort", "lib"))
	}
	return up
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// at gives the library at path, a file or a directory, or says what is wrong.
func (m machine) at(path string) (lib, problem string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", "does not exist"
	case err != nil:
		return "", errors.Unwrap(err).Error()
	case info.IsDir():
		return m.newest(path)
	}
	return path, usable(info)
}

// usable says what keeps a file from being a library, "" if nothing does.
func usable(info os.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "is not a regular file"
	}
	if info.Size() == 0 {
		return "is empty"
	}
	return ""
}

// newest gives the library of the highest version in dir; a file without a
// version in its name counts as the oldest, and of equals the first by name wins.
func (m machine) newest(dir string) (lib, problem string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", errors.Unwrap(err).Error()
	}
	names := m.fileNames()
	var best Version
	for _, e := range entries { // sorted by name
		path := filepath.Join(dir, e.Name())
		if !names.MatchString(e.Name()) {
			continue
		}
		info, err := os.Stat(path) // through links
		if err != nil || usable(info) != "" {
			continue
		}
		if v, _ := FileVersion(path); lib == "" || v.Compare(best) > 0 {
			lib, best = path, v
		}
	}
	if lib == "" {
		return "", "holds no " + m.libraryName()
	}
	return lib, ""
}

// libraryName is the library's name without a version.
func (m machine) libraryName() string {
	name := "onnxruntime"
	if m.training {
		name += "_training"
	}
	switch m.goos {
	case "windows":
		return name + ".dll"
	case "darwin", "ios":
		return "lib" + name + ".dylib"
	}
	return "lib" + name + ".so"
}

// fileNames matches the library's file names on a system: with and without a
// version, but not its provider plug-ins (libonnxruntime_providers_shared.so).
func (m machine) fileNames() *regexp.Regexp {
	name := m.libraryName()
	switch base, extension, _ := strings.Cut(name, "."); m.goos {
	case "windows":
		return regexp.MustCompile(`(?i)^` + regexp.QuoteMeta(name) + `$`)
	case "darwin", "ios":
		return regexp.MustCompile(`^` + base + `(\.\d+)*\.` + extension + `$`)
	}
	return regexp.MustCompile(`^` + regexp.QuoteMeta(name) + `(\.\d+)*$`)
}
