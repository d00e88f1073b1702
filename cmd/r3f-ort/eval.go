package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/tasks"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name:  "eval",
		Usage: "score an exported model on labelled data",
		Description: `Runs the model.onnx of a run or an export on a split of its GLUE task, or on your own labelled file, and prints the
task's metrics. Without --task and --dev the task is the one the model was trained for.

Examples:
   r3f-ort eval --model runs/desk --dev dev.tsv
   r3f-ort eval --model runs/rte-r3f-1 --data glue --split dev --json`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "run or export `DIR`"},
			&cli.StringFlag{Name: "split", Value: "dev", Usage: "of the GLUE task: train, dev or test"},
			threadsFlag(), libraryFlag(), jsonFlag(),
		}, dataFlags()...),
		Action: evaluate,
	}
}

// evalReport is what eval --json prints.
type evalReport struct {
	Task      string             `json:"task"`
	Split     string             `json:"split"`
	File      string             `json:"file"`
	Examples  int                `json:"examples"`
	Truncated int                `json:"truncated"`
	Metrics   map[string]float64 `json:"metrics"`
	Seconds   float64            `json:"seconds"`
}

func evaluate(c *cli.Context) (err error) {
	if err := choice(c, "split", string(tasks.Train), string(tasks.Dev), string(tasks.Test)); err != nil {
		return err
	}
	p, err := openPredictor(c.String("model"), stock.Options{Library: c.String("ort-library"), Threads: int(c.Uint("threads"))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.session.Close()) }()
	task, err := p.evalTask(c)
	if err != nil {
		return err
	}
	split := tasks.Split(c.String("split"))
	d, err := loadDataset(c.Context, task, c.String("data"), split, p.tokenizer, p.MaxLength)
	if err != nil {
		return err
	}
	messages := newProgress(c.App.ErrWriter, false)
	for _, remark := range d.remarks(split, p.MaxLength, p.Config.MaxTokens()) {
		messages.say("%s", remark)
	}
	begin := time.Now()
	logits, err := driver.Predict(c.Context, p, d.examples)
	if err != nil {
		return err
	}
	r := evalReport{Task: task.Name, Split: string(split), File: d.path(), Examples: len(d.rows), Truncated: d.truncated, Seconds: time.Since(begin).Seconds()}
	if r.Metrics, err = d.score(task.Metrics, logits, p.Config.NumLabels); err != nil {
		return err
	}
	if c.Bool("json") {
		return writeResult(c.App.Writer, r)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s, %d examples of %s: %s\n", r.Task, r.Examples, r.File, metricsText(r.Metrics))
	return err
}

// evalTask is the task to score, with the labels in the model's order.
func (p *predictor) evalTask(c *cli.Context) (tasks.Task, error) {
	name, file := c.String("task"), c.String("dev")
	if name != "" && file != "" {
		return tasks.Task{}, usagef("--task names its own files: give either --task or --dev")
	}
	if file != "" {
		if c.String("split") != string(tasks.Dev) {
			return tasks.Task{}, usagef("--split chooses a file of a GLUE task; --dev names the file itself: give one")
		}
		return tasks.FromFiles("", file, tasks.Options{Columns: columnsOf(c), Regression: p.Regression(), Labels: p.Labels})
	}
	if name == "" {
		if name = p.Task; name == customTask {
			return tasks.Task{}, usagef("the model was trained on files of your own: name one to score it on with --dev FILE")
		}
	}
	task, err := tasks.Lookup(name)
	if err != nil {
		return tasks.Task{}, err
	}
	if !slices.Equal(slices.Sorted(slices.Values(task.Labels)), slices.Sorted(slices.Values(p.Labels))) {
		return tasks.Task{}, usagef("task %s has the labels %q, the model %q: it was trained for task %q", task.Name, task.Labels, p.Labels, p.Task)
	}
	task.Labels = p.Labels
	return task, nil
}

// customTask is the name tasks.FromFiles gives.
const customTask = "custom"
