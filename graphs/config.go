package graphs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrModel is wrapped by every error that a model directory's content causes.
var ErrModel = errors.New("unusable model")

// Config is the part of a Hugging Face config.json that shapes the graph.
type Config struct {
	ModelType         string  `json:"model_type"`
	VocabSize         int     `json:"vocab_size"`
	HiddenSize        int     `json:"hidden_size"`
	NumLayers         int     `json:"num_hidden_layers"`
	NumHeads          int     `json:"num_attention_heads"`
	IntermediateSize  int     `json:"intermediate_size"`
	MaxPositions      int     `json:"max_position_embeddings"`
	TypeVocabSize     int     `json:"type_vocab_size"`
	HiddenAct         string  `json:"hidden_act"`
	LayerNormEps      float64 `json:"layer_norm_eps"`
	InitializerRange  float64 `json:"initializer_range"`
	PositionEmbedding string  `json:"position_embedding_type"`
	PadTokenID        int     `json:"pad_token_id"`
	NumLabels         int     `json:"-"` // set by the caller: classes, or 1 for regression
	raw               map[string]any
}

// ReadConfig reads and validates DIR/config.json.
func ReadConfig(dir string) (*Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the model's configuration: %w: %w; --model wants a directory with config.json, model.safetensors and tokenizer.json", ErrModel, err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w: %w", path, ErrModel, err)
	}
	return c, nil
}

// parseConfig decodes and validates the content of a config.json.
func parseConfig(data []byte) (*Config, error) {
	c := &Config{LayerNormEps: 1e-12, InitializerRange: 0.02, HiddenAct: "gelu", TypeVocabSize: 2}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &c.raw); err != nil {
		return nil, err
	}
	return c, c.validate()
}

// maxElements bounds a single tensor declared by a configuration, so that a hostile one cannot ask for all memory.
const maxElements = 1 << 31

func (c *Config) validate() error {
	if _, ok := families[c.ModelType]; !ok {
		return fmt.Errorf("model_type %q is not supported; supported: %s", c.ModelType, strings.Join(familyNames(), ", "))
	}
	for _, f := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"hidden_size", c.HiddenSize}, {"num_hidden_layers", c.NumLayers},
		{"num_attention_heads", c.NumHeads}, {"intermediate_size", c.IntermediateSize},
		{"max_position_embeddings", c.MaxPositions}, {"type_vocab_size", c.TypeVocabSize},
	} {
		if f.value <= 0 || f.value > 1<<24 {
			return fmt.Errorf("%s is %d; a positive size is needed", f.key, f.value)
		}
	}
	widest := max(c.VocabSize, c.HiddenSize, c.IntermediateSize, c.MaxPositions, c.TypeVocabSize)
	if c.NumLayers > 1024 || widest*c.HiddenSize > maxElements {
		return fmt.Errorf("the sizes describe a model of more than 2³¹ elements a tensor or 1024 layers")
	}
	if c.HiddenSize%c.NumHeads != 0 {
		return fmt.Errorf("hidden_size %d is not a multiple of num_attention_heads %d", c.HiddenSize, c.NumHeads)
	}
	if c.PadTokenID < 0 || c.PadTokenID >= c.VocabSize {
		return fmt.Errorf("pad_token_id %d is not in the vocabulary of %d", c.PadTokenID, c.VocabSize)
	}
	if c.LayerNormEps < 0 {
		return fmt.Errorf("layer_norm_eps is %v; it must not be negative", c.LayerNormEps)
	}
	if _, ok := activations[c.HiddenAct]; !ok {
		return fmt.Errorf("hidden_act %q is not supported; supported: gelu, gelu_new, gelu_pytorch_tanh, relu, tanh", c.HiddenAct)
	}
	if p := c.PositionEmbedding; p != "" && p != "absolute" {
		return fmt.Errorf("position_embedding_type %q is not supported; only absolute is", p)
	}
	return nil
}

// Fields returns a copy of everything config.json held, for writing it back with changes.
func (c *Config) Fields() map[string]any {
	out := make(map[string]any, len(c.raw))
	for k, v := range c.raw {
		out[k] = v
	}
	return out
}

func itoa(i int) string { return strconv.Itoa(i) }
