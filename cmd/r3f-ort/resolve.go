package main

import (
	"path/filepath"
	"strings"
)

// hash fingerprints the files that decide the result.
func (j *trainJob) hash() error {
	files := map[string]string{
		"tokenizer_sha256": j.tokenizer.Files()[0],
		"train_sha256":     j.training.path(),
	}
	if j.dev != nil {
		files["dev_sha256"] = j.dev.path()
	}
	for _, name := range j.weights {
		files[strings.TrimSuffix(name, filepath.Ext(name))+"_sha256"] = filepath.Join(j.source.directory(), name)
	}
	j.hashes = map[string]string{}
	for key, path := range files {
		sum, err := hashFile(path)
		if err != nil {
			return err
		}
		j.hashes[key] = sum
	}
	if j.source.imported { // its tensors may lie in files of their own
		j.hashes["weights_sha256"] = hashWeights(j.model.Weights)
	}
	return nil
}

// resolve is RUN/config.json: every setting as it came out, and the hashes of what they name.
func (j *trainJob) resolve() map[string]any {
	o := j.options
	config := map[string]any{
		"task": j.task.Name, "labels": j.task.Labels, "metrics": j.task.Metrics, "regression": j.task.Regression(),
		"text_column": j.task.Columns.Text, "pair_column": j.task.Columns.Pair, "label_column": j.task.Columns.Label,
		"train": j.training.path(), "dev": j.dev.path(), "model": j.source.path, "embedding": j.source.embedding, "tokenizer": j.source.tokenizer,
		"method": o.Method, "noise": o.Noise, "eps": o.Epsilon, "lambda": *o.Lambda, "stop_gradient": o.StopGradient,
		"regression_term": o.RegressionTerm, "dropout": j.dropout, "dropout_masks": o.DropoutMasks, "r4f_scope": o.R4FScope,
		"epochs": o.Epochs, "max_steps": o.MaxSteps, "batch_size": o.BatchSize, "accumulate": o.Accumulate, "lr": o.LearningRate,
		"schedule": o.Schedule, "warmup": *o.Warmup, "weight_decay": o.AdamW.WeightDecay, "clip": o.Clip, "max_length": j.maxLength,
		"shuffle": !o.FileOrder, "head_init": j.flags.String("head-init"), "seed": o.Seed, "eval_every": o.EvalEvery,
		"checkpoint_every": j.flags.String("checkpoint-every"), "on_checkpoint_error": o.OnCheckpointError, "on_nonfinite": o.NonFinite, "keep": o.Keep, "preset": j.flags.String("preset"), "threads": j.flags.Uint("threads"),
		"engine": j.flags.String("engine"), "provider": j.flags.String("provider"),
		"ort_version": j.library.Version, "r3f_ort_version": version,
	}
	for key, sum := range j.hashes {
		config[key] = sum
	}
	return config
}
