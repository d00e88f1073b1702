package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/tasks"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:  "predict",
		Usage: "label texts with an exported model",
		Description: `Labels one text given as a flag, or one JSON object {"text": …, "pair": …} a line from standard input, and prints one
object a line on standard output, in the same order: label, score (its probability) and the scores of all labels.
A regression prints its score alone.

Examples:
   r3f-ort predict --model runs/desk --text "Where is my parcel?"
   r3f-ort predict --model runs/desk < messages.jsonl > labels.jsonl`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "run or export `DIR`"},
			&cli.StringFlag{Name: "text", Usage: "text to label, instead of standard input"},
			&cli.StringFlag{Name: "pair", Usage: "second text"},
			threadsFlag(), libraryFlag(),
		},
		Action: predict,
	}
}

func predict(c *cli.Context) (err error) {
	if c.IsSet("pair") && !c.IsSet("text") {
		return usagef("--pair is the second text of --text: give both, or neither and JSONL on standard input")
	}
	p, err := openPredictor(c.String("model"), stock.Options{Library: c.String("ort-library"), Threads: int(c.Uint("threads"))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.session.Close()) }()
	truncated := 0
	defer func() {
		if truncated > 0 {
			fmt.Fprintf(c.App.ErrWriter, "%d texts are longer than %d tokens and were cut\n", truncated, p.MaxLength)
		}
	}()
	if c.IsSet("text") {
		text := tokenize.Text{Text: c.String("text")}
		if c.IsSet("pair") {
			pair := c.String("pair")
			text.Pair = &pair
		}
		truncated, err = p.label(c.Context, []tokenize.Text{text}, c.App.Writer)
		return err
	}
	chunks := readTexts(c.Context, c.App.Reader, standardInput, parseText)
	for {
		select {
		case chunk, ok := <-chunks:
			if !ok {
				return nil
			}
			cut, err := p.label(c.Context, chunk.texts, c.App.Writer)
			truncated += cut
			if err = errors.Join(err, chunk.err); err != nil {
				return err
			}
		case <-c.Context.Done():
			return c.Context.Err()
		}
	}
}

// answer is one line of output.
type answer struct {
	Label  string             `json:"label,omitempty"`
	Score  float64            `json:"score"`            // probability of the label, or the number of a regression
	Scores map[string]float64 `json:"scores,omitempty"` // probability of every label
}

// label predicts texts, writes one line for each, and returns how many were cut.
func (p *predictor) label(ctx context.Context, texts []tokenize.Text, w io.Writer) (int, error) {
	if len(texts) == 0 {
		return 0, nil
	}
	examples, truncated, err := encode(ctx, p.tokenizer, texts, p.MaxLength)
	if err != nil {
		return truncated, err
	}
	logits, err := driver.Predict(ctx, p, examples)
	if err != nil {
		return truncated, err
	}
	out := bufio.NewWriter(w)
	classes := p.Config.NumLabels
	for i := range texts {
		a, err := p.answer(logits[i*classes : (i+1)*classes])
		if err != nil {
			return truncated, err
		}
		if err := writeResult(out, a); err != nil {
			return truncated, err
		}
	}
	return truncated, out.Flush()
}

// answer reads one row of logits [K]: softmax in float64.
func (p *predictor) answer(logits []float32) (answer, error) {
	prediction := tasks.FromLogits(logits)
	if math.IsNaN(prediction.Score) || math.IsInf(prediction.Score, 0) {
		return answer{}, fmt.Errorf("the model answers %v: its weights are damaged or diverged", prediction.Score)
	}
	if p.Regression() {
		return answer{Score: prediction.Score}, nil
	}
	scores := make([]float64, len(logits))
	sum := 0.0
	for k, v := range logits {
		scores[k] = math.Exp(float64(v) - prediction.Score)
		sum += scores[k]
	}
	a := answer{Label: p.Labels[prediction.Label], Score: 1 / sum, Scores: map[string]float64{}}
	for k, s := range scores {
		a.Scores[p.Labels[k]] = s / sum
	}
	return a, nil
}
