package export

import (
	"fmt"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// WriteGraph exports a model whose graph another program has: write puts it, with its weights, into the file that it is
// given. Beside it come config.json and the tokenizer's files, as of [Write], but no model.safetensors: the parameters
// have not the names that transformers knows.
//
// On an error dir is as it was before.
func WriteGraph(dir string, c *graphs.Config, write func(path string) error, o Options) error {
	err := replace(dir, ModelFile, func(temporary string) error {
		config, err := o.config(c, true)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(temporary, ModelFile)); err != nil {
			return err
		}
		return writeAll(temporary, append(copiesOf(o.TokenizerFiles), file{configFile, writeBytes(config)}))
	})
	if err != nil {
		return fmt.Errorf("exporting the model to %s: %w%s", dir, err, durable.Advice(err))
	}
	return nil
}
