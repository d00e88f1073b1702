package stock

import (
	"context"
	"fmt"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// Forward runs the variant's forward graph. Saved activations are written by ONNX Runtime straight into the
// engine's slab, where the backward graph reads them.
func (e *Engine) Forward(ctx context.Context, b *driver.Batch) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := e.program(b.Variant)
	if err != nil {
		return nil, err
	}
	if err := e.check(b, p); err != nil {
		return nil, fmt.Errorf("running the %v graph: %w", variantNames[b.Variant], err)
	}
	e.drop()
	e.batch = b
	outputs := p.forward.graph.Outputs
	if err := e.fit(&e.saved, outputs); err != nil {
		return nil, err
	}
	for i, v := range outputs {
		data := e.saved.take(v.Shape.Product().Size(b.Size, b.Tokens))
		if p.forward.outputs[i], err = tensorOf(e, v, data); err != nil {
			return nil, err
		}
		if i == 0 {
			e.logits = data
		}
	}
	if err := e.bind(p.forward, nil); err != nil {
		return nil, err
	}
	if err := p.forward.run(); err != nil {
		return nil, err
	}
	e.pending = p
	return e.logits, nil
}

// check reports what of a batch would not make a tensor, or would reach beyond a table.
func (e *Engine) check(b *driver.Batch, p *program) error {
	if b.Size < 1 || b.Tokens < 1 || b.Tokens > e.spec.MaxTokens {
		return fmt.Errorf("the batch is %d × %d; the model takes 1 to %d tokens", b.Size, b.Tokens, e.spec.MaxTokens)
	}
	if p.backward != nil && len(b.Masks) != len(p.masks) {
		return fmt.Errorf("the batch has %d dropout masks; the model has %d sites", len(b.Masks), len(p.masks))
	}
	for i, id := range b.InputIDs {
		if id < 0 || id >= int64(e.spec.VocabSize) {
			return fmt.Errorf("input id %d at %d is outside the vocabulary of %d", id, i, e.spec.VocabSize)
		}
	}
	return nil
}

// Backward runs the backward graph of the last Forward and adds its gradients to the engine's.
func (e *Engine) Backward(ctx context.Context, dlogits []float32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := e.pending
	if p == nil || p.backward == nil {
		return fmt.Errorf("running the backward graph: no training batch has run forward")
	}
	e.pending = nil
	defer e.drop()
	if len(dlogits) != len(e.logits) {
		return fmt.Errorf("running the backward graph: %d elements of ∂L/∂logits for %d logits", len(dlogits), len(e.logits))
	}
	saved := map[string]ort.Value{}
	for i, v := range p.forward.graph.Outputs {
		saved[v.Name] = p.forward.outputs[i]
	}
	cotangent, err := tensorOf(e, p.backward.graph.Input("dlogits"), dlogits)
	if err != nil {
		return err
	}
	saved["dlogits"] = cotangent
	if err := e.bind(p.backward, saved); err != nil {
		return err
	}
	g, err := e.receive(p)
	if err != nil {
		return err
	}
	if err := p.backward.run(); err != nil {
		return err
	}
	e.accumulate(p, g)
	return nil
}

// received is where one run of a backward graph put its outputs, by output name.
type received struct {
	floats  map[string][]float32
	indices map[string][]int64
}

// receive binds the backward outputs: dense gradients to the engine's gradient memory when it is empty, and to
// scratch memory, to be added, when it is not.
func (e *Engine) receive(p *program) (*received, error) {
	outputs := p.backward.graph.Outputs
	if err := e.fit(&e.scratch, outputs); err != nil {
		return nil, err
	}
	r := &received{floats: map[string][]float32{}, indices: map[string][]int64{}}
	for i, v := range outputs {
		n := v.Shape.Product().Size(e.batch.Size, e.batch.Tokens)
		var err error
		if v.DType == graphs.Int64 {
			r.indices[v.Name] = make([]int64, n)
			p.backward.outputs[i], err = tensorOf(e, v, r.indices[v.Name])
		} else {
			name, parameter := strings.CutPrefix(v.Name, "d.")
			data := []float32(nil)
			if t := e.tensors[name]; parameter && t != nil && !e.filled {
				data = t.data[driver.Gradient]
			} else {
				data = e.scratch.take(n)
			}
			r.floats[v.Name] = data
			p.backward.outputs[i], err = tensorOf(e, v, data)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// accumulate adds what a backward run produced to the engine's gradients.
func (e *Engine) accumulate(p *program, r *received) {
	if e.filled {
		for _, name := range p.dense {
			addTo(e.tensors[name].data[driver.Gradient], r.floats["d."+name], e.options.Threads)
		}
	}
	e.filled = true
	for _, table := range p.rows {
		t := e.tensors[table.Parameter]
		for i := range table.Rows {
			t.scatter(r.indices[table.Indices[i]], r.floats[table.Rows[i]])
		}
	}
	e.noise = append(e.noise[:0], r.floats["d."+graphs.NoiseInput]...) // none, if this variant has no noise gradient
}

// NoiseGradient returns ∂L/∂noise of the last Backward.
func (e *Engine) NoiseGradient() ([]float32, error) {
	if len(e.noise) == 0 {
		return nil, fmt.Errorf("reading the noise gradient: the engine was made without NoiseGradient, or no noised batch has run")
	}
	return e.noise, nil
}

// fit empties a slab and, where it is too small for the float tensors listed, replaces it by a larger one.
func (e *Engine) fit(s **slab, values []*graphs.Value) error {
	need := 0
	for _, v := range values {
		if v.DType == graphs.Float32 {
			need += aligned(v.Shape.Product().Size(e.batch.Size, e.batch.Tokens))
		}
	}
	(*s).reset()
	if need <= (*s).floats() {
		return nil
	}
	if err := (*s).close(); err != nil {
		return err
	}
	larger, err := newSlab(need)
	if err != nil {
		*s = &slab{}
		return err
	}
	*s = larger
	return nil
}

// bind sets a session's inputs: batch tensors, handed-over values and parameters.
func (e *Engine) bind(s *session, saved map[string]ort.Value) error {
	for i, v := range s.graph.Inputs {
		if w := saved[v.Name]; w != nil {
			s.inputs[i] = w
			continue
		}
		w, err := e.batchValue(v)
		if err != nil {
			return err
		}
		s.inputs[i] = w
	}
	for i, v := range s.graph.Parameters {
		s.inputs[len(s.graph.Inputs)+i] = e.tensors[v.Name].value
	}
	return nil
}

// batchValue makes the tensor of one batch input.
func (e *Engine) batchValue(v *graphs.Value) (ort.Value, error) {
	b := e.batch
	switch v.Name {
	case "input_ids":
		return tensorOf(e, v, b.InputIDs)
	case "attention_mask":
		return tensorOf(e, v, b.AttentionMask)
	case "token_type_ids":
		return tensorOf(e, v, b.TypeIDs)
	case graphs.NoiseInput:
		return tensorOf(e, v, b.Noise)
	}
	var site int
	if _, err := fmt.Sscanf(v.Name, graphs.MaskPrefix+"%d", &site); err != nil || site >= len(b.Masks) {
		return nil, fmt.Errorf("binding input %q: the batch has no tensor of that name", v.Name)
	}
	return tensorOf(e, v, b.Masks[site])
}

// tensorOf wraps data as v's tensor for the current batch. It lives until drop.
func tensorOf[T int64 | float32 | uint8](e *Engine, v *graphs.Value, data []T) (ort.Value, error) {
	shape := ort.NewShape(v.Shape.Sizes(e.batch.Size, e.batch.Tokens)...)
	if n := shape.FlattenedSize(); n != int64(len(data)) || n == 0 {
		return nil, fmt.Errorf("binding %q: %d elements given for shape %v", v.Name, len(data), shape)
	}
	e.pinner.Pin(&data[0])
	t, err := ort.NewTensor(shape, data)
	if err != nil {
		return nil, fmt.Errorf("binding %q: %w", v.Name, err)
	}
	e.values = append(e.values, t)
	return t, nil
}

// drop releases the tensors of the last batch.
func (e *Engine) drop() {
	for _, v := range e.values {
		v.Destroy()
	}
	e.values = e.values[:0]
	e.pinner.Unpin()
	e.pending = nil
}
