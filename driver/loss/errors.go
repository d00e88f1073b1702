package loss

import (
	"errors"
	"fmt"
)

// ErrNonFinite is wrapped by every error about a NaN or infinite number, [NonFiniteError] among them.
var ErrNonFinite = errors.New("not a finite number")

// NonFiniteError reports the first NaN or infinite logit of a batch: the run has diverged.
type NonFiniteError struct {
	Row     int // row of the logits, clean rows first
	Class   int // column of the logits
	Example int // index of the example that the row belongs to
	Value   float32
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("logit of example %d, class %d (row %d) is %v; training has diverged: lower the learning rate, "+
		"or set a gradient norm to clip at", e.Example, e.Class, e.Row, e.Value)
}

// Unwrap makes errors.Is(err, ErrNonFinite) hold.
func (e *NonFiniteError) Unwrap() error { return ErrNonFinite }
