package tasks

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// parse reads all records; every error must be a DataError of the file with a next step, and the last thing yielded.
func parse(t *testing.T, path string, content []byte) ([]record, error) {
	t.Helper()
	var rows []record
	var failed error
	for rec, err := range records(path, bytes.NewReader(content), nil) {
		if failed != nil {
			t.Fatalf("goes on after %v", failed)
		}
		if err != nil {
			var d *DataError
			if !errors.As(err, &d) || d.File != path || d.Next == "" {
				t.Fatalf("%v is no DataError with file and next step", err)
			}
			failed = err
			continue
		}
		if len(rows) > 0 && rec.line <= rows[len(rows)-1].line {
			t.Fatalf("line %d after line %d", rec.line, rows[len(rows)-1].line)
		}
		for _, c := range rec.cells {
			if !utf8.ValidString(c.text) {
				t.Fatalf("line %d: %q is not UTF-8", rec.line, c.text)
			}
		}
		rows = append(rows, rec)
	}
	return rows, failed
}

func FuzzTSV(f *testing.F) {
	f.Add([]byte("text\tlabel\na \"b\tyes\r\n\nc\tno"))
	f.Add([]byte("\ufefftext\n\xff\n"))
	f.Add([]byte("a\tb\n\t\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, err := parse(t, "f.tsv", content)
		if valid := utf8.Valid(content); (err == nil) != valid {
			t.Fatalf("UTF-8: %v, error: %v", valid, err)
		}
		if err != nil {
			return
		}
		// Written back, the rows are the lines that are not empty, after the first such.
		var want, got []string
		for _, l := range strings.Split(strings.TrimPrefix(string(content), "\ufeff"), "\n") {
			if l = strings.TrimSuffix(l, "\r"); l != "" {
				want = append(want, l)
			}
		}
		for i, r := range rows {
			if i == 0 {
				got = append(got, strings.Join(r.names, "\t"))
			}
			got = append(got, strings.Join(fields(r), "\t"))
		}
		if len(want) == 1 { // a header and nothing else
			want = nil
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func fields(r record) []string {
	out := make([]string, len(r.cells))
	for i, c := range r.cells {
		out[i] = c.text
	}
	return out
}

// quoted is a CSV line with every field in quotes and CRLF at every line's end (which reads as LF).
func quoted(record []string) string {
	out := make([]string, len(record))
	for i, f := range record {
		out[i] = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
	}
	return strings.ReplaceAll(strings.Join(out, ",")+"\n", "\n", "\r\n")
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("text,label\n\"a \"\"b\"\"\",yes\r\n\n\"c\nd\",no"))
	f.Add([]byte("\ufefftext\n\"\xff\"\n"))
	f.Add([]byte("a,b\n\"c\"d,e\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, err := parse(t, "f.csv", content)
		if err != nil || len(rows) == 0 {
			return
		}
		// Written again with every field quoted, the rows read back as they were.
		out := quoted(rows[0].names)
		for _, r := range rows {
			out += quoted(fields(r))
		}
		again, err := parse(t, "f.csv", []byte(out))
		if err != nil || len(again) != len(rows) {
			t.Fatalf("%d rows became %d, %v", len(rows), len(again), err)
		}
		for i := range rows {
			if !slices.Equal(fields(again[i]), fields(rows[i])) {
				t.Fatalf("row %d: %q became %q", i, fields(rows[i]), fields(again[i]))
			}
		}
	})
}

func FuzzJSONL(f *testing.F) {
	f.Add([]byte(`{"text": "a", "label": 1.50}` + "\n\n" + `{"text": "\ud800", "label": null, "x": [{}]}`))
	f.Add([]byte("\ufeff{}\r\nnull"))
	f.Add([]byte(`{"a": 1} {"b": 2}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, err := parse(t, "f.jsonl", content)
		// The lines read are those a plain decoding accepts, up to the first it does not.
		good, all := 0, true
		for _, l := range bytes.Split(bytes.TrimPrefix(content, []byte("\ufeff")), []byte("\n")) {
			if len(bytes.TrimSpace(l)) == 0 && utf8.Valid(l) {
				continue
			}
			var object map[string]any
			if !utf8.Valid(l) || json.Unmarshal(l, &object) != nil || object == nil {
				all = false
				break
			}
			if good < len(rows) {
				for i, name := range rows[good].names {
					if s, ok := object[name].(string); ok && s != rows[good].cells[i].text {
						t.Fatalf("%q is %q, want %q", name, rows[good].cells[i].text, s)
					}
				}
				if len(object) != len(rows[good].names) {
					t.Fatalf("columns %q, want those of %s", rows[good].names, l)
				}
			}
			good++
		}
		if good != len(rows) || all != (err == nil) {
			t.Fatalf("%d rows, %v; want %d, all lines good: %v", len(rows), err, good, all)
		}
	})
}
