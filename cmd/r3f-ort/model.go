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

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// defaultModel is where make setup puts MiniLM.
const defaultModel = ".r3f/models/minilm"

// modelDir returns the directory of the pretrained model.
func modelDir(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if _, err := os.Stat(defaultModel); err != nil {
		return "", usagef("no model: give --model DIR, or let make setup fetch MiniLM into %s", defaultModel)
	}
	return defaultModel, nil
}

// loadModel reads a pretrained model with its tokenizer and gives it a head of the given number of labels.
func loadModel(dir string, labels int, seed uint64, headInit string) (*graphs.Model, *tokenize.Tokenizer, error) {
	m, err := graphs.Load(dir, labels, seed)
	if err != nil {
		return nil, nil, err
	}
	tok, err := loadTokenizer(dir, m.Config)
	if err != nil {
		return nil, nil, err
	}
	if headInit == "cosine" {
		cosineHead(m)
	}
	return m, tok, nil
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

// modelName is a model directory's own name, without the path that only this machine has.
func modelName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
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
