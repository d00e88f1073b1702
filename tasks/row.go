package tasks

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// row is a record and the file it came from.
type row struct {
	record
	path string
}

// id is Example.ID.
func (r row) id() string { return r.path + ":" + strconv.Itoa(r.line) }

func (r row) fault(column, value, problem, next string) error {
	return &DataError{File: r.path, Line: r.line, Column: column, Value: value, Problem: problem, Next: next}
}

// covers reports whether the row is long enough for the named columns, as far as the header has them.
func (r row) covers(columns []string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return slices.Index(r.names, c) >= len(r.cells) })
}

// blank reports whether the row lacks the column, or holds null or white space there.
func (r row) blank(column string) bool {
	i := slices.Index(r.names, column)
	return i < 0 || i >= len(r.cells) || r.cells[i].null || strings.TrimSpace(r.cells[i].text) == ""
}

// text returns the named column's value.
func (r row) text(column string) (string, error) {
	i := slices.Index(r.names, column)
	if i < 0 {
		return "", &DataError{File: r.path, Line: r.header, Column: column, Problem: "there is no such column, only " + list(r.names),
			Next: "add it, or name the right one with --text-column, --pair-column or --label-column"}
	}
	if slices.Contains(r.names[i+1:], column) {
		return "", &DataError{File: r.path, Line: r.header, Column: column, Problem: "two columns have this name", Next: "rename one of them"}
	}
	if c := r.cells[i]; c.null || c.nested {
		return "", r.fault(column, c.text, "not a string, number or boolean", "write one plain value")
	}
	return r.cells[i].text, nil
}

// label returns the named column's value without white space around it; it must not be empty.
func (r row) label(column string) (string, error) {
	s, err := r.text(column)
	if err != nil {
		return "", err
	}
	if s = strings.TrimSpace(s); s == "" {
		return "", r.fault(column, "", "the label is empty", "label the row or take it out")
	}
	return s, nil
}

// target parses a finite number.
func (r row) target(column, s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, r.fault(column, s, "the target is not a finite number", "correct it; if the column holds classes, do without the regression option")
	}
	return v, nil
}
