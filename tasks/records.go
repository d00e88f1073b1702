package tasks

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
)

// record is one row of any format, before columns are chosen.
type record struct {
	line   int      // where the row begins, 1-based
	header int      // where its columns are named: the header line, or the row's own line in JSONL
	names  []string // column names; sorted in JSONL
	cells  []cell   // as many as the row has, which may differ from len(names) in TSV and CSV
}

// cell is one value: its text, and for JSON whether it is null or an array or object (then text is the raw JSON).
type cell struct {
	text         string
	null, nested bool
}

// UnmarshalJSON keeps numbers and booleans as they are written.
func (c *cell) UnmarshalJSON(raw []byte) error {
	*c = cell{text: string(raw)}
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, &c.text)
	case 'n':
		c.null = true
	case '[', '{':
		c.nested = true
	}
	return nil
}

// records reads rows in the format the path's ending names. The first error ends the sequence.
// header names the columns of TSV and CSV files that have no header line; nil takes the first line.
func records(path string, r io.Reader, header []string) iter.Seq2[record, error] {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".tsv", ".tab":
		return tsvRecords(path, r, header)
	case ".csv":
		return csvRecords(path, r, header)
	case ".jsonl", ".ndjson":
		return jsonlRecords(path, r)
	}
	return func(yield func(record, error) bool) {
		yield(record{}, &DataError{File: path, Problem: fmt.Sprintf("the ending %q names no known format", filepath.Ext(path)),
			Next: "rename it to .tsv (tab-separated, no quoting), .csv (RFC 4180) or .jsonl (one JSON object a line)"})
	}
}

// texts makes cells of plain fields.
func texts(fields []string) []cell {
	cells := make([]cell, len(fields))
	for i, f := range fields {
		cells[i].text = f
	}
	return cells
}
