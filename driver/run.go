package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/r3f-ort/r3f-ort/internal/confine"
	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// ErrRun is wrapped by errors about a run directory that cannot be used as asked.
var ErrRun = errors.New("run directory")

// Mode says what to do with a run directory that exists.
type Mode uint8

// The ways to open a run directory.
const (
	Create      Mode = iota // it must not exist, or be empty
	Resume                  // continue what it holds, where nothing that decides the result has changed
	ForceResume             // continue what it holds, whatever has changed
	Overwrite               // remove what it holds
)

// Run is a run directory, locked for this process until Close:
//
//	config.json     the resolved configuration
//	metrics.jsonl   one line a step or evaluation
//	checkpoints/    step-N directories
//	model/          export of the best model
type Run struct {
	Dir     string
	fs      durable.FS
	lock    *durable.Lock
	metrics *journal
	config  map[string]any // as JSON decodes it
	force   bool           // resume whatever has changed
	notes   []string       // what opening it found, for Options.OnNote
}

// The names inside a run directory.
const (
	configFile     = "config.json"
	metricsFile    = "metrics.jsonl"
	checkpointsDir = "checkpoints"
	modelDir       = "model"
)

// contents are the names in a run directory and what they are.
var contents = map[string]fs.FileMode{configFile: 0, metricsFile: 0, checkpointsDir: fs.ModeDir, modelDir: fs.ModeDir, durable.LockFile: 0}

// describe names a type of file.
func describe(kind fs.FileMode) string {
	switch kind {
	case 0:
		return "file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symbolic link"
	}
	return "special file"
}

// OpenRun opens dir and writes config to its config.json. Resuming, config must agree with what is there in every key
// that can change a result. What a crash left under temporary names is removed. Close the run when done.
func OpenRun(dir string, mode Mode, config map[string]any) (*Run, error) {
	return OpenRunOn(durable.OS{}, dir, mode, config)
}

// OpenRunOn is OpenRun with all writes through fsys, for tests of what failing disks and crashes leave.
func OpenRunOn(fsys durable.FS, dir string, mode Mode, config map[string]any) (*Run, error) {
	r := &Run{Dir: dir, fs: fsys, force: mode == ForceResume}
	var err error
	if r.config, err = plain(config); err != nil {
		return nil, fmt.Errorf("opening %w %s: %w", ErrRun, dir, err)
	}
	if err := r.admit(mode); err != nil { // before anything is made
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating %w: %w; choose an --out that can be written", ErrRun, err)
	}
	if r.lock, err = durable.Acquire(dir); err != nil {
		return nil, fmt.Errorf("opening %w %s: %w; wait for it, stop it, or choose another --out", ErrRun, dir, err)
	}
	if r.lock.Stale != "" {
		r.notes = append(r.notes, fmt.Sprintf("%s was left locked by %s, which is gone: taking it over", dir, r.lock.Stale))
	}
	err = r.admit(mode) // now that nobody else changes it
	if err == nil {
		err = r.prepare(mode)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// admit reports why the directory cannot be used as asked. It changes nothing.
func (r *Run) admit(mode Mode) error {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening %w %s: %w", ErrRun, r.Dir, err)
	}
	taken := ""
	for _, e := range entries {
		if e.Name() != durable.LockFile {
			taken = e.Name()
		}
		if kind, ours := contents[e.Name()]; ours && e.Type() != kind {
			return fmt.Errorf("opening %w %s: %s is a %v; a run reads and writes no links and no devices, and has a %v there", ErrRun, r.Dir, e.Name(), describe(e.Type()), describe(kind))
		}
	}
	switch {
	case mode == Create && taken != "":
		return fmt.Errorf("opening %w %s: it exists and is not empty; continue it with --resume, replace it with --overwrite, or choose another --out", ErrRun, r.Dir)
	case mode == Overwrite:
		if name := foreign(entries); name != "" {
			return fmt.Errorf("overwriting %w %s: it holds %s, which no run wrote; remove it yourself or choose another --out", ErrRun, r.Dir, name)
		}
	case mode == Resume || mode == ForceResume:
		return r.compare()
	}
	return nil
}

// prepare makes the directory what mode wants of it.
func (r *Run) prepare(mode Mode) error {
	if mode == Overwrite {
		for _, name := range []string{configFile, metricsFile, checkpointsDir, modelDir} {
			if err := r.fs.Remove(filepath.Join(r.Dir, name)); err != nil {
				return fmt.Errorf("overwriting %w: %w", ErrRun, err)
			}
		}
	}
	checkpoints := filepath.Join(r.Dir, checkpointsDir)
	if err := os.MkdirAll(checkpoints, 0o755); err != nil {
		return fmt.Errorf("creating %w: %w; choose an --out that can be written", ErrRun, err)
	}
	for _, dir := range []string{r.Dir, checkpoints} {
		found, err := durable.Sweep(r.fs, dir)
		if err != nil {
			return fmt.Errorf("sweeping %w: %w", ErrRun, err)
		}
		for _, name := range found {
			r.notes = append(r.notes, fmt.Sprintf("swept %s, which an interrupted write left", filepath.Join(dir, name)))
		}
	}
	if err := r.writeConfig(); err != nil {
		return fmt.Errorf("writing %w: %w%s", ErrRun, err, durable.Advice(err))
	}
	var err error
	if r.metrics, err = openJournal(r.fs, filepath.Join(r.Dir, metricsFile)); err != nil {
		return fmt.Errorf("opening %w: %w", ErrRun, err)
	}
	if err := errors.Join(r.fs.SyncDir(r.Dir), r.fs.SyncDir(filepath.Dir(r.Dir))); err != nil {
		return fmt.Errorf("creating %w: %w", ErrRun, err)
	}
	return nil
}

// writeConfig writes config.json where it is not there as it should be.
func (r *Run) writeConfig() error {
	path := filepath.Join(r.Dir, configFile)
	data, err := encodeJSON(r.config)
	if err != nil {
		return err
	}
	if before, err := confine.ReadFile(path); err == nil && bytes.Equal(before, data) {
		return nil
	}
	return durable.ReplaceFile(r.fs, path, writeBytes(data))
}

// foreign returns the name of an entry that is not a run's nor hidden, or "".
func foreign(entries []os.DirEntry) string {
	for _, e := range entries {
		if _, ours := contents[e.Name()]; !ours && !strings.HasPrefix(e.Name(), ".") {
			return e.Name()
		}
	}
	return ""
}

// compare refuses to resume under another configuration, naming what differs.
func (r *Run) compare() error {
	path := filepath.Join(r.Dir, configFile)
	data, err := confine.ReadFile(path)
	if err != nil {
		return fmt.Errorf("resuming %w %s: %w; there is nothing to resume, leave --resume away", ErrRun, r.Dir, err)
	}
	var before map[string]any
	if err := json.Unmarshal(data, &before); err != nil {
		return fmt.Errorf("resuming %w %s: reading %s: %w", ErrRun, r.Dir, path, err)
	}
	return r.refuse(differences(before, r.config))
}

// refuse is the error about what differs from before, unless nothing does or the run is resumed by force.
func (r *Run) refuse(differences []string) error {
	if len(differences) == 0 || r.force {
		return nil
	}
	return fmt.Errorf("resuming %w %s: it would not end in the same bytes: %s; resume with what it began with, or go on all the same with --resume-force",
		ErrRun, r.Dir, strings.Join(differences, "; "))
}

// Model returns the directory that holds the best model's export.
func (r *Run) Model() string { return filepath.Join(r.Dir, modelDir) }

// record appends one line to metrics.jsonl.
func (r *Run) record(line any) error {
	if r == nil {
		return nil
	}
	return r.metrics.write(line)
}

// Close closes metrics.jsonl and unlocks the directory. Closing twice is harmless.
func (r *Run) Close() error {
	if r == nil {
		return nil
	}
	err := errors.Join(r.metrics.close(), r.lock.Release())
	r.metrics = nil
	return err
}
