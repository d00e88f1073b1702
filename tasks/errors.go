package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ErrData is matched (errors.Is) by every error about what the user named or supplied: unknown tasks and metrics,
// missing or malformed files, columns, labels, targets. It is a usage error, not a failure of the program.
var ErrData = errors.New("bad task or data")

// ErrNotFinite is matched by the error [Evaluate] returns for a NaN or infinite prediction: the model has diverged.
var ErrNotFinite = errors.New("prediction is not finite")

// DataError is one fault in one file.
type DataError struct {
	File    string // as opened
	Line    int    // 1-based; 0 when the fault is the whole file's
	Column  string // the column's name; "" when no single column is at fault
	Value   string // the offending text; "" when there is none to show
	Problem string // what is wrong
	Next    string // what to do about it
	Err     error  // the cause, or nil
}

// Error gives place, problem, value and next step on one line.
func (e *DataError) Error() string {
	var b strings.Builder
	b.WriteString("reading " + e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, ", column %q", e.Column)
	}
	if e.Value != "" {
		b.WriteString(", value " + quote(e.Value))
	}
	b.WriteString(": " + e.Problem)
	if e.Next != "" {
		b.WriteString("; " + e.Next)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *DataError) Unwrap() error { return e.Err }

// Is reports true for [ErrData].
func (e *DataError) Is(target error) bool { return target == ErrData }

// UnknownTaskError is the error of [Lookup].
type UnknownTaskError struct {
	Name    string   // as asked for
	Nearest []string // known names within a few edits, nearest first; may be empty
	Known   []string // all names, in table order
}

// Error offers the nearest names, then all.
func (e *UnknownTaskError) Error() string {
	hint := ""
	if len(e.Nearest) > 0 {
		hint = "did you mean " + strings.Join(e.Nearest, " or ") + "? "
	}
	return fmt.Sprintf("unknown task %q: %sknown tasks are %s; for data of your own give --train FILE --dev FILE instead",
		e.Name, hint, strings.Join(e.Known, ", "))
}

// Is reports true for [ErrData].
func (e *UnknownTaskError) Is(target error) bool { return target == ErrData }

// cause is the message of a file error without the operation and the path, which DataError has.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// quote renders a value for a message: quoted, control characters escaped, long ones cut.
func quote(s string) string {
	const limit = 80
	if r := []rune(s); len(r) > limit {
		return fmt.Sprintf("%q…", string(r[:limit]))
	}
	return fmt.Sprintf("%q", s)
}

// list renders names for a message, the first 20 of them.
func list(names []string) string {
	const limit = 20
	quoted := make([]string, 0, limit)
	for _, n := range names[:min(len(names), limit)] {
		quoted = append(quoted, quote(n))
	}
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), len(names)-limit)
	}
	return strings.Join(quoted, ", ")
}
