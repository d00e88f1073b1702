package tasks

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// csvRecords reads RFC 4180 through encoding/csv, strict about quotes.
func csvRecords(path string, r io.Reader, header []string) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		in := csv.NewReader(skipBOM(r))
		in.FieldsPerRecord = -1 // rows of odd length are settled where those of TSV are
		names, named := header, 0
		for {
			fields, err := in.Read()
			if err == io.EOF {
				return
			}
			if err == nil {
				err = checkUTF8(path, in, names, fields)
			} else {
				err = csvError(path, err)
			}
			if err != nil {
				yield(record{}, err)
				return
			}
			line, _ := in.FieldPos(0)
			if names == nil {
				names, named = fields, line
				continue
			}
			if !yield(record{line, named, names, texts(fields)}, nil) {
				return
			}
		}
	}
}

func checkUTF8(path string, in *csv.Reader, names, fields []string) error {
	for i, f := range fields {
		at := invalidUTF8(f)
		if at < 0 {
			continue
		}
		line, _ := in.FieldPos(i)
		column := ""
		if i < len(names) {
			column = names[i]
		}
		return notUTF8(path, line+strings.Count(f[:at], "\n"), column, f, at)
	}
	return nil
}

func csvError(path string, err error) error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return unreadable(path, err)
	}
	problem := fmt.Sprintf("broken CSV quoting at byte %d: %v", p.Column, p.Err)
	if p.StartLine != p.Line {
		problem += fmt.Sprintf(" (the row begins on line %d)", p.StartLine)
	}
	return &DataError{File: path, Line: p.Line, Problem: problem, Err: err,
		Next: `write a field that holds a quote as "say ""hi"""; for unquoted tab-separated text use .tsv`}
}
