package stock

import (
	"errors"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// ErrLibrary is wrapped by every error about the ONNX Runtime library itself.
var ErrLibrary = errors.New("ONNX Runtime library")

// environment counts the users of the process's one ONNX Runtime environment, which the binding keeps as
// process state.
var environment struct {
	sync.Mutex
	path  string
	users int
}

// Library is an open ONNX Runtime library.
type Library struct {
	Path    string // file that was loaded
	Version string // as the library reports it
	open    bool   // this value counts as a user
}

// OpenLibrary loads the library at path, or the one ortlib.Find finds where path is empty, and sets up one
// arena that every session of the process shares. A process can use one library at a time. Close it when done.
func OpenLibrary(path string) (*Library, error) {
	path, err := ortlib.Find(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLibrary, err)
	}
	environment.Lock()
	defer environment.Unlock()
	if environment.users > 0 {
		if environment.path != path {
			return nil, fmt.Errorf("%w: opening %s: the process already uses %s; close it first", ErrLibrary, path, environment.path)
		}
		environment.users++
		return &Library{Path: path, Version: ort.GetVersion(), open: true}, nil
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		if v, ok := ortlib.FileVersion(path); ok {
			err = errors.Join(err, ortlib.Require(path, v, ortlib.MinStock))
		}
		return nil, fmt.Errorf("%w: loading %s: %w; version %s or newer is needed, `make setup` installs one", ErrLibrary, path, err, ortlib.MinStock)
	}
	if err := shareArena(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: setting up the shared arena of %s: %w", ErrLibrary, path, err), ort.DestroyEnvironment())
	}
	environment.path, environment.users = path, 1
	return &Library{Path: path, Version: ort.GetVersion(), open: true}, nil
}

// shareArena registers one allocator for all sessions. It grows by what is asked for, not to the next power of
// two: with the sessions' own arenas the same step takes half as much memory again.
func shareArena() error {
	const sameAsRequested = 1
	config, err := ort.NewArenaCfg(0, sameAsRequested, -1, -1)
	if err != nil {
		return err
	}
	defer config.Destroy()
	info, err := ort.GetMemoryInfo()
	if err != nil {
		return err
	}
	return ort.CreateAndRegisterAllocator(info, config)
}

// Close gives the library up; the last user unloads it. Closing twice is harmless.
func (l *Library) Close() error {
	environment.Lock()
	defer environment.Unlock()
	if !l.open {
		return nil
	}
	l.open = false
	if environment.users--; environment.users > 0 {
		return nil
	}
	if err := ort.DestroyEnvironment(); err != nil {
		return fmt.Errorf("closing the ONNX Runtime library: %w", err)
	}
	return nil
}
