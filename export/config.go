package export

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// Info is what config.json says about an export.
type Info struct {
	Config    *graphs.Config     // of the encoder; NumLabels is set
	Task      string             // name of the task
	Method    string             // fine-tuning method
	BaseModel string             // name of the pretrained model
	Labels    []string           // class names by index; nil for regression
	MaxLength int                // tokens that texts are cut to
	Step      int                // update that the weights are from
	Metrics   map[string]float64 // scores on the dev split
}

// Regression reports whether the model predicts a number instead of a class.
func (i Info) Regression() bool { return i.Labels == nil }

// own is the "r3f_ort" object of config.json.
type own struct {
	Task      string             `json:"task"`
	Method    string             `json:"method"`
	BaseModel string             `json:"base_model"`
	MaxLength int                `json:"max_length"`
	Step      int                `json:"step"`
	Metrics   map[string]float64 `json:"metrics,omitempty"`
	Version   string             `json:"version"`
	Imported  *sizes             `json:"imported,omitempty"`
}

// sizes are those of an imported model, whose graph tells them and whose config.json may not.
type sizes struct {
	VocabSize     int `json:"vocab_size"`
	EmbeddingSize int `json:"embedding_size"`
	HiddenSize    int `json:"hidden_size"`
	MaxTokens     int `json:"max_tokens"`
}

// The values of problem_type, which transformers chooses the loss by.
const (
	classification = "single_label_classification"
	regression     = "regression"
)

// config is the base model's config.json with what fine-tuning changed.
// named says that the weights beside it have the names that transformers' class of the model gives them.
func (o Options) config(base *graphs.Config, named bool) ([]byte, error) {
	names, problem := o.Labels, classification
	if names == nil {
		names, problem = []string{"LABEL_0"}, regression // as transformers names it
	}
	id2label, label2id := map[string]string{}, map[string]int{}
	for i, name := range names {
		id2label[strconv.Itoa(i)], label2id[name] = name, i
	}
	if len(label2id) != len(names) {
		return nil, fmt.Errorf("the labels %q are not all different", names)
	}
	fields := base.Fields()
	for _, key := range []string{"torch_dtype", "dtype"} { // the weights written are float32, whatever they were
		if _, ok := fields[key]; ok {
			fields[key] = "float32"
		}
	}
	if a := base.Architecture(); a != "" && named {
		fields["architectures"] = []string{a}
	} else {
		delete(fields, "architectures") // of the base model, whose class has no such head
	}
	fields["id2label"], fields["label2id"], fields["num_labels"] = id2label, label2id, len(names)
	fields["problem_type"] = problem
	mine := own{Task: o.Task, Method: o.Method, BaseModel: o.BaseModel, MaxLength: o.MaxLength, Step: o.Step, Metrics: o.Metrics, Version: o.Version}
	if base.Imported() {
		mine.Imported = &sizes{base.VocabSize, base.EmbeddingSize, base.HiddenSize, base.MaxTokens()}
	}
	fields["r3f_ort"] = mine
	data, err := json.MarshalIndent(fields, "", "  ")
	return append(data, '\n'), err
}

// Read reads what an export's config.json says. Errors about its content wrap graphs.ErrModel.
func Read(dir string) (Info, error) {
	c, err := readConfig(dir)
	if err != nil {
		return Info{}, fmt.Errorf("opening an export: %w", err)
	}
	info, err := parse(c)
	if err != nil {
		return Info{}, fmt.Errorf("opening an export: reading %s: %w: %w", filepath.Join(dir, configFile), graphs.ErrModel, err)
	}
	return info, nil
}

// readConfig reads config.json as the family's, or as an imported model's where this package wrote that it is one.
func readConfig(dir string) (*graphs.Config, error) {
	path := filepath.Join(dir, configFile)
	data, err := confine.ReadFile(path)
	var fields struct {
		Own struct{ Imported *sizes } `json:"r3f_ort"`
	}
	if err != nil || json.Unmarshal(data, &fields) != nil || fields.Own.Imported == nil {
		return graphs.ReadConfig(dir) // which says what is wrong
	}
	s := fields.Own.Imported
	c, err := graphs.ImportedConfig(data, graphs.Config{VocabSize: s.VocabSize, EmbeddingSize: s.EmbeddingSize, HiddenSize: s.HiddenSize}, s.MaxTokens)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", graphs.ErrModel, path, err)
	}
	return c, nil
}

// parse checks the part of config.json that this package wrote.
func parse(c *graphs.Config) (Info, error) {
	raw, err := json.Marshal(c.Fields())
	if err != nil {
		return Info{}, err
	}
	var fields struct {
		Own      *own              `json:"r3f_ort"`
		ID2Label map[string]string `json:"id2label"`
		Problem  string            `json:"problem_type"`
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return Info{}, err
	}
	o := fields.Own
	if o == nil {
		return Info{}, fmt.Errorf(`it has no "r3f_ort" object: this is no export of r3f-ort; give a run directory or the output of r3f-ort export`)
	}
	if o.MaxLength < 1 || o.MaxLength > c.MaxTokens() {
		return Info{}, fmt.Errorf("r3f_ort.max_length is %d; the model has positions for 1 to %d tokens", o.MaxLength, c.MaxTokens())
	}
	labels := make([]string, len(fields.ID2Label))
	for i := range labels {
		name, ok := fields.ID2Label[strconv.Itoa(i)]
		if !ok || slices.Contains(labels[:i], name) {
			return Info{}, fmt.Errorf("id2label does not give each of 0 to %d a name of its own", len(labels)-1)
		}
		labels[i] = name
	}
	switch {
	case fields.Problem == regression && len(labels) == 1:
		labels = nil
	case fields.Problem != classification || len(labels) < 2:
		return Info{}, fmt.Errorf("problem_type is %q with %d labels; want %s with one or %s with two or more", fields.Problem, len(labels), regression, classification)
	}
	config := *c
	config.NumLabels = max(1, len(labels))
	return Info{&config, o.Task, o.Method, o.BaseModel, labels, o.MaxLength, o.Step, o.Metrics}, nil
}
