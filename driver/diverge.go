package driver

import (
	"errors"
	"fmt"
	"math"
)

// ErrDiverged is matched by DivergedError.
var ErrDiverged = errors.New("training diverged")

// DivergedError reports a loss, logit or gradient that is not finite.
type DivergedError struct {
	Step       int
	Quantity   string   // what was not finite, for people
	Tensor     string   // its name: a parameter's for a gradient, "logits" or "loss"
	Examples   []string // ids of the examples: of the logits' one, or of all of the step
	Checkpoint string   // newest good checkpoint, or ""
	cause      error
}

// Error says where training diverged and what can be done.
func (e *DivergedError) Error() string {
	from := "no checkpoint was written yet"
	if e.Checkpoint != "" {
		from = "the last good checkpoint is " + e.Checkpoint
	}
	return fmt.Sprintf("step %d: %s; %s; lower --lr, set --clip 1, or leave such updates out with --on-nonfinite skip", e.Step, e.what(), from)
}

func (e *DivergedError) what() string {
	return fmt.Sprintf("%s is not finite, examples %v", e.Quantity, e.Examples)
}

// Unwrap lets errors.Is find ErrDiverged, and what the loss said.
func (e *DivergedError) Unwrap() []error { return []error{ErrDiverged, e.cause} }

func ids(examples []*Example) (out []string) {
	for _, x := range examples {
		out = append(out, x.ID)
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// notFinite names the first parameter whose gradient holds something that is not finite.
func (l *loop) notFinite() (string, error) {
	for _, p := range l.engine.Spec().Parameters {
		data, err := Tensor(l.engine, Gradient, p)
		if err != nil {
			return "", err
		}
		for _, x := range data {
			if !finite(float64(x)) {
				return p.Name, nil
			}
		}
	}
	return "a parameter", nil // an engine's norm overflowed
}
