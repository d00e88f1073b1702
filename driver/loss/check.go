package loss

import (
	"fmt"
	"math"
)

// Validate reports an unusable option.
func (o Objective) Validate() error {
	if o.Method.Passes != 1 && o.Method.Passes != 2 {
		return fmt.Errorf("method %q has %d passes; take a method from MethodByName", o.Method.Name, o.Method.Passes)
	}
	if !(o.Lambda >= 0) || math.IsInf(o.Lambda, 0) {
		return fmt.Errorf("lambda is %v; give a finite number of at least 0", o.Lambda)
	}
	switch o.RegressionTerm {
	case "", TermNone, TermMSE:
		return nil
	}
	return fmt.Errorf("unknown regression term %q; choose one of %s, %s", o.RegressionTerm, TermNone, TermMSE)
}

// check reports arguments that do not fit together or hold numbers that are not finite.
func (o Objective) check(logits []float32, classes int, labels []int, targets []float64, n, batch int, dlogits []float32) error {
	passes := o.Passes()
	switch {
	case o.Regression && classes != 1:
		return fmt.Errorf("a regression has 1 output, the logits have %d", classes)
	case !o.Regression && classes < 2:
		return fmt.Errorf("a classification needs at least 2 classes, the logits have %d", classes)
	case n == 0 || n > batch:
		return fmt.Errorf("%d examples as a share of a batch of %d", n, batch)
	case len(logits) != passes*n*classes:
		return fmt.Errorf("%d logits, want %d passes × %d examples × %d classes = %d", len(logits), passes, n, classes, passes*n*classes)
	case dlogits != nil && len(dlogits) != len(logits):
		return fmt.Errorf("gradient of length %d for %d logits", len(dlogits), len(logits))
	}
	for i, v := range logits {
		if v-v != 0 {
			return &NonFiniteError{Row: i / classes, Class: i % classes, Example: i / classes % n, Value: v}
		}
	}
	for i := range n {
		if o.Regression {
			if t := targets[i]; t-t != 0 {
				return fmt.Errorf("target of example %d is %v: %w; correct the data", i, t, ErrNonFinite)
			}
		} else if y := labels[i]; y < 0 || y >= classes {
			return fmt.Errorf("label of example %d is %d, outside [0, %d); correct the data or the number of classes", i, y, classes)
		}
	}
	return nil
}
