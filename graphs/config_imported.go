package graphs

import "fmt"

// unknownPositions is the longest sequence of an imported model that no table and no config.json bounds.
const unknownPositions = 1 << 16

// ImportedConfig describes a model that was read from a graph instead of built by its family: sizes holds the widths
// that the graph shows, positions the number of tokens that its position table has room for (0: it has none that is
// read in order). data is the config.json beside the graph, or nil; of it count what a graph does not show. A
// model_type of no family is fine.
func ImportedConfig(data []byte, sizes Config, positions int) (*Config, error) {
	c := &Config{}
	if data != nil {
		var err error
		if c, err = decodeConfig(data); err != nil {
			return nil, fmt.Errorf("reading config.json: %w", err)
		}
	} else {
		c.Dropout = 0.1
	}
	c.VocabSize, c.EmbeddingSize, c.HiddenSize, c.NumLabels = sizes.VocabSize, sizes.EmbeddingSize, sizes.HiddenSize, sizes.NumLabels
	if c.InitializerRange <= 0 || c.InitializerRange > 1 {
		c.InitializerRange = 0.02
	}
	if c.PadTokenID < 0 || c.PadTokenID >= c.VocabSize {
		return nil, fmt.Errorf("reading config.json: pad_token_id %d is not in the graph's vocabulary of %d: the file belongs to another model", c.PadTokenID, c.VocabSize)
	}
	if c.VocabSize < 1 || c.EmbeddingSize < 1 || c.HiddenSize < 1 || c.HiddenSize > 1<<16 {
		return nil, fmt.Errorf("a graph of %d token embeddings of width %d and hidden states of width %d", c.VocabSize, c.EmbeddingSize, c.HiddenSize)
	}
	c.maxTokens = positions
	if known := c.MaxPositions > 0 && c.MaxPositions <= 1<<24; positions == 0 && known {
		c.maxTokens = c.MaxTokens()
	}
	if c.maxTokens < 1 {
		c.maxTokens = unknownPositions
	}
	return c, nil
}

// Imported reports a configuration made by ImportedConfig.
func (c *Config) Imported() bool { return c.maxTokens > 0 }
