package tasks

// Example is one row of a data set.
type Example struct {
	ID     string  // "path:line", names the row in errors and reports
	Text   string  // the (first) text, exactly as in the file
	Pair   *string // the second text; nil in single-text tasks
	Label  int     // class index into Task.Labels; 0 in regression; -1 when the row carries no label or target
	Target float64 // regression target; 0 in classification
}

// Split names one of a task's files.
type Split string

// The splits.
const (
	Train Split = "train"
	Dev   Split = "dev"
	Test  Split = "test"
)

// Columns names the columns a task reads; others are ignored.
type Columns struct {
	Text  string // the text
	Pair  string // the second text; "" for single-text tasks
	Label string // the label, or the regression target
}

// File is one split's file.
type File struct {
	Path   string   // "" when the task has no such split; for GLUE tasks relative to the data directory
	Header []string // column names of a file that has no header line; nil otherwise
}

// Files are a task's splits.
type Files struct{ Train, Dev, Test File }

// Task says how to read and score one data set. The zero value of every optional field means "none".
type Task struct {
	Name    string
	Columns Columns
	Labels  []string // class names by index (id2label); nil for regression
	Metrics []string // names Evaluate knows; the first selects the best model; all are better when larger
	Files   Files
	GLUE    bool // official GLUE files: paths relative to the data directory, rows of odd length tolerated
}

// Regression reports whether the task predicts a number instead of a class.
func (t Task) Regression() bool { return len(t.Labels) == 0 }

// NumLabels is the width of the model's output: the number of classes K, or 1 for regression.
func (t Task) NumLabels() int { return max(1, len(t.Labels)) }

// file returns the split's file; its path is "" for an unknown split or one the task does not have.
func (t Task) file(split Split) File {
	switch split {
	case Train:
		return t.Files.Train
	case Dev:
		return t.Files.Dev
	case Test:
		return t.Files.Test
	}
	return File{}
}

// splits lists those the task has.
func (t Task) splits() []string {
	var names []string
	for _, s := range []Split{Train, Dev, Test} {
		if t.file(s).Path != "" {
			names = append(names, string(s))
		}
	}
	return names
}

// needed lists the columns a row of the split must have. Labels are optional in the test split.
func (t Task) needed(split Split) []string {
	names := []string{t.Columns.Text}
	if t.Columns.Pair != "" {
		names = append(names, t.Columns.Pair)
	}
	if split != Test {
		names = append(names, t.Columns.Label)
	}
	return names
}
