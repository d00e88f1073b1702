package driver

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/driver/loss"
)

// spectralHead applies R4F's normalisation W/σ₁(W) around an engine: normalise puts the normalised matrices in
// place of the weights, restore puts the weights back, and backward turns the gradients with respect to the
// normalised matrices into those of the weights.
type spectralHead struct {
	engine   Engine
	matrices []*headMatrix
}

type headMatrix struct {
	name             string
	weight, gradient []float32
	normalised       []float32
	spectral         *loss.Spectral
}

// newSpectralHead prepares for the head matrices in scope; for methods without normalisation it does nothing.
func newSpectralHead(e Engine, o *Options) (*spectralHead, error) {
	h := &spectralHead{engine: e}
	if !o.method.Spectral {
		return h, nil
	}
	spec := e.Spec()
	names := spec.Head
	if o.R4FScope == OutputOnly {
		names = names[len(names)-1:]
	}
	for _, name := range names {
		for _, p := range spec.Parameters {
			if p.Name != name {
				continue
			}
			n := p.Size()
			h.matrices = append(h.matrices, &headMatrix{name: name, weight: make([]float32, n), gradient: make([]float32, n), normalised: make([]float32, n), spectral: loss.NewSpectral(p.Shape[0], p.Shape[1])})
		}
	}
	if len(h.matrices) != len(names) {
		return nil, fmt.Errorf("setting up R4F: the model lacks some of the head matrices %v", names)
	}
	return h, nil
}

// normalise replaces each weight in the engine by W/σ₁(W).
func (h *spectralHead) normalise() error {
	for _, m := range h.matrices {
		if err := h.engine.Read(Value, m.name, m.weight); err != nil {
			return err
		}
		if err := m.spectral.Normalise(m.weight, m.normalised); err != nil {
			return fmt.Errorf("normalising %s: %w", m.name, err)
		}
		if err := h.engine.Write(Value, m.name, m.normalised); err != nil {
			return err
		}
	}
	return nil
}

// restore puts the weights back.
func (h *spectralHead) restore() error {
	for _, m := range h.matrices {
		if err := h.engine.Write(Value, m.name, m.weight); err != nil {
			return err
		}
	}
	return nil
}

// backward replaces the gradients of the normalised matrices by those of the weights.
func (h *spectralHead) backward() error {
	for _, m := range h.matrices {
		if err := h.engine.Read(Gradient, m.name, m.gradient); err != nil {
			return err
		}
		m.spectral.Backward(m.gradient, m.gradient)
		if err := h.engine.Write(Gradient, m.name, m.gradient); err != nil {
			return err
		}
	}
	return nil
}
