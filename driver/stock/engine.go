package stock

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// Options configure an engine. The zero value trains without dropout on all processors with the library that
// ortlib.Find finds.
type Options struct {
	Library       string  // path of the ONNX Runtime library, "" to look in the usual places
	Threads       int     // of ONNX Runtime and of the optimiser; 0 means all processors
	Dropout       float64 // drop probability of training variants
	NoiseGradient bool    // Noised and Doubled batches also yield ∂L/∂noise
	WholeSequence bool    // compute the last layer for every token; for proving that it makes no difference
}

// Engine implements driver.Engine and driver.NoiseGradienter on a stock ONNX Runtime. The zero value is not
// usable; call New.
type Engine struct {
	options   Options
	library   *Library
	model     *graphs.Model
	spec      driver.Spec
	slabs     [4]*slab // values, gradients and moments, by driver.Kind
	tensors   map[string]*tensor
	order     []*tensor
	compiling sync.Mutex // guards programs: MaskSizes is called from the goroutine that prepares batches
	programs  map[driver.Variant]*program
	saved     *slab // activations between Forward and Backward
	scratch   *slab // dense gradients of a further micro-batch
	values    []ort.Value
	pinner    runtime.Pinner
	pending   *program // ran forward, waits for Backward
	batch     *driver.Batch
	logits    []float32
	noise     []float32
	filled    bool // gradients hold something
}

// tensor is one parameter with its gradient and moments.
type tensor struct {
	driver.Parameter
	data    [4][]float32 // by driver.Kind
	value   ort.Value    // data[Value] as ONNX Runtime sees it
	touched *optim.RowSet
	ever    *optim.RowSet
}

// New loads the library, copies the model's weights into shared memory and returns an engine. Graphs are
// compiled at first use. Close the engine when done.
func New(m *graphs.Model, o Options) (*Engine, error) {
	if o.Threads <= 0 {
		o.Threads = runtime.NumCPU()
	}
	if !(o.Dropout >= 0 && o.Dropout < 1) {
		return nil, &driver.OptionError{Option: "dropout", Err: fmt.Errorf("is %v; give a probability of at least 0 and below 1", o.Dropout)}
	}
	library, err := OpenLibrary(o.Library)
	if err != nil {
		return nil, err
	}
	e := &Engine{options: o, library: library, model: m, tensors: map[string]*tensor{}, programs: map[driver.Variant]*program{}, saved: &slab{}, scratch: &slab{}}
	if err := e.allocate(); err != nil {
		return nil, errors.Join(fmt.Errorf("setting up the engine: %w", err), e.Close())
	}
	return e, nil
}

// allocate lays out parameters, gradients and moments.
func (e *Engine) allocate() error {
	c := e.model.Config
	e.spec = driver.Spec{Classes: c.NumLabels, EmbeddingSize: c.EmbeddingSize, VocabSize: c.VocabSize, MaxTokens: c.MaxTokens(),
		PadID: int64(c.PadTokenID), Dropout: e.options.Dropout, Head: e.model.Head}
	total := 0
	parameters := e.model.Graph.Parameters
	for i, w := range e.model.Weights {
		if i >= len(parameters) || w.Name != parameters[i].Name || len(w.Data) != parameters[i].Shape.Product().Coef {
			return fmt.Errorf("weight %q with %d elements is not the graph's parameter %d", w.Name, len(w.Data), i)
		}
		total += aligned(len(w.Data))
	}
	if len(e.model.Weights) != len(parameters) {
		return fmt.Errorf("the model has %d weights for %d parameters; graphs.Load reads them", len(e.model.Weights), len(parameters))
	}
	for k := range e.slabs {
		s, err := newSlab(total)
		if err != nil {
			return err
		}
		e.slabs[k] = s
	}
	rowTables := e.model.RowTables()
	for _, w := range e.model.Weights {
		t := &tensor{Parameter: driver.Parameter{Name: w.Name, Shape: w.Shape, Decay: len(w.Shape) > 1}}
		for k := range e.slabs {
			t.data[k] = e.slabs[k].take(len(w.Data))
		}
		copy(t.data[driver.Value], w.Data)
		if slices.Contains(rowTables, w.Name) {
			t.touched, t.ever = optim.NewRowSet(w.Shape[0]), optim.NewRowSet(w.Shape[0])
		}
		shape := make([]int64, len(w.Shape))
		for i, d := range w.Shape {
			shape[i] = int64(d)
		}
		value, err := ort.NewTensor(ort.NewShape(shape...), t.data[driver.Value])
		if err != nil {
			return fmt.Errorf("handing parameter %q to ONNX Runtime: %w", w.Name, err)
		}
		t.value = value
		e.tensors[w.Name] = t
		e.order = append(e.order, t)
		e.spec.Parameters = append(e.spec.Parameters, t.Parameter)
	}
	return nil
}

// Library describes the library the engine runs on, which stays the engine's to close.
func (e *Engine) Library() Library {
	return Library{Path: e.library.Path, Version: e.library.Version}
}

// GraphSeconds returns how long ONNX Runtime has run the engine's graphs.
func (e *Engine) GraphSeconds() float64 {
	e.compiling.Lock()
	defer e.compiling.Unlock()
	total := 0.0
	for _, p := range e.programs {
		for _, s := range []*session{p.forward, p.backward} {
			if s != nil {
				total += s.seconds
			}
		}
	}
	return total
}

// Spec describes the model.
func (e *Engine) Spec() driver.Spec { return e.spec }

// Close releases sessions, tensors, memory and the library. Closing twice is harmless.
func (e *Engine) Close() error {
	var errs []error
	e.drop()
	for _, p := range e.programs {
		errs = append(errs, p.close())
	}
	for _, t := range e.order {
		if t.value != nil {
			errs = append(errs, t.value.Destroy())
		}
	}
	for _, s := range append(e.slabs[:], e.saved, e.scratch) {
		errs = append(errs, s.close())
	}
	e.programs, e.order, e.tensors = nil, nil, nil
	return errors.Join(append(errs, e.library.Close())...)
}
