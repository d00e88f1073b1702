package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/importer"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// defaultModel is where make setup puts MiniLM.
const defaultModel = ".r3f/models/minilm"

// source is a pretrained model: a Hugging Face directory, or an exported encoder with its tokenizer beside it.
type source struct {
	path      string // directory, or ONNX file
	imported  bool   // an ONNX file
	embedding string // name of an ONNX file's word embedding; "": found by its use
	tokenizer string // directory
}

// sourceOf returns what the model flags name.
func sourceOf(c *cli.Context) (source, error) {
	path := c.String("model")
	if path == "" {
		path = defaultModel
		if _, err := os.Stat(path); err != nil {
			return source{}, usagef("no model: give --model DIR or --model FILE.onnx, or let make setup fetch MiniLM into %s", path)
		}
	}
	return newSource(path, c.String("embedding"), c.String("tokenizer"))
}

// newSource looks what is at path.
func newSource(path, embedding, tokenizer string) (source, error) {
	s := source{path: path, embedding: embedding, tokenizer: tokenizer}
	info, err := os.Stat(path)
	s.imported = err == nil && !info.IsDir()
	switch {
	case !s.imported && embedding != "":
		return s, usagef("--embedding names a table of an ONNX file, and --model %s is none", path)
	case tokenizer != "":
	case s.imported:
		s.tokenizer = filepath.Dir(path)
	default:
		s.tokenizer = path
	}
	return s, nil
}

// model reads the model and gives it a head of the given number of labels.
func (s source) model(labels int, seed uint64) (*graphs.Model, error) {
	if s.imported {
		return importer.File(s.path, importer.Options{Labels: labels, Seed: seed, Embedding: s.embedding})
	}
	m, err := graphs.Load(s.path, labels, seed)
	if err != nil {
		if files, _ := filepath.Glob(filepath.Join(s.path, "*.onnx")); len(files) > 0 {
			err = fmt.Errorf("%w; to train an exported encoder name its file, such as --model %s", err, files[0])
		}
	}
	return m, err
}

// load reads model and tokenizer.
func (s source) load(labels int, seed uint64, headInit string) (*graphs.Model, *tokenize.Tokenizer, error) {
	m, err := s.model(labels, seed)
	if err != nil {
		return nil, nil, err
	}
	tok, err := loadTokenizer(s.tokenizer, m.Config)
	if err != nil {
		return nil, nil, err
	}
	if headInit == "cosine" {
		cosineHead(m)
	}
	return m, tok, nil
}

// directory is where the model's files are.
func (s source) directory() string {
	if s.imported {
		return filepath.Dir(s.path)
	}
	return s.path
}

// file is the name of the file that the weights are in, or the graph that says where they are.
func (s source) file() string {
	if s.imported {
		return filepath.Base(s.path)
	}
	return "model.safetensors"
}

// hashWeights fingerprints tensors.
func hashWeights(weights []graphs.Weight) string {
	h := sha256.New()
	for _, w := range weights {
		h.Write(safetensors.FromFloat32s(w.Name, w.Shape, w.Data).Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// name is the model's own name, without the path that only this machine has.
func (s source) name() string {
	path := s.path
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if s.imported {
		path = strings.TrimSuffix(path, ".onnx")
		if base := filepath.Base(path); base == "model" || base == "encoder" { // as exporters call them all
			path = filepath.Dir(path)
		}
	}
	return filepath.Base(path)
}

// loadTokenizer reads a model's tokenizer and checks that the two belong together.
func loadTokenizer(dir string, c *graphs.Config) (*tokenize.Tokenizer, error) {
	tok, err := tokenize.Load(dir)
	if err != nil {
		return nil, marked{err, errUsage}
	}
	if n := tok.VocabSize(); n > c.VocabSize {
		return nil, usagef("the tokenizer in %s has %d tokens, the model embeds %d: they do not belong together", dir, n, c.VocabSize)
	}
	return tok, nil
}

// cosineHead sets the output projection to w[k][j] = 0.02·cos(1 + 7k + j) and its bias to 0, in float32 arithmetic: a
// head that another program can reproduce.
func cosineHead(m *graphs.Model) {
	weight := m.Head[len(m.Head)-1]
	for _, w := range m.Weights {
		switch w.Name {
		case weight:
			width := w.Shape[1]
			for i := range w.Data {
				angle := float32(1 + 7*(i/width) + i%width)
				w.Data[i] = 0.02 * float32(math.Cos(float64(angle)))
			}
		case biasOf(weight):
			clear(w.Data)
		}
	}
}

func biasOf(weight string) string { return strings.TrimSuffix(weight, "weight") + "bias" }

// initialised says which weights the checkpoint lacked, or "".
func initialised(m *graphs.Model, headInit string, seed uint64) string {
	if len(m.Initialised) == 0 {
		return ""
	}
	how := fmt.Sprintf("drawn from N(0, %g²), seed %d, biases 0", m.Config.InitializerRange, seed)
	if headInit == "cosine" {
		how += "; the classifier is then set by --head-init cosine"
	}
	return fmt.Sprintf("%s: not in the checkpoint, %s", strings.Join(m.Initialised, ", "), how)
}

// weightsOf returns an engine's parameters, valid until the engine changes them.
func weightsOf(e driver.Engine) ([]graphs.Weight, error) {
	var out []graphs.Weight
	for _, p := range e.Spec().Parameters {
		data, err := driver.Tensor(e, driver.Value, p)
		if err != nil {
			return nil, err
		}
		out = append(out, graphs.Weight{Name: p.Name, Shape: p.Shape, Data: data})
	}
	return out, nil
}

// hashFile returns a file's SHA-256 in hexadecimal.
func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
