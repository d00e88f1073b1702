package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver/loss"
)

// Flags that several verbs have.

func libraryFlag() cli.Flag {
	return &cli.StringFlag{Name: "ort-library", Usage: "ONNX Runtime `LIBRARY`, a file or a directory (default: .r3f/lib, then the user's cache)"}
}

func threadsFlag() cli.Flag {
	return &cli.UintFlag{Name: "threads", Usage: "threads that compute; 0 is all processors"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print the result as JSON on standard output"}
}

func modelFlag() cli.Flag {
	return &cli.StringFlag{Name: "model", Usage: "`DIR` with config.json, model.safetensors and tokenizer.json, or FILE.onnx, an exported encoder (default: " + defaultModel + " if it is there)"}
}

func embeddingFlag() cli.Flag {
	return &cli.StringFlag{Name: "embedding", Usage: "`NAME` of the word-embedding table of an ONNX file (default: the one that the token ids look rows up in)"}
}

func headFlag() cli.Flag {
	return &cli.StringFlag{Name: "head-init", Value: "random", Usage: "new classifier: random, N(0, 0.02²) from the seed, and train starts a regression's bias at the mean target; or cosine, 0.02·cos(1+7k+j)"}
}

// checkHead refuses an unknown --head-init.
func checkHead(c *cli.Context) error { return choice(c, "head-init", "random", "cosine") }

// inCategory groups flags in the help.
func inCategory(name string, flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		if category, _ := parts(f); category != nil {
			*category = name
		}
	}
	return flags
}

// dataFlags are those that name labelled data.
func dataFlags() []cli.Flag {
	return inCategory("data",
		&cli.StringFlag{Name: "task", Usage: "GLUE `TASK`: rte, mrpc, cola, sst-2, sts-b or qnli"},
		&cli.StringFlag{Name: "data", Usage: "`DIR` of the official GLUE folders"},
		&cli.StringFlag{Name: "dev", Usage: "your own `FILE` to evaluate on: .tsv, .csv or .jsonl"},
		&cli.StringFlag{Name: "text-column", Value: "text", Usage: "column of the text in your own files"},
		&cli.StringFlag{Name: "pair-column", Usage: "column of the second text (default: pair, where there is one)"},
		&cli.StringFlag{Name: "label-column", Value: "label", Usage: "column of the label, or of the number in a regression"},
	)
}

// methodFlags are those that say what a step computes.
func methodFlags() []cli.Flag {
	return inCategory("method",
		&cli.StringFlag{Name: "method", Value: "r3f", Usage: "standard, r3f, r4f or rdrop"},
		&cli.StringFlag{Name: "noise", Value: "uniform", Usage: "distribution of the noise: uniform or normal"},
		&cli.Float64Flag{Name: "eps", Value: 1e-5, Usage: "scale of the noise"},
		&cli.Float64Flag{Name: "lambda", Value: 1, Usage: "weight of the R3F term"},
		&cli.BoolFlag{Name: "stop-gradient", Usage: "take the clean output as a constant target of the R3F term"},
		&cli.StringFlag{Name: "regression-term", Value: "none", Usage: "R3F term of a regression: none (as the published code) or mse"},
		&cli.Float64Flag{Name: "dropout", DefaultText: "the model's own, mostly 0.1", Usage: "drop probability"},
		&cli.StringFlag{Name: "dropout-masks", Value: "independent", Usage: "masks of the clean and the noised pass: independent or shared"},
		&cli.StringFlag{Name: "r4f-scope", Value: "head", Usage: "what R4F normalises: head (all its matrices) or out_proj"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of order, noise, dropout and new weights"},
		&cli.StringFlag{Name: "engine", Value: stockEngine, Usage: "what computes: stock, or training-api, on training artifacts as --model"},
		&cli.StringFlag{Name: "provider", Value: cpu, Usage: "where it computes: cpu, or cuda with a CUDA build of the training API"},
	)
}

// objectiveOf is the loss of --method and --regression-term for a head of so many outputs, 1 for a regression; lambda
// is left out.
func objectiveOf(c *cli.Context, outputs int) (loss.Objective, error) {
	method, err := loss.MethodByName(c.String("method"))
	if err != nil {
		return loss.Objective{}, usagef("--method: %w", err)
	}
	term := loss.RegressionTerm(c.String("regression-term"))
	return loss.Objective{Method: method, Regression: outputs == 1, RegressionTerm: term},
		choice(c, "regression-term", string(loss.TermNone), string(loss.TermMSE))
}

// trainFlags are those of train.
func trainFlags() []cli.Flag {
	return slices.Concat(
		dataFlags(),
		inCategory("data",
			&cli.StringFlag{Name: "train", Usage: "your own `FILE` to train on, instead of --task: .tsv, .csv or .jsonl"},
			&cli.BoolFlag{Name: "regression", Usage: "the labels of your own files are numbers to predict"},
			&cli.UintFlag{Name: "max-length", Value: 128, Usage: "tokens that texts are cut to"},
			&cli.BoolFlag{Name: "shuffle", Value: true, Usage: "draw batches at random, of similar length; --shuffle=false keeps the order of the file"},
		),
		methodFlags(),
		inCategory("method",
			modelFlag(), embeddingFlag(),
			&cli.StringFlag{Name: "tokenizer", Usage: "`DIR` of the tokenizer's files (default: where the model is)"},
			headFlag(),
		),
		inCategory("optimiser",
			&cli.UintFlag{Name: "epochs", Value: 3, Usage: "passes over the training data"},
			&cli.UintFlag{Name: "max-steps", Usage: "updates to make, instead of --epochs"},
			&cli.UintFlag{Name: "batch-size", Value: 16, Usage: "examples a batch"},
			&cli.UintFlag{Name: "accumulate", Value: 1, Usage: "batches an update"},
			&cli.Float64Flag{Name: "lr", Value: 2e-5, Usage: "peak learning rate"},
			&cli.StringFlag{Name: "schedule", Value: "polynomial", Usage: "of the learning rate: polynomial, linear, cosine or constant"},
			&cli.Float64Flag{Name: "warmup", Value: 0.06, Usage: "share of all updates, or from 1 on their number"},
			&cli.Float64Flag{Name: "weight-decay", Value: 0.01, Usage: "AdamW's, on matrices"},
			&cli.Float64Flag{Name: "clip", Usage: "largest gradient norm; 0 is no clipping"},
			&cli.StringFlag{Name: "preset", Usage: "settings of the paper for a GLUE task (paper), or of the published code for RTE (fairseq-rte)"},
		),
		inCategory("run",
			&cli.StringFlag{Name: "out", Usage: "run `DIR` (default: runs/TASK-METHOD-SEED)"},
			&cli.BoolFlag{Name: "resume", Usage: "continue the run in --out from its newest checkpoint"},
			&cli.BoolFlag{Name: "resume-force", Usage: "continue it though configuration, data, tokenizer, model or ONNX Runtime have changed"},
			&cli.BoolFlag{Name: "overwrite", Usage: "replace the run in --out"},
			&cli.StringFlag{Name: "config", Usage: "YAML `FILE` of flags, such as \"batch-size: 8\""},
			&cli.UintFlag{Name: "eval-every", Usage: "also evaluate every so many updates"},
			&cli.StringFlag{Name: "checkpoint-every", Usage: "also write a checkpoint every so many updates (200) or minutes (10m)"},
			&cli.UintFlag{Name: "keep", Value: 1, Usage: "newest checkpoints to keep, the best one's besides"},
			&cli.StringFlag{Name: "on-checkpoint-error", Value: "stop", Usage: "when the disk takes no checkpoint, metrics or export: stop, or continue with the last good one kept"},
			&cli.StringFlag{Name: "on-nonfinite", Value: "stop", Usage: "when a loss, logit or gradient is not finite: stop, or skip the update"},
			threadsFlag(), libraryFlag(), jsonFlag(),
		),
	)
}
