package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

// Data is one split, read whole.
type Data struct {
	Examples []Example
	Skipped  []string // "path:line" of every row left out: rows of GLUE files with fewer columns than the task needs
}

// Load reads a split into memory and says which rows were left out. See [Task.Read] for dir and the errors.
func (t Task) Load(dir string, split Split) (Data, error) {
	var d Data
	for e, err := range t.read(dir, split, func(id string) { d.Skipped = append(d.Skipped, id) }) {
		if err != nil {
			return Data{}, err
		}
		d.Examples = append(d.Examples, e)
	}
	return d, nil
}

// Read yields a split's examples in file order, reading as it goes; every range over the sequence opens the file anew.
// The first error is yielded with a zero Example and ends the sequence; it matches [ErrData]. A file without data rows
// is an error.
//
// For GLUE tasks dir is the folder that holds RTE, CoLA, …, or the parent of such a folder named glue; rows too short
// are left out ([Task.Load] lists them). Tasks of [FromFiles] know their paths and ignore dir.
//
// In train and dev each row must have a label (or a finite target); white space around it does not count. In test the
// label column may be missing or empty: Label is then -1.
func (t Task) Read(dir string, split Split) iter.Seq2[Example, error] {
	return t.read(dir, split, func(string) {})
}

func (t Task) read(dir string, split Split, skipped func(id string)) iter.Seq2[Example, error] {
	return func(yield func(Example, error) bool) {
		for r, err := range t.rows(dir, split, skipped) {
			var e Example
			if err == nil {
				e, err = t.example(r, split)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// rows opens the split's file and yields its rows. Rows of odd length and files without rows are settled here.
func (t Task) rows(dir string, split Split, skipped func(id string)) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		in, header, err := t.open(dir, split)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer in.Close()
		path, needed, empty := in.Name(), t.needed(split), true
		for rec, err := range records(path, in, header) {
			r := row{rec, path}
			if err == nil && len(r.cells) != len(r.names) {
				if t.GLUE && !r.covers(needed) {
					skipped(r.id())
					continue
				}
				if !t.GLUE {
					err = r.fault("", "", fmt.Sprintf("the row has %d columns, line %d names %d", len(r.cells), r.header, len(r.names)),
						"look for a separator inside a text, or a missing column")
				}
			}
			empty = false
			if !yield(r, err) || err != nil {
				return
			}
		}
		if empty {
			yield(row{}, &DataError{File: path, Problem: "no data rows", Next: "check that it is the right file: it needs columns with names and at least one example"})
		}
	}
}

// open finds the split's file: as it stands, or for GLUE below dir or dir/glue.
func (t Task) open(dir string, split Split) (in *os.File, header []string, err error) {
	f := t.file(split)
	if f.Path == "" {
		return nil, nil, fmt.Errorf("reading split %q of task %q: it has no such file, only %s: %w", split, t.Name, list(t.splits()), ErrData)
	}
	paths, next := []string{f.Path}, "check the path"
	if t.GLUE {
		paths = []string{filepath.Join(dir, f.Path), filepath.Join(dir, "glue", f.Path)}
		next = fmt.Sprintf("give with --data DIR the folder of the official GLUE folders: DIR/%s or DIR/glue/%[1]s must exist", f.Path)
	}
	for _, path := range paths {
		in, err = os.Open(path)
		if err == nil {
			return in, f.Header, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, &DataError{File: path, Problem: cause(err), Next: next, Err: err}
		}
	}
	return nil, nil, &DataError{File: paths[0], Problem: cause(err), Next: next, Err: err}
}

// example turns a row into an Example, or the zero Example and an error.
func (t Task) example(r row, split Split) (Example, error) {
	text, err := r.text(t.Columns.Text)
	if err != nil {
		return Example{}, err
	}
	e := Example{ID: r.id(), Text: text}
	if t.Columns.Pair != "" {
		pair, err := r.text(t.Columns.Pair)
		if err != nil {
			return Example{}, err
		}
		e.Pair = &pair
	}
	if split == Test && r.blank(t.Columns.Label) {
		e.Label = -1
		return e, nil
	}
	label, err := r.label(t.Columns.Label)
	if err != nil {
		return Example{}, err
	}
	if t.Regression() {
		e.Target, err = r.target(t.Columns.Label, label)
	} else if e.Label = slices.Index(t.Labels, label); e.Label < 0 {
		err = r.fault(t.Columns.Label, label, "not one of the known labels, "+list(t.Labels),
			"correct it, or add rows with it to the training file")
	}
	if err != nil {
		return Example{}, err
	}
	return e, nil
}
