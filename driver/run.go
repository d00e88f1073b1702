package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/google/renameio/v2"
)

// ErrRun is wrapped by errors about a run directory that cannot be used as asked.
var ErrRun = errors.New("run directory")

// Mode says what to do with a run directory that exists.
type Mode uint8

// The ways to open a run directory.
const (
	Create    Mode = iota // it must not exist, or be empty
	Resume                // continue what it holds
	Overwrite             // remove what it holds
)

// Run is a run directory:
//
//	config.json     the resolved configuration
//	metrics.jsonl   one line a step or evaluation
//	checkpoints/    step-N directories
//	model/          export of the best model
type Run struct {
	Dir     string
	metrics *os.File
}

// The names inside a run directory.
const (
	configFile     = "config.json"
	metricsFile    = "metrics.jsonl"
	checkpointsDir = "checkpoints"
	modelDir       = "model"
)

// OpenRun opens dir and writes config to its config.json. Resuming, config must equal what is there.
func OpenRun(dir string, mode Mode, config map[string]any) (*Run, error) {
	r := &Run{Dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening %w %s: %w", ErrRun, dir, err)
	}
	switch {
	case mode == Create && len(entries) > 0:
		return nil, fmt.Errorf("opening %w %s: it exists and is not empty; continue it with --resume, replace it with --overwrite, or choose another --out", ErrRun, dir)
	case mode == Overwrite && len(entries) > 0:
		if name := foreign(entries); name != "" {
			return nil, fmt.Errorf("overwriting %w %s: it holds %s, which no run wrote; remove it yourself or choose another --out", ErrRun, dir, name)
		}
		for _, name := range []string{configFile, metricsFile, checkpointsDir, modelDir} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("overwriting %w: %w", ErrRun, err)
			}
		}
	case mode == Resume:
		if err := r.compare(config); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, checkpointsDir), 0o755); err != nil {
		return nil, fmt.Errorf("creating %w: %w; choose an --out that can be written", ErrRun, err)
	}
	if err := writeJSON(filepath.Join(dir, configFile), config); err != nil {
		return nil, fmt.Errorf("writing %w: %w", ErrRun, err)
	}
	r.metrics, err = os.OpenFile(filepath.Join(dir, metricsFile), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening %w: %w", ErrRun, err)
	}
	return r, nil
}

// foreign returns the name of an entry that is not a run's nor hidden, or "".
func foreign(entries []os.DirEntry) string {
	for _, e := range entries {
		switch name := e.Name(); name {
		case configFile, metricsFile, checkpointsDir, modelDir:
		default:
			if !strings.HasPrefix(name, ".") {
				return name
			}
		}
	}
	return ""
}

// compare refuses to resume under another configuration, naming what differs.
func (r *Run) compare(config map[string]any) error {
	path := filepath.Join(r.Dir, configFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("resuming %w %s: %w; there is nothing to resume, leave --resume away", ErrRun, r.Dir, err)
	}
	var before map[string]any
	if err := json.Unmarshal(data, &before); err != nil {
		return fmt.Errorf("resuming %w %s: reading %s: %w", ErrRun, r.Dir, path, err)
	}
	now := map[string]any{}
	if data, err = json.Marshal(config); err == nil {
		err = json.Unmarshal(data, &now)
	}
	if err != nil {
		return fmt.Errorf("resuming %w %s: %w", ErrRun, r.Dir, err)
	}
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range now {
		keys[k] = true
	}
	var differences []string
	for k := range keys {
		if !reflect.DeepEqual(before[k], now[k]) {
			differences = append(differences, fmt.Sprintf("%s was %v and is now %v", k, before[k], now[k]))
		}
	}
	if len(differences) > 0 {
		sort.Strings(differences)
		return fmt.Errorf("resuming %w %s: the configuration differs: %s; resume with the same options", ErrRun, r.Dir, strings.Join(differences, "; "))
	}
	return nil
}

// Model returns the directory that holds the best model's export.
func (r *Run) Model() string { return filepath.Join(r.Dir, modelDir) }

// record appends one line to metrics.jsonl.
func (r *Run) record(line any) error {
	if r == nil {
		return nil
	}
	data, err := json.Marshal(line)
	if err == nil {
		_, err = r.metrics.Write(append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", r.metrics.Name(), err)
	}
	return nil
}

// truncate drops metrics of steps after step, of step's evaluation where that is due, and a torn last line, so that
// a resumed run repeats none.
func (r *Run) truncate(step int, evalDue bool) error {
	path := filepath.Join(r.Dir, metricsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("truncating metrics: %w", err)
	}
	keep := 0
	for line := range bytes.Lines(data) {
		var record EvalRecord // or a StepRecord, without a split
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &record) != nil ||
			record.Step > step || evalDue && record.Step == step && record.Split != "" {
			break
		}
		keep += len(line)
	}
	if err := r.metrics.Truncate(int64(keep)); err != nil {
		return fmt.Errorf("truncating metrics: %w", err)
	}
	return nil
}

// Close closes metrics.jsonl.
func (r *Run) Close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.metrics.Sync(), r.metrics.Close())
}

// writeJSON writes v, indented, in one step: a reader sees the old file or the new one.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(data, '\n'), 0o644)
}
