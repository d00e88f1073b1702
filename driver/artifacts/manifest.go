package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// The files of a directory of artifacts.
const (
	TrainingModel  = "training_model.onnx"
	EvalModel      = "eval_model.onnx"
	OptimizerModel = "optimizer_model.onnx"
	Checkpoint     = "checkpoint"
	ManifestFile   = "r3f.json"
)

// ErrArtifacts is wrapped by every error about artifacts that cannot be used.
var ErrArtifacts = errors.New("unusable training artifacts")

// Manifest says what the inputs and outputs of the graphs mean, and what the driver must know about the model.
type Manifest struct {
	Format  int     `json:"format"` // 1
	Inputs  Inputs  `json:"inputs"`
	Outputs Outputs `json:"outputs"`
	Model   Model   `json:"model"`
	// Tokenizer is the directory with the tokenizer's files, relative to the manifest; "." is its own.
	Tokenizer string `json:"tokenizer"`
	// Config is the Hugging Face config.json of the encoder, relative to the manifest. It is given where the
	// parameters have the names and shapes that package graphs gives those of this encoder: a run then exports as
	// from any model directory. Without it the export is the evaluation graph, cut down to the logits.
	Config string `json:"config,omitempty"`
}

// Inputs names the inputs of the training and the evaluation graph by role. Shapes: B examples, T tokens, C width;
// B and T may be free in the graph, or fixed, which restricts every batch to that size.
type Inputs struct {
	InputIDs      string `json:"input_ids"`                // [B, T], int64 or int32
	AttentionMask string `json:"attention_mask"`           // [B, T], int64, int32 or float32: 1 for a token, 0 for padding
	TokenTypeIDs  string `json:"token_type_ids,omitempty"` // [B, T], int64 or int32
	Noise         string `json:"noise,omitempty"`          // [B, T, C] float32: added to the word embeddings of the second pass
	Labels        string `json:"labels"`                   // [B]: int64 or int32 classes, or float32 targets
	Lambda        string `json:"lambda,omitempty"`         // [] or [1] float32: weight of the R3F term
	// Share is a factor of the loss, [] or [1] float32: the batch's examples over those of the whole update. With
	// it an update may be cut into batches of any sizes; without it every batch of an update counts alike.
	Share string `json:"share,omitempty"`
	// Masks are dropout masks, uint8, 1 where an element is kept: clean rows first, then those of the second pass.
	// Their dimensions are sizes, or dim_params that are products such as 2*B*T.
	Masks []string `json:"masks,omitempty"`
}

// Outputs names the outputs of the training and the evaluation graph by role.
type Outputs struct {
	Loss         string `json:"loss"`                    // [] or [1]: share · (task loss + λ · R3F term), mean over the batch
	Logits       string `json:"logits"`                  // [B, K], of the clean pass; or [2B, K], clean rows first
	NoisedLogits string `json:"noised_logits,omitempty"` // [B, K], of the second pass
}

// Model is what the graphs do not say about themselves.
type Model struct {
	Classes    int     `json:"classes"`           // K, 1 for a regression
	HiddenSize int     `json:"hidden_size"`       // C
	VocabSize  int     `json:"vocab_size"`        // V
	MaxTokens  int     `json:"max_tokens"`        // longest sequence the position embeddings allow
	PadID      int64   `json:"pad_id"`            // input id that fills up short examples
	Dropout    float64 `json:"dropout,omitempty"` // drop probability, of Masks or of the training graph's own Dropout nodes
	// SpareVectors exempts biases and LayerNorm weights, parameters of one dimension, from the optimiser's weight decay.
	// The optimiser model cannot: the training API knows one group of parameters.
	SpareVectors bool `json:"spare_vectors,omitempty"`
}

// ReadManifest reads and checks DIR/r3f.json.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w; write one beside the artifacts that says what their inputs and outputs mean, as docs/design/010-training-api.md shows", ErrArtifacts, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifacts, err)
	}
	m, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrArtifacts, path, err)
	}
	return m, nil
}

func parse(data []byte) (*Manifest, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	m := &Manifest{}
	if err := decoder.Decode(m); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return m, m.validate()
}

// Write checks the manifest and writes it to DIR/r3f.json.
func (m *Manifest) Write(dir string) error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("writing %s: %w", ManifestFile, err)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return durable.ReplaceFile(durable.OS{}, filepath.Join(dir, ManifestFile), func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// validate checks what the manifest alone tells; Resolve compares it with the graphs.
func (m *Manifest) validate() error {
	if m.Format != 1 {
		return fmt.Errorf("format is %d; this program reads format 1", m.Format)
	}
	for _, c := range []struct {
		name  string
		value int
	}{{"classes", m.Model.Classes}, {"hidden_size", m.Model.HiddenSize}, {"vocab_size", m.Model.VocabSize}, {"max_tokens", m.Model.MaxTokens}} {
		if c.value < 1 || c.value > 1<<24 {
			return fmt.Errorf("model.%s is %d; give a positive size", c.name, c.value)
		}
	}
	if m.Model.PadID < 0 || m.Model.PadID >= int64(m.Model.VocabSize) {
		return fmt.Errorf("model.pad_id %d is not in the vocabulary of %d", m.Model.PadID, m.Model.VocabSize)
	}
	if !(m.Model.Dropout >= 0 && m.Model.Dropout < 1) {
		return fmt.Errorf("model.dropout is %v; give a probability of at least 0 and below 1", m.Model.Dropout)
	}
	for _, c := range []struct{ name, path string }{{"tokenizer", m.Tokenizer}, {"config", m.Config}} {
		if c.path != "" && !filepath.IsLocal(c.path) {
			return fmt.Errorf("%s is %q; give a path inside the directory of the artifacts", c.name, c.path)
		}
	}
	return nil
}
