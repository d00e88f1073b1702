package tasks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Options describe data of one's own; the zero value is classification with the default columns.
type Options struct {
	Columns    Columns  // default "text", "pair" (used where the file has it) and "label"
	Regression bool     // the label column holds numbers to predict
	Labels     []string // the classes of a model already trained; none: discover them in the training file
	Test       string   // file of the test split; may be unlabelled
}

// FromFiles makes a task of TSV, CSV or JSONL files (see the package comment). Any of the files may be "", but one must
// be named, and train where labels are to be discovered. The first file named is read once, for labels and columns.
//
// Labels discovered in the training file are put in sorted order, numerically where all are numbers; there must be two
// or more. Two classes are scored with accuracy and f1 (the second is the positive class), more with accuracy and
// macro_f1, regression with pearson and spearman. Errors match [ErrData].
func FromFiles(train, dev string, o Options) (Task, error) {
	t := Task{
		Name: "custom",
		Columns: Columns{
			Text:  cmp.Or(o.Columns.Text, "text"),
			Pair:  o.Columns.Pair,
			Label: cmp.Or(o.Columns.Label, "label"),
		},
		Labels:  slices.Clone(o.Labels),
		Metrics: []string{"pearson", "spearman"},
		Files:   Files{Train: File{Path: train}, Dev: File{Path: dev}, Test: File{Path: o.Test}},
	}
	discover := !o.Regression && len(o.Labels) == 0
	switch splits := t.splits(); {
	case len(splits) == 0:
		return Task{}, fmt.Errorf("making a task of data files: no file is named; give --train FILE --dev FILE: %w", ErrData)
	case discover && train == "":
		return Task{}, fmt.Errorf("making a task of data files: no training file to learn the labels from; give --train FILE: %w", ErrData)
	case o.Regression && len(o.Labels) > 0:
		return Task{}, fmt.Errorf("making a task of data files: regression has no labels; leave out one of the two: %w", ErrData)
	default:
		seen, err := t.scan(Split(splits[0]), discover)
		if err != nil {
			return Task{}, err
		}
		if discover {
			t.Labels = seen
		}
	}
	switch len(t.Labels) {
	case 0:
	case 1:
		return Task{}, &DataError{File: cmp.Or(train, dev, o.Test), Column: t.Columns.Label, Value: t.Labels[0],
			Problem: "only one label, where classification needs two or more", Next: "check that this is the label column"}
	case 2:
		t.Metrics = []string{"accuracy", "f1"}
	default:
		t.Metrics = []string{"accuracy", "macro_f1"}
	}
	return t, nil
}

// scan reads a split through. It settles whether there is a column named pair, and returns the labels if asked for.
func (t *Task) scan(split Split, labels bool) ([]string, error) {
	optional := t.Columns.Pair == ""
	seen := map[string]bool{}
	for r, err := range t.rows("", split, nil) {
		if err != nil {
			return nil, err
		}
		if labels {
			label, err := r.label(t.Columns.Label)
			if err != nil {
				return nil, err
			}
			seen[label] = true
		}
		if optional && slices.Contains(r.names, "pair") {
			t.Columns.Pair = "pair"
		}
	}
	return sortLabels(slices.Collect(maps.Keys(seen))), nil
}

// sortLabels orders labels by value where all are numbers, then (or else) as strings.
func sortLabels(labels []string) []string {
	value := make(map[string]float64, len(labels))
	for _, l := range labels {
		v, err := strconv.ParseFloat(l, 64)
		if err != nil || v != v {
			slices.Sort(labels)
			return labels
		}
		value[l] = v
	}
	slices.SortFunc(labels, func(a, b string) int {
		return cmp.Or(cmp.Compare(value[a], value[b]), cmp.Compare(a, b))
	})
	return labels
}
