package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// Toy is an Engine of a page: a bag of embeddings under a head like BERT's, in float64, with everything an engine
// has to honour: padding, noise, two dropout sites, the detached second pass, gradients that add up.
//
//	x_t = keep₀·(E[id_t] + noise_t)   h = mean of x over attended tokens   y = keep₁·tanh(W₁h + b₁)   logits = W₂y + b₂
//
// Shapes: E [V, C], W₁ [C, C], W₂ [K, C]; keep₀ [rows, T, C], keep₁ [rows, C].
type Toy struct {
	spec    Spec
	tensors map[string]*[4][]float32
	fault   func(t *Toy, b *Batch, logits []float32) error // called at the end of each Forward
	forward int                                            // calls so far
	updates []Update
	pending *Batch
	rows    []toyRow
	logits  []float32
	closed  atomic.Bool
	busy    atomic.Bool
}

// toyRow is what Backward needs of one row: inputs and outputs of the head.
type toyRow struct{ h, y []float64 }

var errToy = errors.New("toy engine used wrongly")

// NewToy returns a Toy with random weights for a vocabulary of 50.
func NewToy(classes int, dropout float64) *Toy {
	const vocabulary, width = 50, 8
	t := &Toy{tensors: map[string]*[4][]float32{}, spec: Spec{
		Classes: classes, EmbeddingSize: width, VocabSize: vocabulary, MaxTokens: 40, Dropout: dropout,
		Head: []string{"pooler.weight", "classifier.weight"},
		Parameters: []Parameter{
			{"embeddings.weight", []int{vocabulary, width}, true},
			{"pooler.weight", []int{width, width}, true},
			{"pooler.bias", []int{width}, false},
			{"classifier.weight", []int{classes, width}, true},
			{"classifier.bias", []int{classes}, false},
		},
	}}
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range t.spec.Parameters {
		data := new([4][]float32)
		for k := range data {
			data[k] = make([]float32, p.Size())
		}
		for i := range data[Value] {
			data[Value][i] = float32(0.3 * r.NormFloat64())
		}
		t.tensors[p.Name] = data
	}
	return t
}

// enter reports a use after Close or from two goroutines at once; leave it with the returned function.
func (t *Toy) enter() (leave func(), err error) {
	if t.closed.Load() || !t.busy.CompareAndSwap(false, true) {
		return nil, errToy
	}
	return func() { t.busy.Store(false) }, nil
}

func (t *Toy) Spec() Spec { return t.spec }

func (t *Toy) MaskSizes(v Variant, size, tokens int) ([]int, error) {
	if t.closed.Load() {
		panic("MaskSizes of a closed engine")
	}
	if v == Evaluate || t.spec.Dropout == 0 {
		return nil, nil
	}
	rows := toyRows(v, size)
	return []int{rows * tokens * t.spec.EmbeddingSize, rows * t.spec.EmbeddingSize}, nil
}

func toyRows(v Variant, size int) int {
	if v == Doubled {
		return 2 * size
	}
	return size
}

// keep is what a mask element multiplies by.
func (t *Toy) keep(b *Batch, site, i int) float64 {
	if len(b.Masks) == 0 {
		return 1
	}
	return float64(b.Masks[site][i]) / (1 - t.spec.Dropout)
}

func (t *Toy) Forward(ctx context.Context, b *Batch) ([]float32, error) {
	leave, err := t.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.forward++
	sizes, _ := t.MaskSizes(b.Variant, b.Size, b.Tokens)
	for i, n := range sizes {
		if len(b.Masks) != len(sizes) || len(b.Masks[i]) != n {
			return nil, fmt.Errorf("%w: masks of wrong size", errToy)
		}
	}
	width, classes := t.spec.EmbeddingSize, t.spec.Classes
	e, w1, b1 := t.tensors["embeddings.weight"][Value], t.tensors["pooler.weight"][Value], t.tensors["pooler.bias"][Value]
	w2, b2 := t.tensors["classifier.weight"][Value], t.tensors["classifier.bias"][Value]
	t.rows, t.logits = nil, nil
	for r := range toyRows(b.Variant, b.Size) {
		row := toyRow{make([]float64, width), make([]float64, width)}
		t.attended(b, r, func(place, at int, id int64, share float64) {
			for c := range width {
				x := float64(e[int(id)*width+c])
				if b.Variant == Noised || r >= b.Size {
					x += float64(b.Noise[place*width+c])
				}
				row.h[c] += share * x * t.keep(b, 0, at*width+c)
			}
		})
		for i := range width {
			u := float64(b1[i])
			for c := range width {
				u += float64(w1[i*width+c]) * row.h[c]
			}
			row.y[i] = math.Tanh(u)
		}
		for k := range classes {
			z := float64(b2[k])
			for i := range width {
				z += float64(w2[k*width+i]) * row.y[i] * t.keep(b, 1, r*width+i)
			}
			t.logits = append(t.logits, float32(z))
		}
		t.rows = append(t.rows, row)
	}
	t.pending = b
	if t.fault != nil {
		err = t.fault(t, b, t.logits)
	}
	return t.logits, err
}

// attended visits the attended tokens of a row: its place in the batch's tensors, in the row's, and 1/count.
func (t *Toy) attended(b *Batch, r int, visit func(place, at int, id int64, share float64)) {
	first := r % b.Size * b.Tokens
	count := 0
	for _, m := range b.AttentionMask[first : first+b.Tokens] {
		count += int(m)
	}
	for i := range b.Tokens {
		if place := first + i; b.AttentionMask[place] == 1 {
			visit(place, r*b.Tokens+i, b.InputIDs[place], 1/float64(count))
		}
	}
}

func (t *Toy) Backward(_ context.Context, dlogits []float32) error {
	leave, err := t.enter()
	if err != nil {
		return err
	}
	defer leave()
	b := t.pending
	if b == nil || len(dlogits) != len(t.logits) {
		return fmt.Errorf("%w: Backward without Forward", errToy)
	}
	t.pending = nil
	width, classes := t.spec.EmbeddingSize, t.spec.Classes
	sums := map[string][]float64{}
	for _, p := range t.spec.Parameters {
		sums[p.Name] = make([]float64, p.Size())
	}
	w1, w2 := t.tensors["pooler.weight"][Value], t.tensors["classifier.weight"][Value]
	for r, row := range t.rows {
		du, dh := make([]float64, width), make([]float64, width)
		for k := range classes {
			d := float64(dlogits[r*classes+k])
			sums["classifier.bias"][k] += d
			for i := range width {
				keep := t.keep(b, 1, r*width+i)
				sums["classifier.weight"][k*width+i] += d * row.y[i] * keep
				du[i] += d * float64(w2[k*width+i]) * keep * (1 - row.y[i]*row.y[i])
			}
		}
		for i := range width {
			sums["pooler.bias"][i] += du[i]
			for c := range width {
				sums["pooler.weight"][i*width+c] += du[i] * row.h[c]
				dh[c] += du[i] * float64(w1[i*width+c])
			}
		}
		if r >= b.Size { // the second pass reads detached rows
			continue
		}
		t.attended(b, r, func(_, at int, id int64, share float64) {
			for c := range width {
				sums["embeddings.weight"][int(id)*width+c] += share * dh[c] * t.keep(b, 0, at*width+c)
			}
		})
	}
	for name, sum := range sums {
		for i, x := range sum {
			t.tensors[name][Gradient][i] += float32(x)
		}
	}
	return nil
}

func (t *Toy) ZeroGradients() error {
	for _, data := range t.tensors {
		clear(data[Gradient])
	}
	return nil
}

func (t *Toy) GradientNorm() (float64, error) {
	sum := 0.0
	for _, p := range t.spec.Parameters {
		sum += optim.SumSquares(t.tensors[p.Name][Gradient])
	}
	return math.Sqrt(sum), nil
}

func (t *Toy) Update(u Update) error {
	t.updates = append(t.updates, u)
	for _, p := range t.spec.Parameters {
		d := t.tensors[p.Name]
		u.Apply(d[Value], d[Gradient], d[FirstMoment], d[SecondMoment], optim.Step{T: u.Step, LR: u.LearningRate, Scale: u.Scale, Decay: p.Decay})
	}
	return nil
}

func (t *Toy) Read(kind Kind, name string, dst []float32) error {
	d := t.tensors[name]
	if d == nil || len(d[kind]) != len(dst) {
		return fmt.Errorf("%w: no parameter %q of %d elements", errToy, name, len(dst))
	}
	copy(dst, d[kind])
	return nil
}

func (t *Toy) Write(kind Kind, name string, src []float32) error {
	d := t.tensors[name]
	if d == nil || len(d[kind]) != len(src) {
		return fmt.Errorf("%w: no parameter %q of %d elements", errToy, name, len(src))
	}
	copy(d[kind], src)
	return nil
}

func (t *Toy) Close() error {
	t.closed.Store(true)
	return nil
}

// snapshot copies weights and moments, in order.
func (t *Toy) snapshot() []float32 {
	var out []float32
	for _, p := range t.spec.Parameters {
		for _, k := range []Kind{Value, FirstMoment, SecondMoment} {
			out = append(out, t.tensors[p.Name][k]...)
		}
	}
	return out
}

// ToyExamples draws n examples of 3 to 20 tokens for three classes: most tokens of class k lie in [10k, 10k+10).
func ToyExamples(n int, seed uint64) []Example {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([]Example, n)
	for i := range out {
		x := Example{ID: fmt.Sprintf("toy:%d", i+1), Label: i % 3, Target: float64(i%3) - 1}
		for range 3 + r.IntN(18) {
			id := r.Int64N(50)
			if r.IntN(10) < 7 {
				id = int64(10*x.Label) + r.Int64N(10)
			}
			x.InputIDs = append(x.InputIDs, id)
		}
		out[i] = x
	}
	return out
}

// sequence yields examples as a pipeline would.
func sequence(examples []Example) iter.Seq2[Example, error] {
	return func(yield func(Example, error) bool) {
		for _, x := range examples {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// accuracy is a Score.
func accuracy(logits []float32, classes int, examples []Example) (map[string]float64, error) {
	right := 0.0
	for i, x := range examples {
		row := logits[i*classes : (i+1)*classes]
		if row[x.Label] == slices.Max(row) {
			right++
		}
	}
	return map[string]float64{"accuracy": right / float64(len(examples))}, nil
}

// train runs Train on a toy and fails the test on an error.
func train(t *testing.T, e Engine, examples []Example, o Options) *Result {
	t.Helper()
	r, err := Train(t.Context(), e, sequence(examples), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The toy's own gradients against central differences of its float64 logits' weighted sum, for every variant.
func TestToyGradients(t *testing.T) {
	const seed = 3
	for variant, rows := range map[Variant]int{Clean: 1, Noised: 1, Doubled: 2} {
		e, r := NewToy(3, 0.2), rand.New(rand.NewPCG(seed, 0))
		examples := ToyExamples(4, seed)
		b := &Batch{Variant: variant}
		b.fill([]*Example{&examples[0], &examples[1], &examples[2], &examples[3]}, 0)
		b.Noise = make([]float32, b.Size*b.Tokens*8)
		for i := range b.Noise {
			b.Noise[i] = float32(0.1 * r.NormFloat64())
		}
		sizes, _ := e.MaskSizes(variant, b.Size, b.Tokens)
		for _, n := range sizes {
			mask := make([]uint8, n)
			for i := range mask {
				mask[i] = uint8(min(1, r.IntN(5)))
			}
			b.Masks = append(b.Masks, mask)
		}
		weights := make([]float32, rows*b.Size*3)
		for i := range weights {
			weights[i] = float32(r.NormFloat64())
		}
		value := func() float64 {
			logits, err := e.Forward(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for i, z := range logits {
				sum += float64(weights[i]) * float64(z)
			}
			return sum
		}
		value()
		if err := e.Backward(t.Context(), weights); err != nil {
			t.Fatal(err)
		}
		for _, p := range e.spec.Parameters {
			d := e.tensors[p.Name]
			if variant == Doubled && p.Name == "embeddings.weight" {
				continue // the detached half makes the gradient another than the derivative
			}
			for range 5 {
				const h = 1e-2
				i := r.IntN(p.Size())
				was := d[Value][i]
				d[Value][i] = was + h
				up := value()
				d[Value][i] = was - h
				numeric := (up - value()) / (2 * h)
				d[Value][i] = was
				if got := float64(d[Gradient][i]); math.Abs(got-numeric) > 1e-3*(1+math.Abs(numeric)) {
					t.Errorf("seed %d, variant %d: ∂/∂%s[%d] is %v, by differences %v", seed, variant, p.Name, i, got, numeric)
				}
			}
		}
	}
}
