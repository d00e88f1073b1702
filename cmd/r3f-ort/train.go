package main

import (
	"errors"
	"io"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/export"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "fine-tune a model and keep the best in RUN/model",
		Description: `Fine-tunes a pretrained encoder on a GLUE task or on your own labelled files, evaluates it after each epoch, and
keeps the best model, ready to be served, in RUN/model. An interrupted run continues with --resume, to the same
bytes. A --config file holds flags as YAML; a flag or its environment variable overrules it.

Examples:
   r3f-ort train --train train.tsv --dev dev.tsv --out runs/desk
   r3f-ort train --task rte --data glue --method r4f --epochs 10 --lr 1e-5 --seed 7
   r3f-ort train --out runs/desk --train train.tsv --dev dev.tsv --resume
   r3f-ort train --model exported/encoder.onnx --train train.tsv --dev dev.tsv --out runs/desk
   r3f-ort train --engine training-api --model artifacts --train train.tsv --dev dev.tsv --out runs/desk`,
		Flags:  trainFlags(),
		Action: train,
	}
}

func train(c *cli.Context) error {
	if err := layer(c); err != nil {
		return err
	}
	j := &trainJob{ctx: c.Context, flags: c, progress: newProgress(c.App.ErrWriter, isTerminal(c.App.ErrWriter))}
	engine, err := j.open()
	if err != nil {
		return err
	}
	j.model.Weights = nil // the engine has its own copy
	debug.FreeOSMemory()
	err = j.run(engine)
	return errors.Join(err, engine.Close())
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run trains on an engine that holds the model.
func (j *trainJob) run(engine driver.Engine) error {
	mode := resumeMode(j.flags)
	if j.flags.Bool("overwrite") {
		mode = driver.Overwrite
	}
	run, err := driver.OpenRun(j.out, mode, j.resolve())
	if err != nil {
		return err
	}
	j.options.Run = run
	j.options.OnStart = func(p driver.Plan) error { j.plan = p; j.progress.start(p); return nil }
	j.options.OnStep = func(r driver.StepRecord) error {
		if j.setupSeconds == 0 {
			j.setupSeconds = sinceStart() - r.Seconds
		}
		j.progress.step(r)
		return nil
	}
	j.options.OnNote = func(note string) { j.progress.say("%s", note) }
	j.options.OnEval = func(r driver.EvalRecord) error { j.progress.eval(r); return nil }
	j.options.OnBest = func(r driver.EvalRecord) error { return j.export(engine, run.Model(), r) }
	result, err := driver.Train(j.ctx, engine, j.training.all(), j.options)
	j.progress.done()
	if err = errors.Join(err, run.Close()); err != nil {
		return err
	}
	if err := j.report(result, run.Model()); err != nil {
		return err
	}
	if result.Interrupted {
		return j.interrupted(result.Steps)
	}
	return nil
}

// export writes the model that the engine holds.
func (j *trainJob) export(engine driver.Engine, dir string, r driver.EvalRecord) error {
	return exportEngine(engine, j.model, dir, export.Options{
		Task: j.task.Name, Method: j.options.Method, BaseModel: j.source.name(), Labels: j.task.Labels, MaxLength: j.maxLength,
		Step: r.Step, Metrics: r.Metrics, Version: version, TokenizerFiles: j.tokenizer.Files(),
	})
}
