package main

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/driver/trainapi"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// The values of --engine and --provider.
const (
	stockEngine = "stock"
	trainingAPI = "training-api"
	cpu         = "cpu"
	cuda        = "cuda"
)

// openEngine makes the engine that the flags name, holding the model.
func (j *trainJob) openEngine() (driver.Engine, error) {
	c := j.flags
	if c.String("engine") != trainingAPI {
		e, err := stock.New(j.model, stock.Options{Library: c.String("ort-library"), Threads: int(c.Uint("threads")), Dropout: j.dropout})
		if err != nil {
			return nil, err
		}
		j.library = e.Library()
		return e, nil
	}
	e, err := openArtifacts(c, j.source.path)
	if err != nil {
		return nil, err
	}
	j.library.Path, j.library.Version = e.Library()
	if j.options.AdamW, err = adamwOf(c, e); err == nil {
		err = driver.Check(e, j.options)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// openArtifacts makes an engine on training artifacts as the flags say.
func openArtifacts(c *cli.Context, dir string) (*trainapi.Engine, error) {
	return trainapi.New(dir, trainapi.Options{Library: c.String("ort-library"), Threads: int(c.Uint("threads")), CUDA: c.String("provider") == cuda})
}

// adamwOf returns the constants of the artifacts' optimiser, which flags cannot change.
func adamwOf(c *cli.Context, e *trainapi.Engine) (a optim.AdamW, err error) {
	a = e.AdamW()
	if c.IsSet("weight-decay") && c.Float64("weight-decay") != a.WeightDecay {
		return a, usagef("--weight-decay is %v; the optimiser of the artifacts has %v: leave the flag away, or make artifacts with another decay", c.Float64("weight-decay"), a.WeightDecay)
	}
	return a, nil
}

// artifactsModel reads what a directory of training artifacts says about its model: the manifest, the encoder's
// configuration as a model without weights, and the tokenizer.
func artifactsModel(dir string) (*artifacts.Manifest, *graphs.Model, *tokenize.Tokenizer, error) {
	manifest, err := artifacts.ReadManifest(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	if manifest.Config == "" || manifest.Tokenizer == "" {
		return nil, nil, nil, usagef("the manifest %s names no config or no tokenizer: put the encoder's config.json and its tokenizer's files beside it, "+
			`with "config": "config.json" and "tokenizer": "."`, filepath.Join(dir, artifacts.ManifestFile))
	}
	config, err := graphs.ReadConfig(filepath.Dir(filepath.Join(dir, manifest.Config)))
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := graphs.NewModel(config, manifest.Model.Classes)
	if err != nil {
		return nil, nil, nil, err
	}
	tok, err := loadTokenizer(filepath.Join(dir, manifest.Tokenizer), m.Config)
	return manifest, m, tok, err
}

// loadArtifacts reads what training artifacts say about their model, and returns the longest sequence it takes.
func (j *trainJob) loadArtifacts() (positions int, err error) {
	manifest, m, tok, err := artifactsModel(j.source.path)
	if err != nil {
		return 0, err
	}
	j.model, j.tokenizer, j.dropout = m, tok, manifest.Model.Dropout
	j.weights = []string{artifacts.TrainingModel, artifacts.OptimizerModel, artifacts.Checkpoint, artifacts.ManifestFile}
	if k := j.task.NumLabels(); k != manifest.Model.Classes {
		return 0, usagef("task %s has %d outputs, the artifacts in %s have %d: make artifacts for this task", j.task.Name, k, j.source.path, manifest.Model.Classes)
	}
	for _, f := range []string{"dropout", "head-init"} {
		if j.flags.IsSet(f) && (f != "dropout" || j.flags.Float64(f) != j.dropout) {
			return 0, usagef("--%s: it is settled in the artifacts (their dropout is %v); leave the flag away, or make artifacts with another", f, j.dropout)
		}
	}
	return manifest.Model.MaxTokens, nil
}

// namedLike reports whether the engine's parameters are those of the model, by name and shape.
func namedLike(e *trainapi.Engine, m *graphs.Model) bool {
	shapes := map[string][]int{}
	for _, p := range e.Spec().Parameters {
		shapes[p.Name] = p.Shape
	}
	for _, p := range m.Graph.Parameters {
		var want []int
		for _, n := range p.Shape.Sizes(0, 0) {
			want = append(want, int(n))
		}
		if got, ok := shapes[p.Name]; !ok || !slices.Equal(got, want) {
			return false
		}
	}
	return len(shapes) == len(m.Graph.Parameters)
}

// exportArtifacts writes the model of the newest checkpoint of a run on training artifacts.
func exportArtifacts(c *cli.Context, run, out string, config runConfig) (err error) {
	_, m, tok, err := artifactsModel(config.Model)
	if err != nil {
		return err
	}
	engine, err := openArtifacts(c, config.Model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return config.export(engine, m, tok, run, out)
}
