package graphs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// ErrModel is wrapped by every error that a model directory's content causes.
var ErrModel = errors.New("unusable model")

// Config is the part of a Hugging Face config.json that shapes the graph of every family, whatever the family
// calls it. Keys that only one family has are read in that family's file.
type Config struct {
	ModelType         string
	VocabSize         int
	EmbeddingSize     int // E, width of word, segment and position embeddings; 0: as HiddenSize
	HiddenSize        int // C
	NumLayers         int
	NumHeads          int
	IntermediateSize  int
	MaxPositions      int // rows of the position table; see MaxTokens
	TypeVocabSize     int // segments
	HiddenAct         string
	LayerNormEps      float64
	InitializerRange  float64
	Dropout           float64 // drop probability in the encoder that the model was made with
	PositionEmbedding string
	PadTokenID        int
	NumLabels         int    // set by the caller: classes, or 1 for regression
	data              []byte // the whole config.json
	maxTokens         int    // of an imported model, where the graph says how many; see ImportedConfig
}

// field is one key of config.json and where its value goes.
type field struct {
	key    string // BERT's name
	target any
	size   bool // a positive number of elements, checked as such
}

// fields lists the keys that families share.
func (c *Config) fields() []field {
	return []field{
		{"vocab_size", &c.VocabSize, true}, {"embedding_size", &c.EmbeddingSize, false}, {"hidden_size", &c.HiddenSize, true},
		{"num_hidden_layers", &c.NumLayers, true}, {"num_attention_heads", &c.NumHeads, true},
		{"intermediate_size", &c.IntermediateSize, true}, {"max_position_embeddings", &c.MaxPositions, true},
		{"type_vocab_size", &c.TypeVocabSize, true}, {"hidden_act", &c.HiddenAct, false},
		{"layer_norm_eps", &c.LayerNormEps, false}, {"initializer_range", &c.InitializerRange, false},
		{"hidden_dropout_prob", &c.Dropout, false}, {"position_embedding_type", &c.PositionEmbedding, false},
		{"pad_token_id", &c.PadTokenID, false},
	}
}

// ReadConfig reads and validates DIR/config.json.
func ReadConfig(dir string) (*Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := confine.ReadFile(path)
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
	c, err := decodeConfig(data)
	if err != nil {
		return nil, err
	}
	return c, c.validate()
}

// decodeConfig reads the keys that shape a graph, under the names that the family gives them.
func decodeConfig(data []byte) (*Config, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	decode := func(key string, target any) error {
		if raw, ok := all[key]; ok {
			if err := json.Unmarshal(raw, target); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	}
	var modelType string
	if err := decode("model_type", &modelType); err != nil {
		return nil, err
	}
	family := families[modelType]
	c := family.defaults
	c.ModelType, c.data = modelType, data
	for _, f := range c.fields() {
		if key := family.key(f.key); key != "" {
			if err := decode(key, f.target); err != nil {
				return nil, err
			}
		}
	}
	return &c, nil
}

// own decodes the keys that only one family has into target, a pointer to a struct with json tags that holds
// their defaults.
func (c *Config) own(target any) error {
	if c.data == nil {
		return nil
	}
	return json.Unmarshal(c.data, target)
}

// maxElements bounds a single tensor declared by a configuration, so that a hostile one cannot ask for all memory.
const maxElements = 1 << 31

func (c *Config) validate() error {
	family, ok := families[c.ModelType]
	if !ok {
		return fmt.Errorf("model_type %q is not supported; supported: %s", c.ModelType, strings.Join(familyNames(), ", "))
	}
	key := family.key
	widest := 0
	for _, f := range c.fields() {
		if n, ok := f.target.(*int); f.size && ok && key(f.key) != "" {
			if *n <= 0 || *n > 1<<24 {
				return fmt.Errorf("%s is %d; a positive size is needed", key(f.key), *n)
			}
			widest = max(widest, *n)
		}
	}
	if c.EmbeddingSize < 0 || c.EmbeddingSize > 1<<24 {
		return fmt.Errorf("%s is %d; a positive size is needed", key("embedding_size"), c.EmbeddingSize)
	}
	if c.NumLayers > 1024 || widest*max(c.HiddenSize, c.EmbeddingSize) > maxElements {
		return fmt.Errorf("the sizes describe a model of more than 2³¹ elements a tensor or 1024 layers")
	}
	if c.HiddenSize%c.NumHeads != 0 {
		return fmt.Errorf("%s %d is not a multiple of %s %d", key("hidden_size"), c.HiddenSize, key("num_attention_heads"), c.NumHeads)
	}
	if c.PadTokenID < 0 || c.PadTokenID >= c.VocabSize {
		return fmt.Errorf("%s %d is not in the vocabulary of %d", key("pad_token_id"), c.PadTokenID, c.VocabSize)
	}
	if c.MaxTokens() < 1 {
		return fmt.Errorf("%s is %d; a %s reads positions from %d on", key("max_position_embeddings"), c.MaxPositions, c.ModelType, c.MaxPositions-c.MaxTokens())
	}
	if c.LayerNormEps < 0 {
		return fmt.Errorf("%s is %v; it must not be negative", key("layer_norm_eps"), c.LayerNormEps)
	}
	if _, ok := activations[c.HiddenAct]; !ok {
		return fmt.Errorf("%s %q is not supported; supported: %s", key("hidden_act"), c.HiddenAct, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	if p := c.PositionEmbedding; p != "" && p != "absolute" {
		return fmt.Errorf("position_embedding_type %q is not supported; only absolute is", p)
	}
	if family.check != nil {
		return family.check(c)
	}
	return nil
}

// MaxTokens is the longest sequence that the position table holds.
func (c *Config) MaxTokens() int {
	if c.maxTokens > 0 {
		return c.maxTokens
	}
	if first := families[c.ModelType].first; first != nil {
		return c.MaxPositions - first(c)
	}
	return c.MaxPositions
}

// Architecture is the class of the model with its head in Hugging Face's transformers.
func (c *Config) Architecture() string { return families[c.ModelType].architecture }

// Fields returns a copy of everything config.json held, for writing it back with changes. Numbers are json.Number, as
// they were written: transformers takes 2.0 for a float and refuses 2.
func (c *Config) Fields() map[string]any {
	out := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(c.data))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return map[string]any{} // a configuration that no file was read for
	}
	return out
}

func itoa(i int) string { return strconv.Itoa(i) }
