package trainapi

import (
	"context"
	"fmt"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
)

// feed is the memory that batches are laid out in for the graphs, reused from step to step.
type feed struct {
	tensors []capi.Tensor
	ints    map[artifacts.Role][]int32
	floats  map[artifacts.Role][]float32
	labels  []int64
	logits  []float32
}

// TrainStep runs the training graph.
func (e *Engine) TrainStep(ctx context.Context, b *driver.Batch, g driver.Goal) ([]float32, float64, error) {
	fail := func(err error) ([]float32, float64, error) {
		return nil, 0, fmt.Errorf("running the training graph: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if b.Variant != driver.Clean && b.Variant != driver.Doubled {
		_, err := e.MaskSizes(driver.Noised, b.Size, b.Tokens)
		return fail(err)
	}
	if err := e.lay(e.train, b, g); err != nil {
		return fail(err)
	}
	if e.spec.Dropout > 0 && len(e.Manifest.Inputs.Masks) == 0 { // the graph draws its masks itself
		if err := e.library.SetSeed(int64(g.Seed >> 1)); err != nil {
			return fail(err)
		}
	}
	begin := time.Now()
	out, err := e.session.TrainStep(e.feed.tensors)
	e.seconds += time.Since(begin).Seconds()
	if err != nil {
		return fail(err)
	}
	logits, err := e.logits(e.train, out, b)
	if err != nil {
		return fail(err)
	}
	loss, err := out[e.train.Loss].Float32s()
	if err != nil || len(loss) != 1 {
		return fail(fmt.Errorf("the loss is %v; one float32 is needed", out[e.train.Loss]))
	}
	inside := float64(loss[0])
	if !e.train.Has(artifacts.Share) {
		inside *= g.Share
	}
	return logits, inside, nil
}

// Forward runs the evaluation graph.
func (e *Engine) Forward(ctx context.Context, b *driver.Batch) ([]float32, error) {
	fail := func(err error) ([]float32, error) {
		return nil, fmt.Errorf("running the evaluation graph: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.Variant != driver.Evaluate {
		return nil, e.Backward(ctx, nil)
	}
	if err := e.lay(e.eval, b, driver.Goal{Share: 1}); err != nil {
		return fail(err)
	}
	begin := time.Now()
	out, err := e.session.EvalStep(e.feed.tensors)
	e.seconds += time.Since(begin).Seconds()
	if err != nil {
		return fail(err)
	}
	logits, err := e.logits(e.eval, out, b)
	if err != nil {
		return fail(err)
	}
	return logits, nil
}

// logits gathers the rows that a variant has: the clean ones, and for Doubled those of the second pass.
func (e *Engine) logits(p *artifacts.Plan, out []capi.Tensor, b *driver.Batch) ([]float32, error) {
	rows := b.Size * e.spec.Classes
	clean, err := out[p.Logits].Float32s()
	if err != nil {
		return nil, err
	}
	second := clean[min(rows, len(clean)):]
	if p.NoisedLogits >= 0 {
		if second, err = out[p.NoisedLogits].Float32s(); err != nil {
			return nil, err
		}
		clean = clean[:min(rows, len(clean))]
	}
	if len(clean) < rows || b.Variant == driver.Doubled && len(second) != rows {
		return nil, fmt.Errorf("%w: %d and %d logits for %d examples of %d classes: correct the outputs and the classes in %s",
			artifacts.ErrArtifacts, len(clean), len(second), b.Size, e.spec.Classes, artifacts.ManifestFile)
	}
	e.feed.logits = append(e.feed.logits[:0], clean[:rows]...)
	if b.Variant == driver.Doubled {
		e.feed.logits = append(e.feed.logits, second...)
	}
	return e.feed.logits, nil
}

// lay puts a batch into the order and the types that a graph takes. What an evaluation has not (labels, noise, masks) is
// given as zeros, and ones for masks.
func (e *Engine) lay(p *artifacts.Plan, b *driver.Batch, g driver.Goal) error {
	if err := e.check(p, b); err != nil {
		return err
	}
	f := &e.feed
	if f.ints == nil {
		f.ints, f.floats = map[artifacts.Role][]int32{}, map[artifacts.Role][]float32{}
	}
	f.tensors = f.tensors[:0]
	size, tokens := int64(b.Size), int64(b.Tokens)
	for _, in := range p.Inputs {
		t := capi.Tensor{}
		switch in.Role {
		case artifacts.InputIDs:
			t = f.integers(in, b.InputIDs, size, tokens)
		case artifacts.AttentionMask:
			t = f.integers(in, b.AttentionMask, size, tokens)
		case artifacts.TokenTypeIDs:
			t = f.integers(in, b.TypeIDs, size, tokens)
		case artifacts.Noise:
			data := b.Noise
			if b.Variant != driver.Doubled {
				data = f.zeros(in.Role, b.Size*b.Tokens*e.spec.EmbeddingSize)
			}
			t = capi.Tensor{Shape: []int64{size, tokens, int64(e.spec.EmbeddingSize)}, Data: data}
		case artifacts.Labels:
			t = f.targets(in, g, b.Size)
		case artifacts.Lambda:
			t = f.scalar(in, g.Lambda)
		case artifacts.Share:
			t = f.scalar(in, g.Share)
		case artifacts.Mask:
			shape, err := in.Shape(b.Size, b.Tokens)
			if err != nil {
				return err
			}
			t = capi.Tensor{Shape: shape}
			if b.Variant == driver.Evaluate {
				n, _ := in.Size(b.Size, b.Tokens)
				ones := make([]uint8, n)
				for i := range ones {
					ones[i] = 1
				}
				t.Data = ones
			} else {
				t.Data = b.Masks[in.Index]
			}
		}
		f.tensors = append(f.tensors, t)
	}
	return nil
}

// check reports what of a batch the graph does not take, or would read beyond a table.
func (e *Engine) check(p *artifacts.Plan, b *driver.Batch) error {
	switch {
	case b.Size < 1 || b.Tokens < 1 || b.Tokens > e.spec.MaxTokens:
		return fmt.Errorf("the batch is %d × %d; the model takes 1 to %d tokens", b.Size, b.Tokens, e.spec.MaxTokens)
	case p.Batch > 0 && p.Batch != b.Size || p.Tokens > 0 && p.Tokens != b.Tokens:
		return fmt.Errorf("%w: the batch is %d × %d; the graph is made for %s only: export it with free (dynamic) axes for batch and tokens",
			artifacts.ErrArtifacts, b.Size, b.Tokens, fixedSize(p))
	case b.Variant != driver.Evaluate && len(b.Masks) != len(e.Manifest.Inputs.Masks):
		return fmt.Errorf("the batch has %d dropout masks; the model has %d sites", len(b.Masks), len(e.Manifest.Inputs.Masks))
	}
	for i, id := range b.InputIDs {
		if id < 0 || id >= int64(e.spec.VocabSize) {
			return fmt.Errorf("input id %d at %d is outside the vocabulary of %d", id, i, e.spec.VocabSize)
		}
	}
	return nil
}

func fixedSize(p *artifacts.Plan) string {
	name := func(n int) string {
		if n == 0 {
			return "any"
		}
		return fmt.Sprint(n)
	}
	return name(p.Batch) + " × " + name(p.Tokens)
}

// integers gives an input whole numbers in the type it takes.
func (f *feed) integers(in artifacts.Input, data []int64, shape ...int64) capi.Tensor {
	switch in.ElemType {
	case 6:
		out := f.ints[in.Role][:0]
		for _, x := range data {
			out = append(out, int32(x))
		}
		f.ints[in.Role] = out
		return capi.Tensor{Shape: shape, Data: out}
	case 1:
		out := f.floats[in.Role][:0]
		for _, x := range data {
			out = append(out, float32(x))
		}
		f.floats[in.Role] = out
		return capi.Tensor{Shape: shape, Data: out}
	}
	return capi.Tensor{Shape: shape, Data: data}
}

// targets gives the labels, or the targets of a regression; an evaluation has none, and its loss goes unread.
func (f *feed) targets(in artifacts.Input, g driver.Goal, n int) capi.Tensor {
	if in.ElemType == 1 {
		out := f.zeros(in.Role, n)
		for i := range g.Targets {
			out[i] = float32(g.Targets[i])
		}
		return capi.Tensor{Shape: []int64{int64(n)}, Data: out}
	}
	f.labels = f.labels[:0]
	for i := range n {
		y := int64(0)
		if i < len(g.Labels) {
			y = int64(g.Labels[i])
		}
		f.labels = append(f.labels, y)
	}
	return f.integers(in, f.labels, int64(n))
}

// scalar gives one number in the shape that the input has.
func (f *feed) scalar(in artifacts.Input, x float64) capi.Tensor {
	out := append(f.floats[in.Role][:0], float32(x))
	f.floats[in.Role] = out
	shape := make([]int64, len(in.Dims))
	for i := range shape {
		shape[i] = 1
	}
	return capi.Tensor{Shape: shape, Data: out}
}

// zeros returns n zeros.
func (f *feed) zeros(r artifacts.Role, n int) []float32 {
	out := f.floats[r]
	if cap(out) < n {
		out = make([]float32, n)
	}
	out = out[:n]
	clear(out)
	f.floats[r] = out
	return out
}
