package stock

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// program is one variant of the model, loaded: the forward session, and for training variants the backward one.
type program struct {
	forward, backward *session
	masks             []*graphs.Value
	dense             []string
	rows              []graphs.RowTable
}

// program returns the variant's sessions, compiling them at first use.
func (e *Engine) program(v driver.Variant) (*program, error) {
	e.compiling.Lock()
	defer e.compiling.Unlock()
	if p := e.programs[v]; p != nil {
		return p, nil
	}
	if e.programs == nil {
		return nil, fmt.Errorf("running the %v graph: the engine is closed", variantNames[v])
	}
	p, err := e.compile(v)
	if err != nil {
		return nil, fmt.Errorf("compiling the %v graph: %w", variantNames[v], err)
	}
	e.programs[v] = p
	return p, nil
}

var variantNames = [...]string{driver.Evaluate: "evaluation", driver.Clean: "clean", driver.Noised: "noised", driver.Doubled: "doubled"}

func (e *Engine) compile(v driver.Variant) (*program, error) {
	o := graphs.Options{Doubled: v == driver.Doubled, Noise: v == driver.Noised, WholeSequence: e.options.WholeSequence}
	if v == driver.Evaluate {
		g, err := e.model.Prepare(o, nil)
		if err != nil {
			return nil, err
		}
		forward, err := newSession(g, e.options)
		return &program{forward: forward}, err
	}
	o.Dropout = e.options.Dropout
	compiled, err := e.model.Compile(o, e.options.NoiseGradient && v != driver.Clean)
	if err != nil {
		return nil, err
	}
	forward, err := newSession(compiled.Forward, e.options)
	if err != nil {
		return nil, err
	}
	backward, err := newSession(compiled.Backward, e.options)
	if err != nil {
		return nil, errors.Join(err, forward.Destroy())
	}
	return &program{forward: forward, backward: backward, masks: compiled.Masks, dense: compiled.Dense, rows: compiled.RowTables}, nil
}

func (p *program) close() error {
	var errs []error
	for _, s := range []*session{p.forward, p.backward} {
		if s != nil {
			errs = append(errs, s.Destroy())
		}
	}
	return errors.Join(errs...)
}

// Fingerprint returns the SHA-256 of those of the variant's ONNX models. It changes with the model's shape,
// with the passes, and with how they are written.
func (e *Engine) Fingerprint(v driver.Variant) (string, error) {
	p, err := e.program(v)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, s := range []*session{p.forward, p.backward} {
		if s != nil {
			h.Write(s.sum[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// MaskSizes returns the bytes of each dropout site's mask for a batch, in site order.
func (e *Engine) MaskSizes(v driver.Variant, size, tokens int) ([]int, error) {
	p, err := e.program(v)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(p.masks))
	for i, m := range p.masks {
		out[i] = m.Shape.Product().Size(size, tokens)
	}
	return out, nil
}
