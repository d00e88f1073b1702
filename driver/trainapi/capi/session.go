package capi

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Files are the paths of a session's models. Eval and Optimizer may be "": the session then cannot do those.
type Files struct{ Training, Eval, Optimizer string }

// Models are the contents of a session's models. Eval and Optimizer may be nil: the session then cannot do those.
// ExportModel needs a session made from files.
type Models struct{ Training, Eval, Optimizer []byte }

// Session runs the training, evaluation and optimiser models on a checkpoint.
type Session struct {
	library *Library
	handle  unsafe.Pointer
	// TrainInputs and EvalInputs are the inputs that a step takes, in its order; TrainOutputs and EvalOutputs are what
	// it gives. The eval ones are empty without an evaluation model.
	TrainInputs, EvalInputs, TrainOutputs, EvalOutputs []string
}

// NewSession creates a session from files. The session trains c, which must outlive it.
func (l *Library) NewSession(c *Checkpoint, f Files, o SessionOptions) (*Session, error) {
	var paths [3]*C.char
	for i, path := range []string{f.Training, f.Eval, f.Optimizer} {
		if path != "" {
			paths[i] = C.CString(path)
			defer C.free(unsafe.Pointer(paths[i]))
		}
	}
	return l.newSession(f.Eval != "", o, func(options unsafe.Pointer, out *unsafe.Pointer) error {
		return l.check("creating a training session of "+f.Training,
			C.CreateTrainingSession(l.training, l.environment, options, c.handle, paths[0], paths[1], paths[2], out))
	})
}

// NewSessionBytes creates a session from models in memory. The session trains c, which must outlive it.
func (l *Library) NewSessionBytes(c *Checkpoint, m Models, o SessionOptions) (*Session, error) {
	data := func(b []byte) (unsafe.Pointer, C.size_t) {
		return unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b))
	}
	train, trainBytes := data(m.Training)
	eval, evalBytes := data(m.Eval)
	optimizer, optimizerBytes := data(m.Optimizer)
	return l.newSession(len(m.Eval) > 0, o, func(options unsafe.Pointer, out *unsafe.Pointer) error {
		return l.check("creating a training session", C.CreateTrainingSessionFromBuffer(l.training, l.environment, options, c.handle,
			train, trainBytes, eval, evalBytes, optimizer, optimizerBytes, out))
	})
}

func (l *Library) newSession(eval bool, o SessionOptions, create func(options unsafe.Pointer, out *unsafe.Pointer) error) (*Session, error) {
	options, err := l.options(o)
	if err != nil {
		return nil, err
	}
	defer C.ReleaseSessionOptions(l.core, options)
	var handle unsafe.Pointer
	if err := create(options, &handle); err != nil {
		return nil, err
	}
	s := &Session{library: l, handle: handle}
	if err := s.readNames(eval); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// readNames asks for the names of inputs and outputs.
func (s *Session) readNames(eval bool) error {
	t, a := s.library.training, s.library.allocator
	for _, list := range []struct {
		what  string
		eval  bool
		into  *[]string
		count func(n *C.size_t) C.status
		name  func(i C.size_t, name **C.char) C.status
	}{
		{"training inputs", false, &s.TrainInputs, func(n *C.size_t) C.status { return C.TrainingSessionGetTrainingModelInputCount(t, s.handle, n) },
			func(i C.size_t, name **C.char) C.status {
				return C.TrainingSessionGetTrainingModelInputName(t, s.handle, i, a, name)
			}},
		{"training outputs", false, &s.TrainOutputs, func(n *C.size_t) C.status { return C.TrainingSessionGetTrainingModelOutputCount(t, s.handle, n) },
			func(i C.size_t, name **C.char) C.status {
				return C.TrainingSessionGetTrainingModelOutputName(t, s.handle, i, a, name)
			}},
		{"evaluation inputs", true, &s.EvalInputs, func(n *C.size_t) C.status { return C.TrainingSessionGetEvalModelInputCount(t, s.handle, n) },
			func(i C.size_t, name **C.char) C.status {
				return C.TrainingSessionGetEvalModelInputName(t, s.handle, i, a, name)
			}},
		{"evaluation outputs", true, &s.EvalOutputs, func(n *C.size_t) C.status { return C.TrainingSessionGetEvalModelOutputCount(t, s.handle, n) },
			func(i C.size_t, name **C.char) C.status {
				return C.TrainingSessionGetEvalModelOutputName(t, s.handle, i, a, name)
			}},
	} {
		if list.eval && !eval {
			continue
		}
		var n C.size_t
		if err := s.library.check("counting "+list.what, list.count(&n)); err != nil {
			return err
		}
		for i := range n {
			var name *C.char
			if err := s.library.check("naming "+list.what, list.name(i, &name)); err != nil {
				return err
			}
			out, err := s.library.take(name)
			if err != nil {
				return err
			}
			*list.into = append(*list.into, out)
		}
	}
	return nil
}

// TrainStep runs forward and backward: it returns the outputs, the loss first, and adds the gradients to what is
// there, or replaces it after LazyResetGrad.
func (s *Session) TrainStep(inputs []Tensor) ([]Tensor, error) {
	return s.run("running a training step", inputs, s.TrainInputs, s.TrainOutputs, func(nin C.size_t, in *unsafe.Pointer, nout C.size_t, out *unsafe.Pointer) C.status {
		return C.TrainStep(s.library.training, s.handle, nil, nin, in, nout, out)
	})
}

// EvalStep runs the evaluation model.
func (s *Session) EvalStep(inputs []Tensor) ([]Tensor, error) {
	return s.run("running an evaluation step", inputs, s.EvalInputs, s.EvalOutputs, func(nin C.size_t, in *unsafe.Pointer, nout C.size_t, out *unsafe.Pointer) C.status {
		return C.EvalStep(s.library.training, s.handle, nil, nin, in, nout, out)
	})
}

func (s *Session) run(doing string, inputs []Tensor, in, out []string, call func(nin C.size_t, in *unsafe.Pointer, nout C.size_t, out *unsafe.Pointer) C.status) ([]Tensor, error) {
	if len(inputs) != len(in) || len(out) == 0 {
		return nil, fmt.Errorf("%s: %d inputs given; the model takes %q and gives %q", doing, len(inputs), in, out)
	}
	given, results := values{library: s.library}, values{library: s.library, handles: make([]unsafe.Pointer, len(out))}
	defer given.release()
	defer results.release()
	for i, t := range inputs {
		if err := given.add(in[i], t); err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
	}
	if err := s.library.check(doing, call(C.size_t(len(in)), unsafe.SliceData(given.handles), C.size_t(len(out)), unsafe.SliceData(results.handles))); err != nil {
		return nil, err
	}
	outputs := make([]Tensor, len(out))
	for i, h := range results.handles {
		var err error
		if outputs[i], err = s.library.read(out[i], h); err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
	}
	return outputs, nil
}

// LazyResetGrad lets the next TrainStep replace the gradients instead of adding to them.
func (s *Session) LazyResetGrad() error {
	return s.library.check("resetting the gradients", C.LazyResetGrad(s.library.training, s.handle))
}

// OptimizerStep updates the parameters.
func (s *Session) OptimizerStep() error {
	return s.library.check("running the optimiser", C.OptimizerStep(s.library.training, s.handle, nil))
}

// SetLearningRate sets the rate of the next OptimizerStep.
func (s *Session) SetLearningRate(rate float32) error {
	return s.library.check("setting the learning rate", C.SetLearningRate(s.library.training, s.handle, C.float(rate)))
}

// LearningRate returns the rate of the next OptimizerStep.
func (s *Session) LearningRate() (float32, error) {
	var rate C.float
	err := s.library.check("reading the learning rate", C.GetLearningRate(s.library.training, s.handle, &rate))
	return float32(rate), err
}

// RegisterLinearSchedule lets SchedulerStep raise the learning rate from 0 to rate over the first warmup steps, and
// lower it to 0 at step total.
func (s *Session) RegisterLinearSchedule(warmup, total int64, rate float32) error {
	return s.library.check("registering a learning rate schedule", C.RegisterLinearLRScheduler(s.library.training, s.handle, C.int64_t(warmup), C.int64_t(total), C.float(rate)))
}

// SchedulerStep moves the learning rate on by one step of the registered schedule.
func (s *Session) SchedulerStep() error {
	return s.library.check("moving the learning rate on", C.SchedulerStep(s.library.training, s.handle))
}

// ParametersSize returns the number of elements of all parameters, or of those that are trained.
func (s *Session) ParametersSize(trained bool) (int, error) {
	var n C.size_t
	err := s.library.check("counting the parameters", C.GetParametersSize(s.library.training, s.handle, &n, C.bool(trained)))
	return int(n), err
}

// ReadParameters copies all parameters, or those that are trained, in the model's order to dst, whose length must be
// ParametersSize.
func (s *Session) ReadParameters(dst []float32, trained bool) error {
	return s.withBuffer("reading the parameters", dst, trained, func(v unsafe.Pointer) C.status {
		return C.CopyParametersToBuffer(s.library.training, s.handle, v, C.bool(trained))
	})
}

// WriteParameters copies src, as ReadParameters orders it, to the parameters.
func (s *Session) WriteParameters(src []float32, trained bool) error {
	return s.withBuffer("writing the parameters", src, trained, func(v unsafe.Pointer) C.status {
		return C.CopyBufferToParameters(s.library.training, s.handle, v, C.bool(trained))
	})
}

func (s *Session) withBuffer(doing string, data []float32, trained bool, call func(v unsafe.Pointer) C.status) error {
	n, err := s.ParametersSize(trained)
	if err != nil {
		return err
	}
	if len(data) != n {
		return fmt.Errorf("%s: a buffer of %d elements for %d", doing, len(data), n)
	}
	v := values{library: s.library}
	defer v.release()
	if err := v.add("buffer", Tensor{Shape: []int64{int64(n)}, Data: data}); err != nil {
		return err
	}
	return s.library.check(doing, call(v.handles[0]))
}

// ExportModel writes the evaluation model with the parameters as they are, cut down to the outputs named. The file of
// the evaluation model that the session was made from must still be there.
func (s *Session) ExportModel(path string, outputs ...string) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	names := make([]*C.char, len(outputs))
	for i, o := range outputs {
		names[i] = C.CString(o)
		defer C.free(unsafe.Pointer(names[i]))
	}
	return s.library.check("exporting the model to "+path, C.ExportModelForInferencing(s.library.training, s.handle, p, C.size_t(len(names)), unsafe.SliceData(names)))
}

// Close releases the session. Closing twice is harmless.
func (s *Session) Close() error {
	if s.handle != nil {
		C.ReleaseTrainingSession(s.library.training, s.handle)
		s.handle = nil
	}
	return nil
}
