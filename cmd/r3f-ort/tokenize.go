package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/tokenize"
)

func tokenizeCommand() *cli.Command {
	return &cli.Command{
		Name:  "tokenize",
		Usage: "turn texts into token ids",
		Description: `Reads one JSON object {"text": …, "pair": …, "max_length": …} a line from standard input or files, the last two
optional, and prints one object {"ids", "type_ids", "attention_mask"} a line in the same order: what a model reads, with
special tokens and without padding. The ids are those of Hugging Face tokenizers.

Examples:
   r3f-ort tokenize --tokenizer .r3f/models/minilm < texts.jsonl > ids.jsonl
   r3f-ort tokenize --tokenizer models/roberta-base --max-length 128 --input a.jsonl --input b.jsonl`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "tokenizer", Usage: "model `DIR`, or the file that holds its vocabulary"},
			&cli.StringSliceFlag{Name: "input", Usage: "JSONL `FILE` to read instead of standard input; give it again for more"},
			&cli.UintFlag{Name: "max-length", Usage: "most tokens of a text that has no max_length; 0 for no limit"},
		},
		Action: tokenizeTexts,
	}
}

func tokenizeTexts(c *cli.Context) error {
	if c.String("tokenizer") == "" {
		return usagef("no tokenizer: give --tokenizer DIR")
	}
	tok, err := tokenize.Load(c.String("tokenizer"))
	if err != nil {
		return marked{err, errUsage}
	}
	w := encodingWriter{tok: tok, maxLength: int(c.Uint("max-length")), out: bufio.NewWriterSize(c.App.Writer, 1<<16)}
	if len(c.StringSlice("input")) == 0 {
		return w.copy(c.Context, c.App.Reader, standardInput)
	}
	for _, name := range c.StringSlice("input") {
		f, err := os.Open(name)
		if err != nil {
			return marked{fmt.Errorf("reading texts: %w", err), errUsage}
		}
		if err := errors.Join(w.copy(c.Context, f, name), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// encodingWriter prints the encodings of texts.
type encodingWriter struct {
	tok       *tokenize.Tokenizer
	maxLength int
	out       *bufio.Writer
	line      []byte
}

// copy prints the encodings of the texts of r, called name.
func (w *encodingWriter) copy(ctx context.Context, r io.Reader, name string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the reader where an error ends copy
	defer cancel()
	for chunk := range readTexts(ctx, r, name, parseLimitedText) {
		encodings, err := w.tok.EncodeAll(ctx, chunk.texts, w.maxLength)
		if at, ok := errors.AsType[*tokenize.TextError](err); ok {
			err = usagef("%s, line %d: %w", name, chunk.lines[at.Index], at.Err)
		}
		if err != nil {
			return err
		}
		for _, e := range encodings {
			if err := w.write(e); err != nil {
				return err
			}
		}
		if err := errors.Join(w.out.Flush(), chunk.err); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (w *encodingWriter) write(e tokenize.Encoding) error {
	w.line = appendNumbers(append(w.line[:0], `{"ids":`...), e.IDs)
	w.line = appendNumbers(append(w.line, `,"type_ids":`...), e.TypeIDs)
	w.line = appendNumbers(append(w.line, `,"attention_mask":`...), e.AttentionMask)
	_, err := w.out.Write(append(w.line, "}\n"...))
	return err
}

func appendNumbers(dst []byte, numbers []int64) []byte {
	dst = append(dst, '[')
	for i, n := range numbers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, n, 10)
	}
	return append(dst, ']')
}

// parseLimitedText reads one {"text", "pair", "max_length"} object; other keys are ignored.
func parseLimitedText(line []byte) (tokenize.Text, error) {
	text, err := parseText(line)
	if err != nil {
		return text, err
	}
	var object struct {
		MaxLength *int `json:"max_length"`
	}
	if err := json.Unmarshal(line, &object); err != nil {
		return text, fmt.Errorf("not such a JSON object: %w", err)
	}
	if object.MaxLength != nil {
		if text.MaxLength = *object.MaxLength; text.MaxLength <= 0 {
			return text, fmt.Errorf("max_length is %d, want 1 or more, or null for --max-length", text.MaxLength)
		}
	}
	return text, nil
}
