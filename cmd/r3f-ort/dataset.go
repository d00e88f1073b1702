package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/tasks"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// dataset is one split, tokenized.
type dataset struct {
	rows      []tasks.Example
	examples  []driver.Example // of the rows, in their order
	truncated int              // texts that were cut
	skipped   []string         // rows that were left out
}

// loadDataset reads and tokenizes a split.
func loadDataset(ctx context.Context, task tasks.Task, dir string, split tasks.Split, tok *tokenize.Tokenizer, maxLength int) (*dataset, error) {
	data, err := task.Load(dir, split)
	if err != nil {
		return nil, err
	}
	d := &dataset{rows: data.Examples, skipped: data.Skipped}
	texts := make([]tokenize.Text, len(d.rows))
	for i, r := range d.rows {
		texts[i] = tokenize.Text{Text: r.Text, Pair: r.Pair}
	}
	d.examples, d.truncated, err = encode(ctx, tok, texts, maxLength)
	if err != nil {
		return nil, err
	}
	for i, r := range d.rows {
		x := &d.examples[i]
		x.ID, x.Label, x.Target = r.ID, r.Label, r.Target
	}
	return d, nil
}

// encode tokenizes texts and counts those that were cut.
func encode(ctx context.Context, tok *tokenize.Tokenizer, texts []tokenize.Text, maxLength int) ([]driver.Example, int, error) {
	encodings, err := tok.EncodeAll(ctx, texts, maxLength)
	if err != nil && ctx.Err() == nil {
		err = marked{err, errUsage} // --max-length is too short for the special tokens
	}
	if err != nil {
		return nil, 0, err
	}
	examples, truncated := make([]driver.Example, len(texts)), 0
	for i, e := range encodings {
		examples[i] = driver.Example{InputIDs: e.IDs, TypeIDs: e.TypeIDs}
		if e.Truncated {
			truncated++
		}
	}
	return examples, truncated, nil
}

// all yields the examples as driver.Train takes them.
func (d *dataset) all() iter.Seq2[driver.Example, error] {
	return func(yield func(driver.Example, error) bool) {
		for _, x := range d.examples {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// meanTarget is the mean of the regression targets.
func (d *dataset) meanTarget() float64 {
	targets := make([]float64, len(d.examples))
	for i, x := range d.examples {
		targets[i] = x.Target
	}
	return stat.Mean(targets, nil)
}

// path is the file that the split was read from, "" for no split.
func (d *dataset) path() string {
	if d == nil {
		return ""
	}
	id := d.rows[0].ID // "path:line"
	return id[:strings.LastIndexByte(id, ':')]
}

// score computes a task's metrics of logits [N, K] for the split.
func (d *dataset) score(metrics []string, logits []float32, classes int) (map[string]float64, error) {
	predictions := make([]tasks.Prediction, 0, len(d.rows))
	for row := range slices.Chunk(logits, classes) {
		predictions = append(predictions, tasks.FromLogits(row))
	}
	return tasks.Evaluate(metrics, d.rows, predictions)
}

// remarks are what a person should know about a split before it is used.
func (d *dataset) remarks(split tasks.Split, maxLength, positions int) []string {
	var out []string
	if n := len(d.skipped); n > 0 {
		out = append(out, fmt.Sprintf("%d rows of %s lack a column and are left out: %s", n, split, strings.Join(d.skipped[:min(n, 5)], ", ")))
	}
	if d.truncated > 0 {
		out = append(out, fmt.Sprintf("%d of %d texts of %s are longer than %d tokens and were cut (--max-length; the model has positions for %d)",
			d.truncated, len(d.rows), split, maxLength, positions))
	}
	return out
}
