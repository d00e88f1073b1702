package trainapi

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// Options configure an engine. The zero value computes on all processors with the library that ortlib.FindTraining
// finds.
type Options struct {
	Library string // path of the ONNX Runtime library, "" to look in the usual places
	Threads int    // of ONNX Runtime; 0 means all processors
	CUDA    bool   // compute on the first CUDA device, with a CUDA training build
}

// Engine implements driver.Engine, driver.Stepper and driver.StateKeeper on a directory of training artifacts. The zero
// value is not usable; call New.
type Engine struct {
	// Manifest is that of the artifacts; do not change it.
	Manifest *artifacts.Manifest

	dir         string
	options     Options
	library     *capi.Library
	checkpoint  *capi.Checkpoint
	session     *capi.Session
	train, eval *artifacts.Plan
	spec        driver.Spec
	adamw       optim.AdamW
	feed        feed
	seconds     float64
}

// New loads the library and the artifacts in dir. Close the engine when done.
//
// Errors about the library wrap capi.ErrLibrary, those about a provider capi.ErrProvider, and those about the artifacts
// artifacts.ErrArtifacts.
func New(dir string, o Options) (*Engine, error) {
	e := &Engine{dir: dir, options: o}
	if err := e.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the training artifacts %s: %w", dir, err), e.Close())
	}
	return e, nil
}

func (e *Engine) open() error {
	var err error
	if e.Manifest, err = artifacts.ReadManifest(e.dir); err != nil {
		return err
	}
	train, err := artifacts.ReadSignature(e.dir, artifacts.TrainingModel)
	if err != nil {
		return err
	}
	if err := train.CheckGathers(); err != nil {
		return err
	}
	eval, err := artifacts.ReadSignature(e.dir, artifacts.EvalModel)
	if err != nil {
		return err
	}
	optimizer, err := artifacts.ReadSignature(e.dir, artifacts.OptimizerModel)
	if err != nil {
		return err
	}
	if e.adamw, err = adamwOf(optimizer); err != nil {
		return err
	}
	path, err := ortlib.FindTraining(e.options.Library)
	if err != nil {
		return fmt.Errorf("%w: %w", capi.ErrLibrary, err)
	}
	if e.library, err = capi.Open(path); err != nil {
		return err
	}
	if e.checkpoint, e.session, err = e.load(filepath.Join(e.dir, artifacts.Checkpoint)); err != nil {
		return err
	}
	s := e.session
	if e.train, err = e.Manifest.Resolve(artifacts.TrainingModel, train, s.TrainInputs, s.TrainOutputs, false); err != nil {
		return err
	}
	if e.eval, err = e.Manifest.Resolve(artifacts.EvalModel, eval, s.EvalInputs, s.EvalOutputs, true); err != nil {
		return err
	}
	m := e.Manifest.Model
	e.spec = driver.Spec{Classes: m.Classes, EmbeddingSize: m.HiddenSize, VocabSize: m.VocabSize, MaxTokens: m.MaxTokens, PadID: m.PadID,
		Dropout: m.Dropout, OwnMoments: true, EqualBatches: !e.train.Has(artifacts.Share)}
	return e.listParameters(train)
}

// load makes a session on a checkpoint file.
func (e *Engine) load(path string) (*capi.Checkpoint, *capi.Session, error) {
	c, err := e.library.LoadCheckpoint(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", artifacts.ErrArtifacts, err)
	}
	file := func(name string) string { return filepath.Join(e.dir, name) }
	s, err := e.library.NewSession(c, capi.Files{Training: file(artifacts.TrainingModel), Eval: file(artifacts.EvalModel), Optimizer: file(artifacts.OptimizerModel)},
		capi.SessionOptions{Threads: e.options.Threads, CUDA: e.options.CUDA})
	if err == nil {
		return c, s, nil
	}
	if !errors.Is(err, capi.ErrProvider) {
		err = fmt.Errorf("%w: %w", artifacts.ErrArtifacts, err)
	}
	return nil, nil, errors.Join(err, c.Close())
}

// The names by which the training API tells a parameter's gradient buffer and the flag that empties it.
const (
	bufferSuffix = "_grad.accumulation.buffer"
	resetInput   = "lazy_reset_grad"
)

// listParameters finds the parameters: inputs of the training graph that are neither a step's nor the training API's.
func (e *Engine) listParameters(s *artifacts.Signature) error {
	own := map[string]bool{resetInput: true}
	for _, name := range e.session.TrainInputs {
		own[name] = true
	}
	for _, in := range s.Inputs {
		if own[in.Name] || strings.HasSuffix(in.Name, bufferSuffix) {
			continue
		}
		shape, err := e.checkpoint.ParameterShape(in.Name)
		if err != nil {
			return fmt.Errorf("%w: %s is an input of the training graph and no parameter of the checkpoint: %w", artifacts.ErrArtifacts, in, err)
		}
		p := driver.Parameter{Name: in.Name}
		for _, d := range shape {
			p.Shape = append(p.Shape, int(d))
		}
		p.Decay = e.adamw.WeightDecay > 0 && (len(p.Shape) > 1 || !e.Manifest.Model.SpareVectors)
		e.spec.Parameters = append(e.spec.Parameters, p)
	}
	return nil
}

// adamwOf reads the constants of the optimiser model.
func adamwOf(s *artifacts.Signature) (optim.AdamW, error) {
	for _, n := range s.Nodes {
		if n.OpType != "AdamWOptimizer" {
			continue
		}
		value := func(name string, def float32) float64 {
			v, ok := n.Floats[name]
			if !ok {
				v = def
			}
			// 0.9 and not 0.8999999761581421: the number that was meant
			x, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
			return x
		}
		a := optim.AdamW{Beta1: value("alpha", 0.9), Beta2: value("beta", 0.999), Eps: value("epsilon", 1e-8), WeightDecay: value("weight_decay", 1e-2)}
		if err := a.Validate(); err != nil {
			return a, fmt.Errorf("%w: %s: %w", artifacts.ErrArtifacts, artifacts.OptimizerModel, err)
		}
		return a, nil
	}
	return optim.AdamW{}, fmt.Errorf("%w: %s has no AdamWOptimizer node; make the artifacts with OptimType.AdamW", artifacts.ErrArtifacts, artifacts.OptimizerModel)
}

// Library describes the library that the engine runs on.
func (e *Engine) Library() (path, version string) { return e.library.Path, e.library.Version }

// Spec describes the model.
func (e *Engine) Spec() driver.Spec { return e.spec }

// AdamW returns the constants of the optimiser model.
func (e *Engine) AdamW() optim.AdamW { return e.adamw }

// GraphSeconds returns how long ONNX Runtime has run the engine's graphs.
func (e *Engine) GraphSeconds() float64 { return e.seconds }

// MaskSizes returns the bytes of each dropout mask that the training graph takes: none where it draws them itself.
func (e *Engine) MaskSizes(v driver.Variant, size, tokens int) ([]int, error) {
	switch v {
	case driver.Evaluate:
		return nil, nil
	case driver.Noised:
		return nil, fmt.Errorf("a noised pass alone: the training graph has none: %w", errors.ErrUnsupported)
	case driver.Doubled:
		if !e.train.Has(artifacts.Noise) && e.train.NoisedLogits < 0 {
			return nil, &driver.OptionError{Option: "method", Err: errors.New("compares two passes, and the training graph makes one; choose --method standard, or artifacts with the R3F term")}
		}
	}
	sizes := make([]int, len(e.Manifest.Inputs.Masks))
	for _, in := range e.train.Inputs {
		if in.Role != artifacts.Mask {
			continue
		}
		var err error
		if sizes[in.Index], err = in.Size(size, tokens); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// ZeroGradients lets the next TrainStep replace the gradients.
func (e *Engine) ZeroGradients() error { return e.session.LazyResetGrad() }

// Update runs the optimiser model, whose constants are those of AdamW.
func (e *Engine) Update(u driver.Update) error {
	if u.Scale != 1 {
		return fmt.Errorf("updating with gradients times %v: the training API cannot scale them: %w", u.Scale, errors.ErrUnsupported)
	}
	if err := errors.Join(e.session.SetLearningRate(float32(u.LearningRate)), e.spareVectors(u.LearningRate)); err != nil {
		return err
	}
	return e.session.OptimizerStep()
}

// Backward is TrainStep's part; see driver.Stepper.
func (e *Engine) Backward(context.Context, []float32) error {
	return fmt.Errorf("running the backward graph alone: TrainStep runs forward and backward in one: %w", errors.ErrUnsupported)
}

// GradientNorm is unknown: gradients stay inside ONNX Runtime.
func (e *Engine) GradientNorm() (float64, error) {
	return 0, fmt.Errorf("reading the gradients: the training API keeps them to itself: %w", errors.ErrUnsupported)
}

// Close releases session, checkpoint and library. Closing twice is harmless.
func (e *Engine) Close() error {
	var errs []error
	if e.session != nil {
		errs = append(errs, e.session.Close())
	}
	if e.checkpoint != nil {
		errs = append(errs, e.checkpoint.Close())
	}
	if e.library != nil {
		errs = append(errs, e.library.Close())
	}
	return errors.Join(errs...)
}
