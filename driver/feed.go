package driver

import (
	"context"
	"fmt"

	"github.com/r3f-ort/r3f-ort/internal/rng"
)

// share is one micro-batch ready to run: its examples, padded tokens, noise and masks.
type share struct {
	step     int  // counted from 0
	micro    int  // number of this micro-batch in its step
	place    int  // of its first example among those of the step
	last     bool // of its step
	whole    int  // examples of the whole step
	examples []*Example
	Batch
}

// feed prepares micro-batches in the background, one ahead of the engine.
type feed struct {
	ready  chan *share
	spare  chan *share
	cancel context.CancelFunc
	failed error // set before ready is closed
}

// depth is the number of micro-batches in flight: one running, one waiting, one being filled.
const depth = 3

// newFeed starts preparing the steps from first up to end. Call stop when done with it.
func newFeed(ctx context.Context, e Engine, s *sampler, o *Options, variant Variant, first, end int) *feed {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{ready: make(chan *share, 1), spare: make(chan *share, depth), cancel: cancel}
	for range depth {
		f.spare <- &share{}
	}
	p := &preparer{spec: e.Spec(), sizes: e.MaskSizes, options: o, variant: variant, stream: rng.New(o.Seed, 0, "")}
	go func() {
		defer close(f.ready)
		for step := first; step < end; step++ {
			examples := s.at(step)
			micro, place := o.cut(examples, p.spec, variant), 0
			for i, m := range micro {
				var sh *share
				select {
				case sh = <-f.spare:
				case <-ctx.Done():
					return
				}
				sh.step, sh.micro, sh.place, sh.last = step, i, place, i == len(micro)-1
				sh.whole, sh.examples = len(examples), m
				place += len(m)
				if err := p.prepare(sh); err != nil {
					f.failed = fmt.Errorf("preparing step %d: %w", step+1, err)
					return
				}
				select {
				case f.ready <- sh:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return f
}

// stop ends the preparation and returns once it no longer touches the engine.
func (f *feed) stop() {
	f.cancel()
	for range f.ready {
	}
}

// preparer draws what a micro-batch needs.
type preparer struct {
	spec    Spec
	sizes   func(Variant, int, int) ([]int, error)
	options *Options
	variant Variant
	stream  *rng.Stream
}

// prepare pads the share's examples and draws noise and masks. Noise is keyed by (seed, step, example's place in
// the step), so that it does not depend on the cut into micro-batches; masks by (seed, step, site, micro-batch).
func (p *preparer) prepare(sh *share) error {
	o := p.options
	sh.Variant = p.variant
	sh.fill(sh.examples, p.spec.PadID)
	step := uint64(sh.step)
	if p.variant == Doubled || p.variant == Noised {
		width := sh.Tokens * p.spec.EmbeddingSize
		sh.Noise = resize(sh.Noise, sh.Size*width)
		for i := range sh.Size {
			p.stream.Reset(o.Seed, step, fmt.Sprintf("noise.%d", sh.place+i))
			row := sh.Noise[i*width : (i+1)*width]
			switch {
			case !o.method.Noise:
				clear(row)
			case o.Noise == Normal:
				p.stream.Normal32(row, float32(o.Epsilon))
			default:
				p.stream.Uniform32(row, float32(o.Epsilon))
			}
		}
	}
	sizes, err := p.sizes(p.variant, sh.Size, sh.Tokens)
	if err != nil {
		return err
	}
	if len(sh.Masks) != len(sizes) {
		sh.Masks = make([][]uint8, len(sizes))
	}
	shared := p.variant == Doubled && o.DropoutMasks == Shared
	var larger []int // sizes for one example more: those of a table that both passes read stay the same
	if shared {
		if larger, err = p.sizes(p.variant, sh.Size+1, sh.Tokens); err != nil {
			return err
		}
	}
	for i, n := range sizes {
		mask := resize(sh.Masks[i], n)
		sh.Masks[i] = mask
		p.stream.Reset(o.Seed, step, fmt.Sprintf("dropout.%d.%d", i, sh.micro))
		if shared && larger[i] > n {
			half := mask[:n/2]
			p.stream.Mask(half, p.spec.Dropout)
			copy(mask[n/2:], half)
			continue
		}
		p.stream.Mask(mask, p.spec.Dropout)
	}
	return nil
}
