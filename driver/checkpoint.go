package driver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// ErrCheckpoint is wrapped by errors about checkpoints that cannot be read.
var ErrCheckpoint = errors.New("checkpoint")

// checkpointFormat is the version of the checkpoint layout.
const checkpointFormat = 1

// state is what a run needs besides the tensors. Sampler, noise and masks are functions of the step.
type state struct {
	Format   int                `json:"format"`
	Step     int                `json:"step"` // updates done
	Seed     uint64             `json:"seed"`
	EvalDue  bool               `json:"eval_due,omitempty"`  // the evaluation of this step was interrupted
	Metrics  map[string]float64 `json:"metrics,omitempty"`   // of the last evaluation
	Best     map[string]float64 `json:"best,omitempty"`      // of the best evaluation so far
	BestStep int                `json:"best_step,omitempty"` // when that was
}

// manifest lists a checkpoint's files; it is written last.
type manifest struct {
	Format int                     `json:"format"`
	Files  map[string]manifestFile `json:"files"`
}

type manifestFile struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// The files of a checkpoint.
const (
	weightsFile  = "model.safetensors"
	momentsFile  = "moments.safetensors"
	stateFile    = "state.json"
	manifestName = "manifest.json"
	engineFiles  = "engine" // directory of a StateKeeper's files
	stepPrefix   = "step-"
)

// save writes the engine's parameters and moments and the state as checkpoints/step-N: under a temporary name,
// every file synced, the manifest last, then renamed. Older checkpoints beyond keep are removed afterwards.
func (r *Run) save(e Engine, s state, keep int) (err error) {
	root := filepath.Join(r.Dir, checkpointsDir)
	final := filepath.Join(root, stepPrefix+strconv.Itoa(s.Step))
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %w %s: %w", ErrCheckpoint, final, err)
		}
	}()
	temporary, err := os.MkdirTemp(root, ".tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	s.Format = checkpointFormat
	var weights, moments []safetensors.Tensor
	for _, p := range e.Spec().Parameters {
		for _, k := range []struct {
			kind   Kind
			prefix string
			into   *[]safetensors.Tensor
		}{{Value, "", &weights}, {FirstMoment, "m.", &moments}, {SecondMoment, "v.", &moments}} {
			if k.kind != Value && e.Spec().OwnMoments {
				continue
			}
			data, err := Tensor(e, k.kind, p)
			if err != nil {
				return err
			}
			*k.into = append(*k.into, safetensors.FromFloat32s(k.prefix+p.Name, p.Shape, data))
		}
	}
	if err := errors.Join(
		safetensors.WriteFile(filepath.Join(temporary, weightsFile), weights, map[string]string{"format": "pt"}),
		safetensors.WriteFile(filepath.Join(temporary, momentsFile), moments, nil),
		writeJSON(filepath.Join(temporary, stateFile), s),
	); err != nil {
		return err
	}
	kept, err := keepState(temporary, e)
	if err != nil {
		return err
	}
	m := manifest{Format: checkpointFormat, Files: map[string]manifestFile{}}
	for _, name := range append(kept, weightsFile, momentsFile, stateFile) {
		if m.Files[name], err = fingerprint(filepath.Join(temporary, name)); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(temporary, manifestName), m); err != nil {
		return err
	}
	if err := errors.Join(syncDir(temporary), os.RemoveAll(final), os.Rename(temporary, final), syncDir(root)); err != nil {
		return err
	}
	return r.prune(s.Step, keep)
}

// keepState lets an engine with state of its own write it, and lists the files.
func keepState(checkpoint string, e Engine) ([]string, error) {
	k, ok := e.(StateKeeper)
	if !ok {
		return nil, nil
	}
	dir := filepath.Join(checkpoint, engineFiles)
	if err := errors.Join(os.Mkdir(dir, 0o755), k.SaveState(dir)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, f := range entries {
		names = append(names, engineFiles+"/"+f.Name())
	}
	return names, errors.Join(err, syncDir(dir))
}

// prune removes all checkpoints but the keep newest up to step. Those after it did not verify when the run was
// resumed: left alone, they would count as the newest.
func (r *Run) prune(step, keep int) error {
	steps, err := r.steps()
	if err != nil {
		return err
	}
	at, _ := slices.BinarySearch(steps, step)
	for _, old := range slices.Delete(steps, max(0, at+1-keep), at+1) {
		if err := os.RemoveAll(r.checkpoint(old)); err != nil {
			return err
		}
	}
	return nil
}

// steps lists the checkpoints' steps in ascending order.
func (r *Run) steps() ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(r.Dir, checkpointsDir))
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), stepPrefix)); err == nil && e.Name() == filepath.Base(r.checkpoint(n)) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (r *Run) checkpoint(step int) string {
	return filepath.Join(r.Dir, checkpointsDir, stepPrefix+strconv.Itoa(step))
}

// load reads the newest checkpoint that verifies into the engine. skipped lists newer ones that did not.
func (r *Run) load(e Engine) (s state, skipped []error, err error) {
	steps, err := r.steps()
	if err != nil {
		return state{}, nil, fmt.Errorf("looking for a %w: %w", ErrCheckpoint, err)
	}
	for _, step := range slices.Backward(steps) {
		dir := r.checkpoint(step)
		if s, err = loadCheckpoint(dir, e); err == nil && s.Step != step {
			err = fmt.Errorf("it holds step %d", s.Step)
		}
		if err == nil {
			return s, skipped, nil
		}
		skipped = append(skipped, fmt.Errorf("skipping %w %s: %w", ErrCheckpoint, dir, err))
	}
	if len(skipped) > 0 {
		return state{}, skipped, fmt.Errorf("resuming %s: no %w verifies: %w", r.Dir, ErrCheckpoint, errors.Join(skipped...))
	}
	return state{}, nil, nil
}

func loadCheckpoint(dir string, e Engine) (state, error) {
	var m manifest
	if err := readJSON(filepath.Join(dir, manifestName), &m); err != nil {
		return state{}, err
	}
	if m.Format != checkpointFormat {
		return state{}, fmt.Errorf("its format is %d; this program reads format %d", m.Format, checkpointFormat)
	}
	names := []string{weightsFile, momentsFile, stateFile}
	for name := range m.Files {
		if strings.HasPrefix(name, engineFiles+"/") && filepath.IsLocal(name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		got, err := fingerprint(filepath.Join(dir, name))
		if err != nil {
			return state{}, err
		}
		if got != m.Files[name] {
			return state{}, fmt.Errorf("%s does not match the manifest: it is damaged", name)
		}
	}
	var s state
	if err := readJSON(filepath.Join(dir, stateFile), &s); err != nil {
		return state{}, err
	}
	weights, err := safetensors.Open(filepath.Join(dir, weightsFile))
	if err != nil {
		return state{}, err
	}
	defer weights.Close()
	moments, err := safetensors.Open(filepath.Join(dir, momentsFile))
	if err != nil {
		return state{}, err
	}
	defer moments.Close()
	for _, p := range e.Spec().Parameters {
		err := restore(e, Value, p, weights, p.Name)
		if !e.Spec().OwnMoments {
			err = errors.Join(err, restore(e, FirstMoment, p, moments, "m."+p.Name), restore(e, SecondMoment, p, moments, "v."+p.Name))
		}
		if err != nil {
			return state{}, err
		}
	}
	if k, ok := e.(StateKeeper); ok {
		return s, k.LoadState(filepath.Join(dir, engineFiles))
	}
	return s, nil
}

// restore copies one tensor of a checkpoint into the engine.
func restore(e Engine, kind Kind, p Parameter, f *safetensors.File, name string) error {
	t, ok := f.Tensor(name)
	if !ok {
		return fmt.Errorf("tensor %q is missing", name)
	}
	data, err := t.Float32s(nil)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	return e.Write(kind, p.Name, data)
}

func fingerprint(path string) (manifestFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return manifestFile{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return manifestFile{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
