package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/tasks"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// trainJob is one run of train: what its flags came to.
type trainJob struct {
	ctx           context.Context
	flags         *cli.Context
	progress      *progress
	task          tasks.Task
	source        source
	out           string
	model         *graphs.Model
	weights       []string // files of the source that decide the result
	tokenizer     *tokenize.Tokenizer
	maxLength     int
	dropout       float64
	training, dev *dataset // dev is nil where there is none
	library       stock.Library
	options       driver.Options
	plan          driver.Plan
	setupSeconds  float64
	hashes        map[string]string // of the files that decide the result
}

// open reads all that the flags name, and makes the engine.
func (j *trainJob) open() (driver.Engine, error) {
	for _, prepare := range []func() error{j.checkFlags, j.openTask, j.openModel} {
		if err := prepare(); err != nil {
			return nil, err
		}
	}
	return j.openEngine()
}

// checkFlags refuses what no later step would notice.
func (j *trainJob) checkFlags() error {
	o, err := trainOptions(j.flags)
	if err != nil {
		return err
	}
	j.options = o
	if o.Resume && j.flags.Bool("overwrite") {
		return usagef("--resume and --overwrite contradict each other: give one")
	}
	return checkHead(j.flags)
}

// openTask finds the task or makes one of the files.
func (j *trainJob) openTask() error {
	name, file := j.flags.String("task"), j.flags.String("train")
	var err error
	switch {
	case name != "" && (file != "" || j.flags.String("dev") != ""):
		return usagef("--task names its own files: give either --task, or --train and --dev")
	case name != "":
		j.task, err = tasks.Lookup(name)
	case file == "":
		return usagef("no data: give --task NAME --data DIR, or --train FILE --dev FILE")
	default:
		j.task, err = tasks.FromFiles(file, j.flags.String("dev"), tasks.Options{Columns: columnsOf(j.flags), Regression: j.flags.Bool("regression")})
	}
	j.out = j.flags.String("out")
	if j.out == "" {
		j.out = filepath.Join("runs", fmt.Sprintf("%s-%s-%d", j.task.Name, j.options.Method, j.options.Seed))
	}
	return err
}

func columnsOf(c *cli.Context) tasks.Columns {
	return tasks.Columns{Text: c.String("text-column"), Pair: c.String("pair-column"), Label: c.String("label-column")}
}

// openModel reads model and tokenizer, then the data they will see.
func (j *trainJob) openModel() error {
	var err error
	if j.source, err = sourceOf(j.flags); err != nil {
		return err
	}
	load := j.loadPretrained
	if j.flags.String("engine") == trainingAPI {
		load = j.loadArtifacts
	}
	positions, err := load()
	if err != nil {
		return err
	}
	j.maxLength = min(int(j.flags.Uint("max-length")), positions)
	read := func(split tasks.Split) (*dataset, error) {
		d, err := loadDataset(j.ctx, j.task, j.flags.String("data"), split, j.tokenizer, j.maxLength)
		if err == nil {
			for _, remark := range d.remarks(split, j.maxLength, positions) {
				j.progress.say("%s", remark)
			}
		}
		return d, err
	}
	if j.training, err = read(tasks.Train); err != nil {
		return err
	}
	j.centreHead()
	if j.task.Files.Dev.Path != "" {
		if j.dev, err = read(tasks.Dev); err != nil {
			return err
		}
		j.options.Dev, j.options.Primary = j.dev.examples, j.task.Metrics[0]
		j.options.Score = func(logits []float32, classes int, _ []driver.Example) (map[string]float64, error) {
			return j.dev.score(j.task.Metrics, logits, classes)
		}
	}
	return j.hash()
}

// centreHead starts a new regression head at the mean of the training targets.
func (j *trainJob) centreHead() {
	if !j.task.Regression() || j.flags.String("head-init") != "random" {
		return
	}
	mean := j.training.meanTarget()
	if bias := j.model.CentreHead(mean); bias != "" {
		j.progress.say("%s starts at %.4g, the mean of %d training targets", bias, mean, len(j.training.examples))
	}
}

// loadPretrained reads the pretrained model and its tokenizer, and returns the longest sequence it takes.
func (j *trainJob) loadPretrained() (positions int, err error) {
	head := j.flags.String("head-init")
	if j.model, j.tokenizer, err = j.source.load(j.task.NumLabels(), j.options.Seed, head); err != nil {
		return 0, err
	}
	if notes := j.model.Notes; len(notes) > 0 {
		j.progress.say("imported %s; added: %s", j.source.path, strings.Join(notes, "; "))
	}
	if note := initialised(j.model, head, j.options.Seed); note != "" {
		j.progress.say("%s", note)
	}
	j.weights = []string{j.source.file()}
	if j.dropout, err = dropoutOf(j.flags, j.model.Config); err != nil {
		return 0, err
	}
	return j.model.Config.MaxTokens(), nil
}
