package trainapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
)

// SaveState writes the checkpoint, with the moments and the step of the optimiser, to dir.
func (e *Engine) SaveState(dir string) error {
	return e.checkpoint.Save(filepath.Join(dir, artifacts.Checkpoint), true)
}

// LoadState reads what SaveState wrote. On an error the engine is as it was.
func (e *Engine) LoadState(dir string) error {
	c, s, err := e.load(filepath.Join(dir, artifacts.Checkpoint))
	if err != nil {
		return err
	}
	for _, p := range e.spec.Parameters {
		if shape, err := c.ParameterShape(p.Name); err != nil || !slices.Equal(shape, sizes(p)) {
			return errors.Join(fmt.Errorf("the checkpoint has parameter %s with shape %v, the model with %v", p.Name, shape, p.Shape), err, s.Close(), c.Close())
		}
	}
	err = errors.Join(e.session.Close(), e.checkpoint.Close())
	e.checkpoint, e.session = c, s
	return err
}

func sizes(p driver.Parameter) []int64 {
	out := make([]int64, len(p.Shape))
	for i, d := range p.Shape {
		out[i] = int64(d)
	}
	return out
}

// Read copies a parameter out of the checkpoint.
func (e *Engine) Read(kind driver.Kind, name string, dst []float32) error {
	if _, err := e.parameter("reading", kind, name, len(dst)); err != nil {
		return err
	}
	t, err := e.checkpoint.Parameter(name)
	if err != nil {
		return err
	}
	data, err := t.Float32s()
	if err != nil {
		return fmt.Errorf("reading parameter %q: %w", name, err)
	}
	copy(dst, data)
	return nil
}

// Write copies a parameter into the checkpoint.
func (e *Engine) Write(kind driver.Kind, name string, src []float32) error {
	p, err := e.parameter("writing", kind, name, len(src))
	if err != nil {
		return err
	}
	return e.checkpoint.UpdateParameter(name, capi.Tensor{Shape: sizes(p), Data: src})
}

func (e *Engine) parameter(doing string, kind driver.Kind, name string, n int) (driver.Parameter, error) {
	if kind != driver.Value {
		return driver.Parameter{}, fmt.Errorf("%s a gradient or moment of %q: the training API keeps them to itself: %w", doing, name, errors.ErrUnsupported)
	}
	for _, p := range e.spec.Parameters {
		if p.Name == name {
			if n != p.Size() {
				return p, fmt.Errorf("%s parameter %q: %d elements for shape %v", doing, name, n, p.Shape)
			}
			return p, nil
		}
	}
	return driver.Parameter{}, fmt.Errorf("%s parameter %q: the model has no such parameter", doing, name)
}

// Fingerprint returns the SHA-256 of the three models, which one variant or another runs.
func (e *Engine) Fingerprint(driver.Variant) (string, error) {
	h := sha256.New()
	for _, name := range []string{artifacts.TrainingModel, artifacts.EvalModel, artifacts.OptimizerModel} {
		data, err := os.ReadFile(filepath.Join(e.dir, name))
		if err != nil {
			return "", fmt.Errorf("%w: %w", artifacts.ErrArtifacts, err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
