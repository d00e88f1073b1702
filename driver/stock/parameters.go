package stock

import (
	"fmt"
	"iter"
	"math"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/optim"
)

// scatter adds row gradients to a table: row indices[i] receives rows[i], C = the table's width.
func (t *tensor) scatter(indices []int64, rows []float32) {
	width := t.Shape[1]
	gradient := t.data[driver.Gradient]
	for i, row := range indices {
		source := rows[i*width : (i+1)*width]
		into := gradient[int(row)*width : (int(row)+1)*width]
		if !t.touched.Has(int(row)) {
			t.touched.Add(int(row))
			copy(into, source)
			continue
		}
		for k, x := range source {
			into[k] += x
		}
	}
}

// touchedRows visits the gradient rows of a table that hold something.
func (t *tensor) touchedRows() iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		width := t.Shape[1]
		for row := range t.Shape[0] {
			if t.touched.Has(row) && !yield(t.data[driver.Gradient][row*width:(row+1)*width]) {
				return
			}
		}
	}
}

// ZeroGradients forgets all gradients. Dense ones are overwritten by the next Backward; of a table only the
// rows that were touched are cleared.
func (e *Engine) ZeroGradients() error {
	e.filled = false
	for _, t := range e.order {
		if t.touched == nil {
			continue
		}
		for row := range t.touchedRows() {
			clear(row)
		}
		t.touched.Clear()
	}
	return nil
}

// GradientNorm returns √Σg² over all parameters.
func (e *Engine) GradientNorm() (float64, error) {
	if !e.filled {
		return 0, nil
	}
	sum := 0.0
	for _, t := range e.order {
		if t.touched == nil {
			sum += optim.SumSquares(t.data[driver.Gradient])
			continue
		}
		for row := range t.touchedRows() {
			for _, x := range row {
				sum += float64(x) * float64(x)
			}
		}
	}
	return math.Sqrt(sum), nil
}

// Update applies AdamW in place, on the memory the graphs read.
func (e *Engine) Update(u driver.Update) error {
	if !e.filled {
		return fmt.Errorf("updating the parameters: no gradients since ZeroGradients")
	}
	step := optim.Step{T: u.Step, LR: u.LearningRate, Scale: u.Scale}
	for _, t := range e.order {
		d := &t.data
		step.Decay = t.Decay
		if t.touched == nil {
			u.Apply(d[driver.Value], d[driver.Gradient], d[driver.FirstMoment], d[driver.SecondMoment], step)
			continue
		}
		u.ApplyRows(d[driver.Value], d[driver.Gradient], d[driver.FirstMoment], d[driver.SecondMoment], t.Shape[1], t.touched, t.ever, step)
	}
	return nil
}

// Read copies one tensor out of the engine.
func (e *Engine) Read(kind driver.Kind, name string, dst []float32) error {
	t, err := e.tensor("reading", name, len(dst))
	if err != nil {
		return err
	}
	if kind == driver.Gradient && !e.filled {
		clear(dst)
		return nil
	}
	copy(dst, t.data[kind])
	return nil
}

// View returns one tensor as it lies in the engine's memory.
func (e *Engine) View(kind driver.Kind, name string) ([]float32, error) {
	t := e.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("viewing parameter %q: the model has no such parameter", name)
	}
	if kind == driver.Gradient && !e.filled {
		clear(t.data[kind])
	}
	return t.data[kind], nil
}

// Write copies one tensor into the engine.
func (e *Engine) Write(kind driver.Kind, name string, src []float32) error {
	t, err := e.tensor("writing", name, len(src))
	if err != nil {
		return err
	}
	if kind == driver.Gradient && !e.filled { // what the other dense gradients hold is of an earlier step
		for _, other := range e.order {
			if other.touched == nil {
				clear(other.data[driver.Gradient])
			}
		}
		e.filled = true
	}
	copy(t.data[kind], src)
	if t.touched == nil {
		return nil
	}
	switch width := t.Shape[1]; kind {
	case driver.Gradient:
		t.touched = optim.NonZeroRows(width, src)
	case driver.FirstMoment, driver.SecondMoment:
		t.ever = optim.NonZeroRows(width, t.data[driver.FirstMoment], t.data[driver.SecondMoment])
	}
	return nil
}

func (e *Engine) tensor(doing, name string, n int) (*tensor, error) {
	t := e.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("%s parameter %q: the model has no such parameter", doing, name)
	}
	if n != t.Size() {
		return nil, fmt.Errorf("%s parameter %q: %d elements for shape %v", doing, name, n, t.Shape)
	}
	return t, nil
}
