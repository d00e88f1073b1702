package trainapi

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// ServingModel writes the evaluation graph with the parameters as they are to an ONNX file that takes input_ids,
// attention_mask and token_type_ids and gives logits. Where that graph makes two passes, the file makes them too: the
// second, without noise, costs time and changes nothing.
func (e *Engine) ServingModel(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("exporting the evaluation graph: %w", err)
		}
	}()
	whole := path + ".whole"
	defer func() { err = errors.Join(err, os.RemoveAll(whole)) }()
	if err := e.session.ExportModel(whole, e.Manifest.Outputs.Logits); err != nil {
		return err
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		return err
	}
	if data, err = e.Manifest.ServingModel(data); err != nil {
		return err
	}
	return durable.ReplaceFile(durable.OS{}, path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
