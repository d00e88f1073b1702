package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// Restore reads the newest checkpoint of the run directory dir that verifies into the engine, ready to be exported:
// with R4F's head normalised where the options say so. It returns the checkpoint's step.
func Restore(e Engine, dir string, options Options) (int, error) {
	o, err := options.withDefaults()
	if err != nil {
		return 0, err
	}
	s, _, err := (&Run{Dir: dir}).load(e, func(state) error { return nil })
	if err != nil {
		return 0, err
	}
	if s.Step == 0 {
		return 0, fmt.Errorf("restoring %w %s: it holds no checkpoint", ErrRun, dir)
	}
	head, err := newSpectralHead(e, o)
	if err != nil {
		return 0, err
	}
	return s.Step, head.normalise()
}

// load reads the newest checkpoint that verifies into the engine, unless admit refuses its state. skipped lists newer
// ones that did not verify.
func (r *Run) load(e Engine, admit func(state) error) (s state, skipped []error, err error) {
	steps, err := r.steps()
	if err != nil {
		return state{}, nil, fmt.Errorf("looking for a %w: %w", ErrCheckpoint, err)
	}
	for _, step := range slices.Backward(steps) {
		dir := r.checkpoint(step)
		if s, err = verify(dir, step); err == nil {
			if err := admit(s); err != nil {
				return state{}, skipped, err
			}
			if err = readTensors(dir, e); err == nil {
				return s, skipped, nil
			}
		}
		skipped = append(skipped, fmt.Errorf("skipping %w %s: %w", ErrCheckpoint, dir, err))
	}
	if len(skipped) > 0 {
		return state{}, skipped, fmt.Errorf("resuming %s: no %w verifies: %w", r.Dir, ErrCheckpoint, errors.Join(skipped...))
	}
	return state{}, nil, nil
}

// verify checks every byte of a checkpoint and returns its state.
func verify(dir string, step int) (state, error) {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return state{}, errors.Join(errors.New("it is no directory"), err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return state{}, err
	}
	defer root.Close()
	if _, err := readManifest(root); err != nil {
		return state{}, err
	}
	data, err := readLimited(root, stateFile)
	if err != nil {
		return state{}, err
	}
	s, err := parseState(data)
	if err == nil && s.Step != step {
		err = fmt.Errorf("it holds step %d", s.Step)
	}
	if err != nil {
		return state{}, fmt.Errorf("reading %s: %w", stateFile, err)
	}
	return s, nil
}

// readTensors reads a checkpoint's tensors, and a StateKeeper's files, into the engine.
func readTensors(dir string, e Engine) error {
	weights, err := safetensors.Open(filepath.Join(dir, weightsFile))
	if err != nil {
		return err
	}
	defer weights.Close()
	moments, err := safetensors.Open(filepath.Join(dir, momentsFile))
	if err != nil {
		return err
	}
	defer moments.Close()
	parameters := e.Spec().Parameters
	own := e.Spec().OwnMoments
	if n, m := len(weights.Names()), len(moments.Names()); n != len(parameters) || m != 2*n && !(own && m == 0) {
		return fmt.Errorf("it holds %d parameters and %d moments; the model has %d parameters", n, m, len(parameters))
	}
	for _, p := range parameters {
		err := readTensor(e, Value, p, weights, p.Name)
		if !own {
			err = errors.Join(err, readTensor(e, FirstMoment, p, moments, "m."+p.Name), readTensor(e, SecondMoment, p, moments, "v."+p.Name))
		}
		if err != nil {
			return err
		}
	}
	if k, ok := e.(StateKeeper); ok {
		return k.LoadState(filepath.Join(dir, engineFiles))
	}
	return nil
}

// readTensor copies one tensor of a checkpoint into the engine.
func readTensor(e Engine, kind Kind, p Parameter, f *safetensors.File, name string) error {
	t, ok := f.Tensor(name)
	if !ok {
		return fmt.Errorf("tensor %q is missing", name)
	}
	if t.DType != safetensors.F32 || !slices.Equal(t.Shape, p.Shape) {
		return fmt.Errorf("%v is not the model's, F32 %v", t, p.Shape)
	}
	data, err := t.Float32s(nil)
	if err != nil {
		return err
	}
	return e.Write(kind, p.Name, data)
}
