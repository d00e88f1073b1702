package trainapi

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
)

// spareVectors undoes ahead of the optimiser what its weight decay is about to do to the parameters that the manifest
// exempts: p ← p/(1 − lr·decay), where the optimiser begins with p ← p·(1 − lr·decay). They are few and short.
func (e *Engine) spareVectors(rate float64) error {
	decay := e.adamw.WeightDecay
	if !e.Manifest.Model.SpareVectors || decay == 0 || rate == 0 {
		return nil
	}
	keep := float32(1 - rate*decay)
	if !(keep > 0) {
		return fmt.Errorf("updating with learning rate %v and weight decay %v: their product must stay below 1", rate, decay)
	}
	for _, p := range e.spec.Parameters {
		if p.Decay {
			continue
		}
		t, err := e.checkpoint.Parameter(p.Name)
		if err != nil {
			return err
		}
		data, err := t.Float32s()
		if err != nil {
			return fmt.Errorf("reading parameter %q: %w", p.Name, err)
		}
		for i := range data {
			data[i] /= keep
		}
		if err := e.checkpoint.UpdateParameter(p.Name, capi.Tensor{Shape: t.Shape, Data: data}); err != nil {
			return err
		}
	}
	return nil
}
