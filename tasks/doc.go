// Package tasks turns labelled text into examples and predictions into scores: the table of GLUE tasks, readers for
// their official files and for anybody's TSV, CSV and JSONL, label discovery, and the metrics.
//
// A [Task] is a plain value: which files, which columns, which labels, which metrics. It comes from the table
// ([Lookup], [All]) or from one's own files ([FromFiles]); from there on both are used alike:
//
//	task, err := tasks.Lookup("rte")
//	for example, err := range task.Read("data/glue", tasks.Train) { … }
//
// # Formats
//
// The file's ending selects the format. All text is UTF-8, with or without a byte-order mark; empty lines are not
// rows; lines end in LF or CRLF.
//
//   - .tsv, .tab: a line of column names, then one row a line, split at tabs and nothing else. Quote characters are
//     text, as in the GLUE files.
//   - .csv: RFC 4180, as encoding/csv reads it; a quoted field may hold commas, quotes and line breaks
//     (CRLF reads as LF).
//   - .jsonl, .ndjson: one JSON object a line. Strings, numbers and booleans are values (numbers and booleans as they
//     are written); null is no value, which only the label of a test split may be.
//
// # Official files and one's own
//
// The official GLUE files are read as the usual loaders read them: a row too short to have all columns the task needs
// is left out, surplus columns are ignored. [Task.Load] names every row left out; the files as published have none.
// In one's own files a row with too few or too many columns is an error.
//
// # Errors
//
// Everything wrong with a task's name, files or contents satisfies errors.Is(err, [ErrData]); a [*DataError] holds
// file, line, column, value and the next step, an [*UnknownTaskError] the nearest names.
package tasks
