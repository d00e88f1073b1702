package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/tasks"
)

// trainingExportFlags are those of training artifacts.
func trainingExportFlags() []cli.Flag {
	return append([]cli.Flag{
		modelFlag(),
		&cli.StringFlag{Name: "task", Usage: "GLUE `TASK` that gives the number of labels: rte, mrpc, cola, sst-2, sts-b or qnli"},
		&cli.UintFlag{Name: "labels", Usage: "number of classes, instead of --task"},
		&cli.BoolFlag{Name: "regression", Usage: "predict a number, instead of --task and --labels"},
		&cli.StringFlag{Name: "method", Value: "r3f", Usage: "loss of the training graph: r3f or standard"},
		&cli.Float64Flag{Name: "dropout", DefaultText: "the model's own, mostly 0.1", Usage: "drop probability; masks are fed"},
		headFlag(),
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of new weights"},
		&cli.Float64Flag{Name: "weight-decay", Value: 0.01, Usage: "AdamW's, on matrices"},
	}, pick(methodFlags(), "regression-term")...)
}

// trainingReport is what export --format ort-training prints with --json.
type trainingReport struct {
	Artifacts  string  `json:"artifacts"` // directory
	Classes    int     `json:"classes"`   // 1 for a regression
	R3F        bool    `json:"r3f"`       // the training graph has the R3F term
	Dropout    float64 `json:"dropout"`
	Parameters int     `json:"parameters"` // tensors
}

// exportTraining writes a pretrained model as artifacts of ONNX Runtime's training API.
func exportTraining(c *cli.Context, out string) error {
	if err := otherFormat(c, runExportFlags(), formatONNX); err != nil {
		return err
	}
	classes, err := classesOf(c)
	if err != nil {
		return err
	}
	r3f, err := hasTerm(c, classes)
	if err != nil {
		return err
	}
	if err := checkHead(c); err != nil {
		return err
	}
	from, err := sourceOf(c)
	if err != nil {
		return err
	}
	head, seed := c.String("head-init"), c.Uint64("seed")
	m, tok, err := from.load(classes, seed, head)
	if err != nil {
		return err
	}
	dropout, err := dropoutOf(c, m.Config)
	if err != nil {
		return err
	}
	decay := optim.AdamW{}.OrDefault()
	decay.WeightDecay = c.Float64("weight-decay")
	if err := decay.Validate(); err != nil {
		return usagef("--weight-decay: %w", err)
	}
	err = export.WriteTraining(out, m, m.Weights, export.TrainingOptions{
		TrainingOptions: graphs.TrainingOptions{R3F: r3f, Dropout: dropout}, AdamW: decay, TokenizerFiles: tok.Files(),
	})
	if err != nil {
		return err
	}
	if note := initialised(m, head, seed); note != "" {
		fmt.Fprintln(c.App.ErrWriter, note)
	}
	if c.Bool("json") {
		return writeResult(c.App.Writer, trainingReport{out, classes, r3f, dropout, len(m.Weights)})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: training artifacts of %d parameters, %d outputs, dropout %g\n", out, len(m.Weights), classes, dropout)
	return err
}

// classesOf is the number of the model's outputs: that of a task, of --labels, or 1 for --regression.
func classesOf(c *cli.Context) (int, error) {
	given := 0
	for _, name := range []string{"task", "labels", "regression"} {
		if c.IsSet(name) {
			given++
		}
	}
	switch k := c.Uint("labels"); {
	case given != 1:
		return 0, usagef("give one of --task NAME, --labels N and --regression")
	case c.IsSet("task"):
		task, err := tasks.Lookup(c.String("task"))
		return task.NumLabels(), err
	case c.Bool("regression"):
		return 1, nil
	case k < 2 || k > 1<<16:
		return 0, usagef("--labels is %d; give the number of classes, 2 to %d, or --regression", k, 1<<16)
	default:
		return int(k), nil
	}
}

// hasTerm reports whether the method compares two passes.
func hasTerm(c *cli.Context, classes int) (bool, error) {
	o, err := objectiveOf(c, classes)
	if err != nil {
		return false, err
	}
	if o.Method.Spectral || o.Method.TaskOnBoth {
		return false, usagef("--method %s: its loss is not in the training graph, only that of r3f and standard is; train with --engine stock instead", o.Method.Name)
	}
	return o.Passes() == 2, nil
}
