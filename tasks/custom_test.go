package tasks

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestFromFilesDefaults(t *testing.T) {
	single := write(t, "a.tsv", "text\tlabel\nx\tb\ny\ta\nz\tb\n")
	pair := write(t, "b.tsv", "text\tpair\tlabel\nx\tu\tc\ny\tv\ta\nz\tw\tb\n")
	numbers := write(t, "c.tsv", "text\tlabel\nx\t0.5\ny\t-1e1\n")
	for name, c := range map[string]struct {
		train   string
		options Options
		columns Columns
		labels  []string
		metrics []string
	}{
		"single":     {single, Options{}, Columns{"text", "", "label"}, []string{"a", "b"}, []string{"accuracy", "f1"}},
		"pair":       {pair, Options{}, Columns{"text", "pair", "label"}, []string{"a", "b", "c"}, []string{"accuracy", "macro_f1"}},
		"named":      {pair, Options{Columns: Columns{"pair", "text", "label"}}, Columns{"pair", "text", "label"}, []string{"a", "b", "c"}, []string{"accuracy", "macro_f1"}},
		"regression": {numbers, Options{Regression: true}, Columns{"text", "", "label"}, nil, []string{"pearson", "spearman"}},
		"given":      {single, Options{Labels: []string{"b", "a"}}, Columns{"text", "", "label"}, []string{"b", "a"}, []string{"accuracy", "f1"}},
	} {
		task, err := FromFiles(c.train, "", c.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if task.Columns != c.columns || !slices.Equal(task.Labels, c.labels) || !slices.Equal(task.Metrics, c.metrics) ||
			task.Regression() != c.options.Regression || task.NumLabels() != max(1, len(c.labels)) {
			t.Errorf("%s: %+v", name, task)
		}
		if _, err := task.Load("", Train); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFromFilesEvaluatesATrainedModelWithoutTrainingFile(t *testing.T) {
	dev := write(t, "dev.jsonl", `{"text": "x", "label": "b"}`)
	labels := []string{"z", "b"}
	task, err := FromFiles("", dev, Options{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	labels[1] = "changed" // the task has its own copy
	data, err := task.Load("", Dev)
	if err != nil || data.Examples[0].Label != 1 {
		t.Errorf("%+v, %v", data, err)
	}
}

func TestFromFilesContradictions(t *testing.T) {
	path := write(t, "a.tsv", "text\tlabel\nx\t1\ny\t2\n")
	for name, c := range map[string]struct {
		train, dev string
		options    Options
		says       string
	}{
		"no file":              {"", "", Options{}, "--train FILE --dev FILE"},
		"no training file":     {"", path, Options{}, "--train FILE"},
		"labels in regression": {path, "", Options{Regression: true, Labels: []string{"1"}}, "leave out one"},
	} {
		if _, err := FromFiles(c.train, c.dev, c.options); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSortLabels(t *testing.T) {
	for _, want := range [][]string{
		{"-3", "2", "10", "1e2"},
		{"1", "1.0", "2"},
		{"10", "2", "x"},
		{"2", "NaN"},
		{"B", "a", "é"},
	} {
		const seed = 7
		got := slices.Clone(want)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		if got = sortLabels(got); !slices.Equal(got, want) {
			t.Errorf("seed %d: got %q, want %q", seed, got, want)
		}
	}
}
