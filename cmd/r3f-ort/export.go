package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/driver/trainapi"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/confine"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write a run's model, or training artifacts, to a directory of its own",
		Description: `Writes model.onnx, model.safetensors, config.json and the tokenizer's files of a run to a directory that any ONNX
Runtime and Hugging Face transformers load: the best model the run has seen, or that of its newest checkpoint.

With --format ort-training it writes a pretrained model as artifacts of ONNX Runtime's training API instead:
training_model.onnx with the R3F loss inside, eval_model.onnx, optimizer_model.onnx and checkpoint, with the manifest
r3f.json. Noise, dropout masks and lambda are inputs of the training graph.

Examples:
   r3f-ort export --run runs/desk --out desk-model
   r3f-ort export --run runs/desk --checkpoint newest --out desk-model --overwrite
   r3f-ort export --format ort-training --model bert-base --task rte --out rte-artifacts`,
		Flags: slices.Concat(
			[]cli.Flag{
				&cli.StringFlag{Name: "format", Value: formatONNX, Usage: "what to write: onnx or ort-training"},
				&cli.StringFlag{Name: "out", Usage: "`DIR` to write"},
				&cli.BoolFlag{Name: "overwrite", Usage: "replace the export in --out"},
				libraryFlag(), jsonFlag(),
			},
			inCategory("onnx", runExportFlags()...), inCategory("ort-training", trainingExportFlags()...),
		),
		Action: func(c *cli.Context) error {
			if err := choice(c, "format", formatONNX, formatTraining); err != nil {
				return err
			}
			out := c.String("out")
			if out == "" {
				return usagef("give --out DIR, and --run RUN or, for --format ort-training, --model DIR")
			}
			if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 && !c.Bool("overwrite") {
				return usagef("%s exists and is not empty; replace an export with --overwrite, or choose another --out", out)
			}
			if c.String("format") == formatTraining {
				return exportTraining(c, out)
			}
			return exportRun(c, out)
		},
	}
}

// The formats of an export.
const (
	formatONNX     = "onnx"
	formatTraining = "ort-training"
)

// runExportFlags are those of a run's export.
func runExportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "run", Usage: "run `DIR`"},
		&cli.StringFlag{Name: "checkpoint", Value: "best", Usage: "which model: best or newest"},
	}
}

// otherFormat refuses flags that the format at hand would ignore, but for those from the environment, which is for every
// verb.
func otherFormat(c *cli.Context, flags []cli.Flag, theirs string) error {
	for _, f := range flags {
		name := f.Names()[0]
		if _, environment := os.LookupEnv(envName(name)); c.IsSet(name) && !environment {
			return usagef("--%s belongs to --format %s", name, theirs)
		}
	}
	return nil
}

func exportRun(c *cli.Context, out string) error {
	if err := otherFormat(c, trainingExportFlags(), formatTraining); err != nil {
		return err
	}
	run := c.String("run")
	if run == "" {
		return usagef("give --run RUN and --out DIR")
	}
	if err := choice(c, "checkpoint", "best", "newest"); err != nil {
		return err
	}
	var err error
	if c.String("checkpoint") == "newest" {
		err = exportCheckpoint(c, run, out)
	} else {
		err = exportBest(run, out)
	}
	if err != nil {
		return err
	}
	info, err := export.Read(out)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeResult(c.App.Writer, map[string]any{"model": out, "step": info.Step, "metrics": info.Metrics})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: step %d %s\n", out, info.Step, metricsText(info.Metrics))
	return err
}

// exportBest copies what the run exported when it saw its best model.
func exportBest(run, out string) error {
	model := filepath.Join(run, "model")
	if _, err := os.Stat(filepath.Join(model, export.ModelFile)); errors.Is(err, fs.ErrNotExist) {
		return usagef("exporting the best model: %w; the run has not evaluated yet: choose --checkpoint newest, or let it go on with train --resume", err)
	}
	return export.Copy(out, model)
}

// runConfig is what exporting a checkpoint needs of RUN/config.json.
type runConfig struct {
	Engine    string       `json:"engine"`
	Task      string       `json:"task"`
	Labels    []string     `json:"labels"`
	Model     string       `json:"model"`
	Embedding string       `json:"embedding"`
	Tokenizer string       `json:"tokenizer"`
	Method    string       `json:"method"`
	R4FScope  driver.Scope `json:"r4f_scope"`
	MaxLength int          `json:"max_length"`
	Seed      uint64       `json:"seed"`
}

// exportCheckpoint rebuilds the model of the newest checkpoint that verifies.
func exportCheckpoint(c *cli.Context, run, out string) (err error) {
	path := filepath.Join(run, "config.json")
	var config runConfig
	data, err := confine.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return usagef("opening the run: reading %s: %w; --run wants a run directory of r3f-ort train", path, err)
	}
	if config.Engine == trainingAPI {
		return exportArtifacts(c, run, out, config)
	}
	from, err := config.source()
	if err != nil {
		return err
	}
	m, tok, err := from.load(max(1, len(config.Labels)), config.Seed, "random")
	if err != nil {
		return fmt.Errorf("rebuilding the model of %s: %w", run, err)
	}
	engine, err := stock.New(m, stock.Options{Library: c.String("ort-library")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return config.export(engine, m, tok, run, out)
}

// source is the model that the run began with.
func (config runConfig) source() (source, error) {
	return newSource(config.Model, config.Embedding, config.Tokenizer)
}

// export writes the model of the run's newest checkpoint, which engine is to hold.
func (config runConfig) export(engine driver.Engine, m *graphs.Model, tok *tokenize.Tokenizer, run, out string) error {
	from, err := config.source()
	if err != nil {
		return err
	}
	step, err := driver.Restore(engine, run, driver.Options{Method: config.Method, R4FScope: config.R4FScope})
	if err != nil {
		return err
	}
	return exportEngine(engine, m, out, export.Options{
		Task: config.Task, Method: config.Method, BaseModel: from.name(), Labels: config.Labels,
		MaxLength: config.MaxLength, Step: step, Version: version, TokenizerFiles: tok.Files(),
	})
}

// exportEngine writes the model that the engine holds.
func exportEngine(e driver.Engine, m *graphs.Model, dir string, o export.Options) error {
	if t, ok := e.(*trainapi.Engine); ok && !namedLike(t, m) {
		return export.WriteGraph(dir, m.Config, t.ServingModel, o)
	}
	weights, err := weightsOf(e)
	if err != nil {
		return err
	}
	return export.Write(dir, m, weights, o)
}
