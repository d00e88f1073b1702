package driver

import (
	"context"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// Engine runs an encoder's forward and backward graphs and owns its parameters, gradients and moments. Where
// they live is the engine's affair: the stock engine keeps them in memory that Go and ONNX Runtime share, a GPU
// engine would keep them on the device; everything a caller does goes through this interface.
//
// An engine is used by one goroutine at a time, except that MaskSizes may be called beside other calls.
type Engine interface {
	// Spec describes the model.
	Spec() Spec
	// MaskSizes returns the number of bytes of each dropout site's mask for a batch, in site order. The
	// leading dimension of every mask counts examples, clean ones first.
	MaskSizes(v Variant, size, tokens int) ([]int, error)
	// Forward computes the logits [rows, K] of a batch; rows is its size, or twice that for Doubled (clean
	// rows first). The slice is valid until the next call. The batch must stay unchanged until Backward returns.
	Forward(ctx context.Context, b *Batch) ([]float32, error)
	// Backward adds the gradients of the last Forward for ∂L/∂logits [rows, K].
	Backward(ctx context.Context, dlogits []float32) error
	// ZeroGradients forgets what Backward has added.
	ZeroGradients() error
	// GradientNorm returns the Euclidean norm of all gradients together, NaN or Inf where one is not finite.
	GradientNorm() (float64, error)
	// Update applies one AdamW update to every parameter.
	Update(u Update) error
	// Read and Write copy one tensor out of and into the engine, row-major.
	Read(kind Kind, name string, dst []float32) error
	Write(kind Kind, name string, src []float32) error
	// Close releases everything the engine holds.
	Close() error
}

// NoiseGradienter is an Engine that can also return ∂L/∂noise of the last Backward, [B, T, C].
type NoiseGradienter interface {
	NoiseGradient() ([]float32, error)
}

// Viewer is an Engine that can show a tensor where it lies. A view is read-only, and valid until the next Update,
// Write or Close.
type Viewer interface {
	View(kind Kind, name string) ([]float32, error)
}

// Tensor returns one of a parameter's tensors: a Viewer's view, or else a copy.
func Tensor(e Engine, kind Kind, p Parameter) ([]float32, error) {
	if v, ok := e.(Viewer); ok {
		return v.View(kind, p.Name)
	}
	out := make([]float32, p.Size())
	return out, e.Read(kind, p.Name, out)
}

// Timer is an Engine that knows how long its graphs have run, in seconds, since it was made.
type Timer interface {
	GraphSeconds() float64
}

// Fingerprinter is an Engine that can tell its graphs from others: what it returns changes with anything in them that
// could change a result.
type Fingerprinter interface {
	Fingerprint(v Variant) (string, error)
}

// StateKeeper is an Engine with state besides its parameters and moments. SaveState writes it to files in dir, which
// exists and is empty, and LoadState reads them back; a checkpoint holds them, with their hashes. Both take the last
// finished Update as the state's moment.
type StateKeeper interface {
	SaveState(dir string) error
	LoadState(dir string) error
}

// Spec describes an engine's model.
type Spec struct {
	Classes       int         // K: number of logits, 1 for regression
	EmbeddingSize int         // E, width of a word embedding and of its noise
	VocabSize     int         // V
	MaxTokens     int         // longest sequence the position embeddings allow
	PadID         int64       // input id that fills up short examples
	Dropout       float64     // drop probability of training variants
	Parameters    []Parameter // in the engine's order
	Head          []string    // weight matrices of the head, encoder side first, out_proj last

	OwnMoments   bool // the moments are among a StateKeeper's files, and are neither read nor written one by one
	EqualBatches bool // every batch of an update counts alike, whatever its size, and their gradients add up to a sum
}

// Parameter is one trained tensor.
type Parameter struct {
	Name  string
	Shape []int
	Decay bool // weight decay applies: matrices, not biases or LayerNorm
}

// Size returns the number of elements.
func (p Parameter) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Kind says which of a parameter's tensors is meant.
type Kind uint8

// The four tensors an engine keeps for each parameter.
const (
	Value        Kind = iota // the weight
	Gradient                 // ∂L/∂weight, summed since ZeroGradients
	FirstMoment              // AdamW's running mean of gradients
	SecondMoment             // AdamW's running mean of squared gradients
)

// Variant chooses what a batch runs through.
type Variant uint8

// The graphs of a model.
const (
	Evaluate Variant = iota // no dropout, no noise
	Clean                   // dropout, no noise: standard fine-tuning
	Noised                  // dropout, noise on the word embeddings of a single batch
	Doubled                 // dropout, clean and noised batch as one: R3F, R4F, R-Drop
)

// Batch is one padded batch. Token tensors are [Size, Tokens], row-major.
type Batch struct {
	Variant                          Variant
	Size, Tokens                     int
	InputIDs, AttentionMask, TypeIDs []int64
	Noise                            []float32 // [Size, Tokens, E] for Noised and Doubled
	Masks                            [][]uint8 // one a dropout site, sizes as MaskSizes says; empty without dropout
}

// Update is one optimiser step.
type Update struct {
	optim.AdamW
	LearningRate float64
	Step         int     // number of this update, from 1, for bias correction
	Scale        float32 // multiplies the gradients first: 1, or less to clip
}
