package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
)

// jsonlRecords reads one JSON object a line.
func jsonlRecords(path string, r io.Reader) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		for l, err := range lines(path, r) {
			if err != nil {
				yield(record{}, err)
				return
			}
			if strings.TrimSpace(l.text) == "" {
				continue
			}
			var object map[string]cell
			if err := json.Unmarshal([]byte(l.text), &object); err != nil || object == nil {
				yield(record{}, jsonError(path, l, err))
				return
			}
			names := slices.Sorted(maps.Keys(object))
			cells := make([]cell, len(names))
			for i, n := range names {
				cells[i] = object[n]
			}
			if !yield(record{l.number, l.number, names, cells}, nil) {
				return
			}
		}
	}
}

func jsonError(path string, l line, err error) error {
	e := &DataError{File: path, Line: l.number, Value: l.text, Problem: "not a JSON object", Err: err,
		Next: `write one object a line, such as {"text": "…", "label": "…"}`}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		e.Problem = fmt.Sprintf("malformed JSON at byte %d: %v", syntax.Offset, err)
	}
	return e
}
