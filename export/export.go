package export

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// Options say what a model was trained for.
type Options struct {
	Task           string             // name of the task
	Method         string             // fine-tuning method
	BaseModel      string             // name of the pretrained model
	Labels         []string           // class names by index; nil for regression
	MaxLength      int                // tokens that texts are cut to
	Step           int                // update that the weights are from
	Metrics        map[string]float64 // scores on the dev split; nil where there are none
	Version        string             // of r3f-ort
	TokenizerFiles []string           // paths to copy
}

// The files of an export.
const (
	ModelFile   = "model.onnx"        // the graph that serves
	WeightsFile = "model.safetensors" // the weights for transformers
	configFile  = "config.json"
)

// Write exports the model with the given weights, one for each parameter of its graph, to dir, replacing an export
// that is there. The bytes depend on the arguments alone. For R4F the weights of the head are the normalised ones.
//
// On an error dir is as it was before.
func Write(dir string, m *graphs.Model, weights []graphs.Weight, o Options) error {
	if k := max(1, len(o.Labels)); k != m.Config.NumLabels || k == 1 && o.Labels != nil {
		return fmt.Errorf("exporting to %s: %d labels for a model of %d outputs; give one label an output, and none for regression", dir, len(o.Labels), m.Config.NumLabels)
	}
	err := replace(dir, ModelFile, func(temporary string) error {
		graph, err := m.Prepare(graphs.Options{}, nil)
		if err != nil {
			return err
		}
		metadata, err := o.metadata()
		if err != nil {
			return err
		}
		config, err := o.config(m.Config, !m.Config.Imported() || m.Checkpoint != nil)
		if err != nil {
			return err
		}
		var tensors []safetensors.Tensor
		for _, w := range weights {
			tensors = append(tensors, checkpointTensor(m, w))
		}
		return writeAll(temporary, append([]file{
			{ModelFile, func(w io.Writer) error { return graph.WriteONNX(w, weights, metadata) }},
			{WeightsFile, func(w io.Writer) error {
				return safetensors.Write(w, tensors, map[string]string{"format": "pt"})
			}},
			{configFile, writeBytes(config)},
		}, copiesOf(o.TokenizerFiles)...))
	})
	if err != nil {
		return fmt.Errorf("exporting the model to %s: %w%s", dir, err, durable.Advice(err))
	}
	return nil
}

// checkpointTensor is a parameter as transformers has it.
func checkpointTensor(m *graphs.Model, w graphs.Weight) safetensors.Tensor {
	c, ok := m.Checkpoint[w.Name]
	if !ok {
		return safetensors.FromFloat32s(w.Name, w.Shape, w.Data)
	}
	if !c.Transposed {
		return safetensors.FromFloat32s(c.Name, w.Shape, w.Data)
	}
	rows, columns := w.Shape[0], w.Shape[1]
	turned := make([]float32, len(w.Data))
	for i := range rows {
		for j := range columns {
			turned[j*rows+i] = w.Data[i*columns+j]
		}
	}
	return safetensors.FromFloat32s(c.Name, []int{columns, rows}, turned)
}

// Copy copies the export in src to dst, replacing an export that is there. On an error dst is as it was before.
func Copy(dst, src string) error {
	if _, err := Read(src); err != nil {
		return err
	}
	err := replace(dst, ModelFile, func(temporary string) error {
		entries, err := os.ReadDir(src)
		if err != nil {
			return err
		}
		var files []string
		for _, e := range entries {
			if e.Type().IsRegular() {
				files = append(files, filepath.Join(src, e.Name()))
			}
		}
		return writeAll(temporary, copiesOf(files))
	})
	if err != nil {
		return fmt.Errorf("copying the export %s to %s: %w%s", src, dst, err, durable.Advice(err))
	}
	return nil
}

// metadata is what model.onnx says about itself.
func (o Options) metadata() ([]graphs.Metadata, error) {
	labels, err := json.Marshal(o.Labels)
	if err != nil {
		return nil, err
	}
	return []graphs.Metadata{
		{Key: "task", Value: o.Task},
		{Key: "labels", Value: string(labels)},
		{Key: "base_model", Value: o.BaseModel},
		{Key: "method", Value: o.Method},
		{Key: "max_length", Value: fmt.Sprint(o.MaxLength)},
		{Key: "r3f_ort", Value: o.Version},
	}, nil
}
