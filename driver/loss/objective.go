package loss

import "fmt"

// RegressionTerm names what stands in for the symmetric KL in a regression.
type RegressionTerm string

// The regression terms. The zero RegressionTerm means [TermNone].
const (
	TermNone RegressionTerm = "none" // no regulariser, as the published R3F code
	TermMSE  RegressionTerm = "mse"  // (1/B)·Σ_b (a_b − b_b)²
)

// Objective is what training minimises: a method and its options. It is a plain value without state, safe for
// concurrent use.
type Objective struct {
	Method         Method
	Lambda         float64 // λ ≥ 0
	StopGradient   bool    // the regulariser takes the clean pass as a constant target
	Regression     bool    // mean squared error of one output instead of cross-entropy over K classes
	RegressionTerm RegressionTerm
}

// Result is the loss of a batch, or a micro-batch's share of it.
type Result struct {
	Loss        float64 // Task + λ·Regulariser
	Task        float64
	Regulariser float64
}

// Plus returns the sum of the shares of two micro-batches.
func (r Result) Plus(s Result) Result {
	return Result{r.Loss + s.Loss, r.Task + s.Task, r.Regulariser + s.Regulariser}
}

// Passes returns how many rows of logits [Objective.Evaluate] takes per example: the method's passes, or 1 where the
// second pass would go unused because a regression has neither a term nor a task loss on it.
func (o Objective) Passes() int {
	if o.Regression && o.RegressionTerm != TermMSE && !o.Method.TaskOnBoth {
		return 1
	}
	return o.Method.Passes
}

// Evaluate returns the loss of n examples as their share of a batch of batch ≥ n, and sets dlogits, unless it is nil,
// to the gradient of that share.
//
// Shapes: logits and dlogits [Passes·n, classes], row-major, the n clean rows first, then the n rows of the second
// pass; n is the length of labels, or of targets in a regression, and the other of the two is not looked at. classes
// is at least 2, or 1 in a regression. logits and dlogits must not overlap.
//
// The arithmetic is float64 throughout; only the gradient is rounded to float32 as it is stored. It is stable for
// every finite logit, and allocates nothing.
//
// A NaN or infinite logit is a *[NonFiniteError]. After an error dlogits holds nothing useful.
func (o Objective) Evaluate(logits []float32, classes int, labels []int, targets []float64, batch int, dlogits []float32) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("computing the loss: %w", err)
	}
	n := len(labels)
	if o.Regression {
		n = len(targets)
	}
	if err := o.check(logits, classes, labels, targets, n, batch, dlogits); err != nil {
		return Result{}, fmt.Errorf("computing the loss: %w", err)
	}
	clear(dlogits)
	var r Result
	scale := 1 / float64(batch)
	in, out := rows{logits, classes}, rows{dlogits, classes}
	for i := range n {
		a, da := in.at(i), out.at(i)
		r.Task += o.task(a, i, labels, targets, scale, da)
		if o.Passes() == 1 {
			continue
		}
		b, db := in.at(n+i), out.at(n+i)
		if o.Method.TaskOnBoth {
			r.Task += o.task(b, i, labels, targets, scale, db)
		}
		r.Regulariser += o.regulariser(a, b, scale, da, db)
	}
	r.Loss = r.Task + o.Lambda*r.Regulariser
	return r, nil
}

// rows is a row-major matrix; that of a nil slice has nil rows.
type rows struct {
	data []float32
	cols int
}

func (m rows) at(i int) []float32 {
	if m.data == nil {
		return nil
	}
	return m.data[i*m.cols : (i+1)*m.cols]
}

// task returns example i's share of the task loss and adds its gradient to d.
func (o Objective) task(logits []float32, i int, labels []int, targets []float64, scale float64, d []float32) float64 {
	if o.Regression {
		return scale * squaredError(float64(logits[0]), targets[i], scale, d, nil)
	}
	return scale * crossEntropy(logits, labels[i], scale, d)
}

// regulariser returns one example's share of the regulariser and adds its gradient, times λ, to da and db.
func (o Objective) regulariser(a, b []float32, scale float64, da, db []float32) float64 {
	if o.StopGradient {
		da = nil
	}
	if o.Regression {
		if o.RegressionTerm != TermMSE {
			return 0
		}
		return scale * squaredError(float64(a[0]), float64(b[0]), o.Lambda*scale, da, db)
	}
	scale *= o.Method.KLWeight
	return scale * symmetricKL(a, b, o.Lambda*scale, da, db)
}
