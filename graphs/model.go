package graphs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/r3f-ort/r3f-ort/internal/confine"
	"github.com/r3f-ort/r3f-ort/internal/rng"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// Model is an encoder with a classification or regression head: the graph as the family defines it and the
// parameters' values.
type Model struct {
	Config        *Config
	Graph         *Graph   // input_ids, attention_mask and, where the family has segments, token_type_ids → logits; dropout sites are markers
	WordEmbedding string   // parameter that noise is added to
	Head          []string // weight matrices of the head, from the encoder outwards; the last is out_proj
	Weights       []Weight // one for each of Graph.Parameters, same order
	Initialised   []string // parameters that the checkpoint lacked and that were drawn from the seed
	Notes         []string // of an imported model: what its file lacked and was given, for the user to know

	// Checkpoint says, for parameters of an imported model that transformers calls otherwise, how to write them.
	Checkpoint map[string]CheckpointName
}

// CheckpointName is a parameter's name in transformers. Exporters store many matrices as [in, out]; transformers
// has the transpose.
type CheckpointName struct {
	Name       string
	Transposed bool
}

// Weight is one named parameter, row-major.
type Weight struct {
	Name  string
	Shape []int
	Data  []float32
}

// NewModel builds the graph of a configuration with the given number of labels (1 for regression). Weights are
// left empty.
func NewModel(c *Config, labels int) (*Model, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("building a model: %w: %w", ErrModel, err)
	}
	if labels < 1 {
		return nil, fmt.Errorf("building a model: %w: a head of %d labels; 1 is a regression, 2 or more are classes", ErrModel, labels)
	}
	family := families[c.ModelType]
	config := *c
	config.NumLabels = labels
	if config.EmbeddingSize == 0 {
		config.EmbeddingSize = config.HiddenSize
	}
	g := &Graph{Name: c.ModelType}
	b := NewBuilder(g)
	logits := family.build(blocks{b, &config})
	logits.Name = "logits"
	g.Outputs = []*Value{logits}
	if b.Err() != nil {
		return nil, fmt.Errorf("building a %s model: %w", c.ModelType, b.Err())
	}
	if err := Check(g); err != nil {
		return nil, fmt.Errorf("checking a %s model: %w", c.ModelType, err)
	}
	return &Model{Config: &config, Graph: g, WordEmbedding: family.word, Head: family.head}, nil
}

// Load reads a Hugging Face directory (config.json, model.safetensors) and builds the model with a head of the
// given number of labels, the head that transformers gives the family for sequence classification. By model_type:
//
//	bert                            BERT, MiniLM
//	roberta, xlm-roberta, camembert RoBERTa, XLM-R, CamemBERT
//	distilbert                      DistilBERT
//	electra                         ELECTRA
//	albert                          ALBERT
//	mpnet                           MPNet
//	deberta-v2                      DeBERTa-v2, DeBERTa-v3
//	modernbert                      ModernBERT
//
// Encoder tensor names may come with or without the family's prefix. A missing pooler or classifier is drawn from
// N(0, initializer_range²), biases zero (CentreHead sets a regression's) and LayerNorm weights one, keyed by the seed,
// and listed in Initialised; a classifier for another number of labels likewise. Heads of pretraining are left out.
// Anything else missing, unexpected or of another shape is an error.
func Load(dir string, labels int, seed uint64) (*Model, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	m, err := NewModel(c, labels)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "model.safetensors")
	err = confine.Check(path)
	var file *safetensors.File
	if err == nil {
		file, err = safetensors.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the model's weights: %w: %w; convert pytorch_model.bin with transformers' save_pretrained", ErrModel, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the model's weights: %w: %w", ErrModel, err)
	}
	defer file.Close()
	if err := m.readWeights(file, path, seed); err != nil {
		return nil, err
	}
	return m, nil
}

// readWeights fills Weights from a checkpoint.
func (m *Model) readWeights(file *safetensors.File, path string, seed uint64) error {
	family := families[m.Config.ModelType]
	canonical := map[string]string{} // our name → name in the file
	for _, name := range file.Names() {
		ours := family.canonical(name, func(n string) bool { return m.Graph.Parameter(n) != nil })
		if m.Graph.Parameter(ours) == nil {
			if hasPrefix(ours, family.ignored) {
				continue
			}
			t, _ := file.Tensor(name)
			return fmt.Errorf("reading %s: %w: unexpected tensor %q %v, which a %s classifier does not have; remove it or choose the matching model_type", path, ErrModel, name, t.Shape, m.Config.ModelType)
		}
		if other, twice := canonical[ours]; twice {
			return fmt.Errorf("reading %s: %w: tensors %q and %q are the same one twice; remove one of them", path, ErrModel, other, name)
		}
		canonical[ours] = name
	}
	for _, p := range m.Graph.Parameters {
		w := Weight{Name: p.Name}
		for _, d := range p.Shape {
			w.Shape = append(w.Shape, d.Coef)
		}
		name, ok := canonical[p.Name]
		fresh := hasPrefix(p.Name, family.fresh)
		if !ok && !fresh {
			return fmt.Errorf("reading %s: %w: tensor %q %v is missing", path, ErrModel, p.Name, w.Shape)
		}
		if ok {
			t, _ := file.Tensor(name)
			if fmt.Sprint(t.Shape) != fmt.Sprint(w.Shape) {
				if isOutput(p.Name, m.Head) {
					ok = false // a head for another task
				} else {
					return fmt.Errorf("reading %s: %w: tensor %q has shape %v; the configuration asks for %v", path, ErrModel, name, t.Shape, w.Shape)
				}
			} else {
				data, err := t.Float32s(nil)
				if err != nil {
					return fmt.Errorf("reading %s: %w: tensor %q: %w", path, ErrModel, name, err)
				}
				w.Data = data
			}
		}
		if !ok {
			w.Data = make([]float32, p.Shape.Product().Coef)
			switch {
			case len(w.Shape) > 1:
				rng.New(seed, 0, "init."+p.Name).Normal32(w.Data, float32(m.Config.InitializerRange))
			case strings.HasSuffix(p.Name, ".weight"): // of LayerNorm
				for i := range w.Data {
					w.Data[i] = 1
				}
			}
			m.Initialised = append(m.Initialised, p.Name)
		}
		m.Weights = append(m.Weights, w)
	}
	return nil
}

// CentreHead sets the bias of a new regression head to the mean of the training targets and returns its name: training
// then need not first carry the predictions to the mean through the encoder. It returns "" and changes nothing where
// the checkpoint has the bias or the head has several labels.
func (m *Model) CentreHead(mean float64) string {
	output := m.Head[len(m.Head)-1]
	for _, w := range m.Weights {
		if isOutput(w.Name, m.Head) && w.Name != output && len(w.Data) == 1 && slices.Contains(m.Initialised, w.Name) {
			w.Data[0] = float32(mean)
			return w.Name
		}
	}
	return ""
}

// isOutput reports the weight or bias of the output projection, the one layer whose shape is the task's.
func isOutput(name string, head []string) bool {
	layer := strings.TrimSuffix(head[len(head)-1], "weight")
	return name == layer+"weight" || name == layer+"bias"
}
