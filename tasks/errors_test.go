package tasks

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestDataErrors gives each fault its own file and checks place, value, problem and next step.
func TestDataErrors(t *testing.T) {
	const good = "text\tlabel\nx\ta\ny\tb\n"
	type options = Options
	for name, c := range map[string]struct {
		train, dev string // contents; dev is read after train
		format     string
		options
		want DataError // without File; Problem and Next by fragment
	}{
		"missing column": {
			train: "sentence\tlabel\nx\ta\ny\tb\n", format: "tsv",
			want: DataError{Line: 1, Column: "text", Problem: `only "sentence", "label"`, Next: "--text-column"},
		},
		"missing label column": {
			train: "\nbody,class\nx,a\n", format: "csv",
			want: DataError{Line: 2, Column: "label", Problem: `only "body", "class"`, Next: "--label-column"},
		},
		"missing pair column": {
			train: good, format: "tsv", options: Options{Columns: Columns{Pair: "reply"}},
			want: DataError{Line: 1, Column: "reply", Problem: `only "text", "label"`, Next: "--pair-column"},
		},
		"pair missing in one JSONL row": {
			train: `{"text": "x", "pair": "z", "label": "a"}` + "\n" + `{"text": "y", "label": "b"}`, format: "jsonl",
			want: DataError{Line: 2, Column: "pair", Problem: `only "label", "text"`, Next: "add it"},
		},
		"column named twice": {
			train: "text\ttext\tlabel\nx\ty\ta\nx\ty\tb\n", format: "tsv",
			want: DataError{Line: 1, Column: "text", Problem: "two columns", Next: "rename"},
		},
		"label not seen in training": {
			train: good, dev: "text\tlabel\nx\ta\nz\tmaybe\n", format: "tsv",
			want: DataError{Line: 3, Column: "label", Value: "maybe", Problem: `known labels, "a", "b"`, Next: "training file"},
		},
		"empty label": {
			train: "text,label\nx,a\ny,\"\"\n", format: "csv",
			want: DataError{Line: 3, Column: "label", Problem: "empty", Next: "take it out"},
		},
		"one label only": {
			train: "text,label\nx,a\ny,a\n", format: "csv",
			want: DataError{Column: "label", Value: "a", Problem: "only one label", Next: "label column"},
		},
		"empty file": {
			train: "", format: "csv",
			want: DataError{Problem: "no data rows", Next: "right file"},
		},
		"header only": {
			train: "text\tlabel\n", format: "tsv",
			want: DataError{Problem: "no data rows", Next: "right file"},
		},
		"empty lines only": {
			train: "\n \n", format: "jsonl",
			want: DataError{Problem: "no data rows", Next: "right file"},
		},
		"short row": {
			train: "text\tlabel\nx\ta\ny\n", format: "tsv",
			want: DataError{Line: 3, Problem: "1 columns, line 1 names 2", Next: "missing column"},
		},
		"long row": {
			train: "text,label\nx,a\nhello, world,b\n", format: "csv",
			want: DataError{Line: 3, Problem: "3 columns, line 1 names 2", Next: "separator"},
		},
		"non-UTF-8 line": {
			train: "text\tlabel\nx\ta\ncaf\xe9\tb\n", format: "tsv",
			want: DataError{Line: 3, Value: "caf\xe9\tb\n", Problem: "0xE9 is not UTF-8", Next: "convert"},
		},
		"non-UTF-8 CSV field": {
			train: "text,label\nx,a\n\"two\nlin\xe9s\",b\n", format: "csv",
			want: DataError{Line: 4, Column: "text", Value: "two\nlin\xe9s", Problem: "0xE9 is not UTF-8", Next: "convert"},
		},
		"non-UTF-8 JSONL line": {
			train: "{\"text\": \"\xff\"}", format: "jsonl",
			want: DataError{Line: 1, Value: "{\"text\": \"\xff\"}", Problem: "0xFF is not UTF-8", Next: "convert"},
		},
		"non-numeric target": {
			train: "text\tlabel\nx\t1.5\ny\thigh\n", format: "tsv", options: Options{Regression: true},
			want: DataError{Line: 3, Column: "label", Value: "high", Problem: "not a finite number", Next: "correct it"},
		},
		"NaN target": {
			train: `{"text": "x", "label": "NaN"}`, format: "jsonl", options: Options{Regression: true},
			want: DataError{Line: 1, Column: "label", Value: "NaN", Problem: "not a finite number", Next: "correct it"},
		},
		"infinite target": {
			train: "text,label\nx,-Inf\n", format: "csv", options: Options{Regression: true},
			want: DataError{Line: 2, Column: "label", Value: "-Inf", Problem: "not a finite number", Next: "correct it"},
		},
		"target beyond float64": {
			train: "text,label\nx,1e999\n", format: "csv", options: Options{Regression: true},
			want: DataError{Line: 2, Column: "label", Value: "1e999", Problem: "not a finite number", Next: "correct it"},
		},
		"malformed JSONL line": {
			train: `{"text": "x", "label": "a"}` + "\n" + `{"text": "x", "label": a}`, format: "jsonl",
			want: DataError{Line: 2, Value: `{"text": "x", "label": a}`, Problem: "malformed JSON at byte 24", Next: "one object a line"},
		},
		"JSONL line with two values": {
			train: `{"text": "x"} {"text": "y"}`, format: "jsonl",
			want: DataError{Line: 1, Value: `{"text": "x"} {"text": "y"}`, Problem: "malformed JSON at byte 15", Next: "one object a line"},
		},
		"JSONL array": {
			train: `["x", "a"]`, format: "jsonl",
			want: DataError{Line: 1, Value: `["x", "a"]`, Problem: "not a JSON object", Next: "one object a line"},
		},
		"JSONL null": {
			train: "null", format: "jsonl",
			want: DataError{Line: 1, Value: "null", Problem: "not a JSON object", Next: "one object a line"},
		},
		"nested value": {
			train: `{"text": ["x"], "label": 1}` + "\n" + `{"text": "y", "label": 2}`, format: "jsonl",
			want: DataError{Line: 1, Column: "text", Value: `["x"]`, Problem: "not a string, number or boolean", Next: "plain value"},
		},
		"null text": {
			train: `{"text": "x", "label": 1}` + "\n" + `{"text": null, "label": 2}`, format: "jsonl",
			want: DataError{Line: 2, Column: "text", Value: "null", Problem: "not a string, number or boolean", Next: "plain value"},
		},
		"CSV quote in a bare field": {
			train: "text,label\nx,a\nsay \"hi\",b\n", format: "csv",
			want: DataError{Line: 3, Problem: "broken CSV quoting at byte 5", Next: `"say ""hi"""`},
		},
		"CSV quote left open": {
			train: "text,label\nx,a\n\"y,b\nz,a\n", format: "csv",
			want: DataError{Line: 4, Problem: "the row begins on line 3", Next: ".tsv"},
		},
		"unknown format": {
			train: good, format: "xlsx",
			want: DataError{Problem: `".xlsx" names no known format`, Next: ".jsonl"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "train."+c.format, c.train)
			dev := ""
			if c.dev != "" {
				dev = write(t, "dev."+c.format, c.dev)
			}
			task, err := FromFiles(file, dev, c.options)
			if err == nil && dev == "" {
				_, err = task.Load("", Train)
			} else if err == nil {
				file = dev
				_, err = task.Load("", Dev)
			}
			var got *DataError
			if !errors.As(err, &got) || !errors.Is(err, ErrData) {
				t.Fatalf("got %v, want a DataError that is ErrData", err)
			}
			if got.File != file || got.Line != c.want.Line || got.Column != c.want.Column || got.Value != c.want.Value ||
				!strings.Contains(got.Problem, c.want.Problem) || !strings.Contains(got.Next, c.want.Next) {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
			place := file
			if got.Line > 0 {
				place = fmt.Sprintf("%s:%d", file, got.Line)
			}
			for _, part := range []string{place, got.Column, quote(got.Value), got.Problem, got.Next} {
				if part != `""` && !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\r\t") {
				t.Errorf("%q is not one clean line", err)
			}
		})
	}
}

func TestDataErrorKeepsTheCause(t *testing.T) {
	_, err := FromFiles(write(t, "a.csv", "text,label\n\"x\"y,a\n"), "", Options{})
	if !errors.Is(err, csv.ErrQuote) {
		t.Errorf("%v does not wrap csv.ErrQuote", err)
	}
	_, err = FromFiles(write(t, "a.jsonl", "{"), "", Options{})
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		t.Errorf("%v does not wrap a json.SyntaxError", err)
	}
}

func TestLongValuesAndListsAreCut(t *testing.T) {
	labels := make([]string, 500)
	for i := range labels {
		labels[i] = strings.Repeat("é", 500)
	}
	if s := quote(labels[0]); len([]rune(s)) > 100 {
		t.Errorf("a quoted value of %d characters", len([]rune(s)))
	}
	if s := list(labels); len([]rune(s)) > 3000 || !strings.Contains(s, "480 more") {
		t.Errorf("a list of %d characters", len([]rune(s)))
	}
}
