package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/confine"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// Options say what an imported encoder is to become.
type Options struct {
	Labels    int    // outputs of the head: classes, or 1 for a regression
	Seed      uint64 // of weights that the file lacks
	Embedding string // name of the word-embedding table; "": found by its use
}

// File imports the ONNX file at path, with the config.json beside it if there is one, as a model with a head of the
// given number of labels. Errors wrap [graphs.ErrModel]; one about a node is a [NodeError].
func File(path string, o Options) (*graphs.Model, error) {
	m, err := file(path, o)
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w: %w", path, graphs.ErrModel, err)
	}
	return m, nil
}

func file(path string, o Options) (*graphs.Model, error) {
	if o.Labels < 1 {
		return nil, fmt.Errorf("a head of %d labels; 1 is a regression, 2 or more are classes", o.Labels)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	config, err := confine.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files, err := onnxpb.OpenDirectory(dir)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	return read(data, files, config, o)
}

// read imports serialised bytes whose external data lies in files.
func read(data []byte, files *onnxpb.Directory, config []byte, o Options) (*graphs.Model, error) {
	model, err := onnxpb.Read(data)
	if err != nil {
		return nil, err
	}
	im := &importer{
		graph: &graphs.Graph{Name: "encoder"}, model: model, files: files, length: len(data), values: map[string]*value{},
		weights: map[string]graphs.Weight{}, inputs: map[string]*graphs.Value{}, origin: map[*graphs.Value]string{}, masks: map[maskKey]*graphs.Value{},
	}
	im.Builder = graphs.NewBuilder(im.graph)
	for _, step := range []func() error{im.checkVersion, im.supported, im.declare, im.initialisers, im.translate} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return im.build(config, o)
}

// checkVersion refuses operator sets and features that the rules do not read.
func (im *importer) checkVersion() error {
	if v := im.model.Opset; v < oldestOpset || v > newestOpset {
		return fmt.Errorf("it uses opset %d of ai.onnx; opsets %d to %d are read: export with another opset_version", v, oldestOpset, newestOpset)
	}
	if im.model.Functions > 0 {
		return fmt.Errorf("it defines %d functions of its own; inline them first (onnx.inliner.inline_local_functions), or export with a newer PyTorch", im.model.Functions)
	}
	return nil
}

// initialisers binds the file's tensors; data of parameters is read when they are used.
func (im *importer) initialisers() error {
	for i := range im.model.Graph.Initializers {
		t := &im.model.Graph.Initializers[i]
		if im.values[t.Name] != nil {
			return fmt.Errorf("tensor %q is there twice", t.Name)
		}
		v, err := im.initialiser(t.Name, t, true)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		im.values[t.Name] = v
	}
	return im.Err()
}
