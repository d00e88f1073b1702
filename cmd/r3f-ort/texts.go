package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/r3f-ort/r3f-ort/tokenize"
)

// texts is a run of input lines, and the error that ended it, if one did.
type texts struct {
	texts []tokenize.Text
	lines []int // numbers of their lines
	err   error
}

// maxChunk is the most texts that are worked on together.
const maxChunk = 256

// standardInput is how messages name it.
const standardInput = "standard input"

// readTexts reads the JSONL of r, called name, in the background. A chunk ends where no further line is waiting, so that a program that
// writes a line and reads the answer is served at once. The channel is closed at the end, or when ctx ends.
func readTexts(ctx context.Context, r io.Reader, name string, parse func(line []byte) (tokenize.Text, error)) <-chan texts {
	chunks := make(chan texts)
	go func() {
		defer close(chunks)
		in := bufio.NewReaderSize(r, 1<<16)
		var chunk texts
		for line := 1; ; line++ {
			data, err := in.ReadBytes('\n')
			if len(bytes.TrimSpace(data)) > 0 {
				text, bad := parse(data)
				if bad != nil {
					chunk.err = usagef("%s, line %d: %w; write one object a line, such as {\"text\": \"…\"}", name, line, bad)
				} else {
					chunk.texts = append(chunk.texts, text)
					chunk.lines = append(chunk.lines, line)
				}
			}
			if err != nil && err != io.EOF && chunk.err == nil {
				chunk.err = fmt.Errorf("reading %s: %w", name, err)
			}
			end := err != nil || chunk.err != nil
			waiting, _ := in.Peek(in.Buffered())
			if !end && len(chunk.texts) < maxChunk && bytes.IndexByte(waiting, '\n') >= 0 {
				continue
			}
			select {
			case chunks <- chunk:
				chunk = texts{}
			case <-ctx.Done():
				return
			}
			if end {
				return
			}
		}
	}()
	return chunks
}

// parseText reads one {"text", "pair"} object; other keys are ignored.
func parseText(line []byte) (tokenize.Text, error) {
	if !utf8.Valid(line) {
		return tokenize.Text{}, errors.New("not UTF-8")
	}
	var object struct {
		Text *string `json:"text"`
		Pair *string `json:"pair"`
	}
	if err := json.Unmarshal(line, &object); err != nil {
		return tokenize.Text{}, fmt.Errorf("not such a JSON object: %w", err)
	}
	if object.Text == nil {
		return tokenize.Text{}, errors.New(`it has no "text"`)
	}
	return tokenize.Text{Text: *object.Text, Pair: object.Pair}, nil
}
