package tasks

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// All returns the table of known tasks: those of GLUE (Wang et al. 2018, arXiv 1804.07461) with the official files,
// column names and metrics.
func All() []Task {
	entailment := []string{"entailment", "not_entailment"}
	binary := []string{"0", "1"}
	cola := []string{"source", "label", "mark", "sentence"} // of train and dev, which have no header line
	return []Task{
		{
			Name:    "rte",
			Columns: Columns{Text: "sentence1", Pair: "sentence2", Label: "label"},
			Labels:  entailment, Metrics: []string{"accuracy"}, Files: official("RTE", nil), GLUE: true,
		},
		{
			Name:    "mrpc",
			Columns: Columns{Text: "#1 String", Pair: "#2 String", Label: "Quality"},
			Labels:  binary, Metrics: []string{"accuracy", "f1"}, Files: official("MRPC", nil), GLUE: true,
		},
		{
			Name:    "cola",
			Columns: Columns{Text: "sentence", Label: "label"},
			Labels:  binary, Metrics: []string{"matthews", "accuracy"}, Files: official("CoLA", cola), GLUE: true,
		},
		{
			Name:    "sst-2",
			Columns: Columns{Text: "sentence", Label: "label"},
			Labels:  binary, Metrics: []string{"accuracy"}, Files: official("SST-2", nil), GLUE: true,
		},
		{
			Name:    "sts-b",
			Columns: Columns{Text: "sentence1", Pair: "sentence2", Label: "score"},
			Metrics: []string{"pearson", "spearman"}, Files: official("STS-B", nil), GLUE: true,
		},
		{
			Name:    "qnli",
			Columns: Columns{Text: "question", Pair: "sentence", Label: "label"},
			Labels:  entailment, Metrics: []string{"accuracy"}, Files: official("QNLI", nil), GLUE: true,
		},
	}
}

// official is the layout of a GLUE folder; header names the columns of train and dev where the files do not.
func official(folder string, header []string) Files {
	return Files{
		Train: File{Path: folder + "/train.tsv", Header: header},
		Dev:   File{Path: folder + "/dev.tsv", Header: header},
		Test:  File{Path: folder + "/test.tsv"},
	}
}

// Lookup finds a task of the table by name. Case, hyphens, underscores and spaces do not matter: "SST2" is "sst-2".
// Any other name is an [*UnknownTaskError].
func Lookup(name string) (Task, error) {
	type candidate struct {
		name  string
		edits int
	}
	var near []candidate
	unknown := &UnknownTaskError{Name: name}
	want := fold(name)
	for _, t := range All() {
		have := fold(t.Name)
		if have == want {
			return t, nil
		}
		unknown.Known = append(unknown.Known, t.Name)
		if d := edits(want, have); d <= 2 && d < len(have) {
			near = append(near, candidate{t.Name, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.edits, b.edits) })
	for _, c := range near {
		unknown.Nearest = append(unknown.Nearest, c.name)
	}
	return Task{}, unknown
}

// fold keeps a name's letters and digits, in lower case.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// edits is the Levenshtein distance: the fewest insertions, deletions and replacements that turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
