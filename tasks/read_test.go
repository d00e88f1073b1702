package tasks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// write puts content into a fresh folder and returns the path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func lookup(t *testing.T, name string) Task {
	t.Helper()
	task, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func ptr(s string) *string { return &s }

func TestReadFormats(t *testing.T) {
	pairs := []Example{
		{Text: `a "quoted`, Pair: ptr("b"), Label: 1},
		{Text: " spaced ", Pair: ptr(""), Label: 0},
		{Text: "東京", Pair: ptr("é, ü"), Label: 1},
	}
	lines := []int{2, 3, 5}
	for name, content := range map[string]string{
		"a.tsv":    "text\tpair\tlabel\na \"quoted\tb\tyes\n spaced \t\tno\n\n東京\té, ü\tyes\n",
		"crlf.TSV": "\ufefftext\tpair\tlabel\r\na \"quoted\tb\tyes \r\n spaced \t\tno\r\n\r\n東京\té, ü\tyes",
		"a.csv":    "label,other,text,pair\nyes,,\"a \"\"quoted\",b\nno,, spaced ,\n\nyes,\"\",東京,\"é, ü\"\n",
		"bom.csv":  "\ufefflabel,other,text,pair\r\nyes,,\"a \"\"quoted\",b\r\nno,, spaced ,\r\n\r\nyes,\"\",東京,\"é, ü\"",
		"a.jsonl": "\n" + `{"text": "a \"quoted", "pair": "b", "label": "yes"}` + "\n" +
			`{"label": "no", "pair": "", "text": " spaced ", "more": {"x": [1]}}` + "\n\n" + `{"text":"\u6771京","pair":"é, ü","label":"yes"}`,
	} {
		path := write(t, name, content)
		task, err := FromFiles(path, path, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(task.Labels, []string{"no", "yes"}) {
			t.Errorf("%s: labels %q", name, task.Labels)
		}
		want := slices.Clone(pairs)
		for i := range want {
			want[i].ID = row{record: record{line: lines[i]}, path: path}.id()
		}
		for _, split := range []Split{Train, Dev} {
			if got, err := task.Load("ignored", split); err != nil || !reflect.DeepEqual(got, Data{Examples: want}) {
				t.Errorf("%s %s:\n got %+v, %v\nwant %+v", name, split, got, err, want)
			}
		}
	}
}

func TestCSVFieldMaySpanLines(t *testing.T) {
	path := write(t, "a.csv", "text,label\n\"two\nlines\",a\nnext,b\n")
	task, err := FromFiles(path, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := task.Load("", Train)
	if err != nil {
		t.Fatal(err)
	}
	want := []Example{{ID: path + ":2", Text: "two\nlines"}, {ID: path + ":4", Text: "next", Label: 1}}
	if !reflect.DeepEqual(data.Examples, want) {
		t.Errorf("got %+v, want %+v", data.Examples, want)
	}
}

func TestJSONLKeepsNumbersAndBooleansAsWritten(t *testing.T) {
	path := write(t, "a.jsonl", `{"text": 1.50, "label": true}`+"\n"+`{"text": "x", "label": false}`)
	task, err := FromFiles(path, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := task.Load("", Train)
	if err != nil || data.Examples[0].Text != "1.50" || !slices.Equal(task.Labels, []string{"false", "true"}) {
		t.Errorf("%+v, %v, labels %q", data.Examples, err, task.Labels)
	}
}

func TestReadStopsWhenTheCallerDoes(t *testing.T) {
	path := write(t, "a.tsv", "text\tlabel\nx\ta\ny\tb\n")
	task, err := FromFiles(path, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range task.Read("", Train) {
		n++
		break
	}
	for range task.Read("", Train) { // a second range begins anew
		n++
	}
	if n != 3 {
		t.Errorf("%d examples in a range broken off after one and a whole one, want 3", n)
	}
}

func TestTestSplitMayBeUnlabelled(t *testing.T) {
	train := write(t, "train.tsv", "text\tlabel\nx\ta\ny\tb\n")
	for name, content := range map[string]string{
		"none.tsv":   "text\nx\ny\n",
		"empty.tsv":  "text\tlabel\nx\t\ny\t \n",
		"null.jsonl": `{"text": "x", "label": null}` + "\n" + `{"text": "y"}`,
	} {
		path := write(t, name, content)
		task, err := FromFiles(train, "", Options{Test: path})
		if err != nil {
			t.Fatal(err)
		}
		data, err := task.Load("", Test)
		if err != nil || len(data.Examples) != 2 {
			t.Errorf("%s: %+v, %v", name, data, err)
		}
		for _, e := range data.Examples {
			if e.Label != -1 {
				t.Errorf("%s: label %d, want -1", name, e.Label)
			}
		}
	}
	task, err := FromFiles(train, "", Options{Test: train}) // labelled after all
	if err != nil {
		t.Fatal(err)
	}
	if data, err := task.Load("", Test); err != nil || data.Examples[1].Label != 1 {
		t.Errorf("labelled test split: %+v, %v", data, err)
	}
}

func TestGLUELayoutAndOddRows(t *testing.T) {
	// Short rows and empty lines are left out, surplus columns ignored, as by the reference.
	path := write(t, "glue/RTE/train.tsv", "index\tsentence1\tsentence2\tlabel\n"+
		"0\tA \"b\tC\tentailment\n1\tshort\tD\n\n2\tE\tF\tnot_entailment\tsurplus\n3\n")
	folder := filepath.Dir(filepath.Dir(path))
	task := lookup(t, "rte")
	for _, dir := range []string{folder, filepath.Dir(folder)} {
		data, err := task.Load(dir, Train)
		if err != nil {
			t.Fatal(err)
		}
		want := Data{
			Examples: []Example{
				{ID: path + ":2", Text: `A "b`, Pair: ptr("C")},
				{ID: path + ":5", Text: "E", Pair: ptr("F"), Label: 1},
			},
			Skipped: []string{path + ":3", path + ":6"},
		}
		if !reflect.DeepEqual(data, want) {
			t.Errorf("got %+v, want %+v", data, want)
		}
	}
}

func TestCoLATrainHasNoHeader(t *testing.T) {
	path := write(t, "CoLA/train.tsv", "gj04\t1\t\tThey left.\ngj04\t0\t*\tThem left.\n")
	data, err := lookup(t, "cola").Load(filepath.Dir(filepath.Dir(path)), Train)
	want := []Example{{ID: path + ":1", Text: "They left.", Label: 1}, {ID: path + ":2", Text: "Them left."}}
	if err != nil || !reflect.DeepEqual(data.Examples, want) {
		t.Errorf("got %+v, %v, want %+v", data.Examples, err, want)
	}
}

func TestMissingFile(t *testing.T) {
	dir := t.TempDir()
	_, err := lookup(t, "rte").Load(dir, Dev)
	if !errors.Is(err, ErrData) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v is not ErrData and fs.ErrNotExist", err)
	}
	for _, part := range []string{filepath.Join(dir, "RTE", "dev.tsv"), "--data DIR", "DIR/RTE/dev.tsv", "DIR/glue/RTE/dev.tsv"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if _, err := FromFiles(filepath.Join(dir, "no.tsv"), "", Options{}); !errors.Is(err, ErrData) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not ErrData and fs.ErrNotExist", err)
	}
	folder := filepath.Join(dir, "folder.tsv")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := FromFiles(folder, "", Options{}); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), folder) {
		t.Errorf("a folder in place of a file: %v", err)
	}
}

func TestMissingSplit(t *testing.T) {
	path := write(t, "a.tsv", "text\tlabel\nx\ta\ny\tb\n")
	task, err := FromFiles(path, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, split := range []Split{Dev, Test, "validation"} {
		if _, err := task.Load("", split); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), string(split)) || !strings.Contains(err.Error(), `only "train"`) {
			t.Errorf("%s: %v", split, err)
		}
	}
}
