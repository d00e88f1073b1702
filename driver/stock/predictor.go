package stock

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

// Predictor runs an exported model.onnx: input_ids, attention_mask and, where the model has segments,
// token_type_ids [B, T] in, logits [B, K] out.
type Predictor struct {
	library *Library
	session *ort.DynamicAdvancedSession
	inputs  []string // what the model reads of a batch, in its order
	classes int
}

// batchInputs are the inputs that an exported model may have.
var batchInputs = []string{"input_ids", "attention_mask", "token_type_ids"}

// NewPredictor loads an exported model. What the file at path says cannot make it read outside the file's directory: a
// link that leads out is refused, and ONNX Runtime refuses external data that does.
func NewPredictor(path string, o Options) (*Predictor, error) {
	if o.Threads <= 0 {
		o.Threads = runtime.NumCPU()
	}
	library, err := OpenLibrary(o.Library)
	if err != nil {
		return nil, err
	}
	p := &Predictor{library: library}
	if err := p.load(path, o); err != nil {
		return nil, errors.Join(fmt.Errorf("loading %s: %w", path, err), p.Close())
	}
	return p, nil
}

func (p *Predictor) load(path string, o Options) error {
	if err := confine.Check(path); err != nil {
		return err
	}
	so, err := sessionOptions(o)
	if err != nil {
		return err
	}
	defer so.Destroy()
	inputs, outputs, err := ort.GetInputOutputInfo(path)
	if err != nil {
		return err
	}
	if len(outputs) != 1 || len(outputs[0].Dimensions) != 2 || outputs[0].Dimensions[1] < 1 {
		return fmt.Errorf("its outputs are %v; one output \"logits\" of shape [batch, classes] is needed", outputs)
	}
	for _, in := range inputs {
		if !slices.Contains(batchInputs, in.Name) {
			return fmt.Errorf("it has an input %q; only %s can be fed", in.Name, strings.Join(batchInputs, ", "))
		}
		p.inputs = append(p.inputs, in.Name)
	}
	p.classes = int(outputs[0].Dimensions[1])
	p.session, err = ort.NewDynamicAdvancedSession(path, p.inputs, []string{outputs[0].Name}, so)
	return err
}

// Classes returns K.
func (p *Predictor) Classes() int { return p.classes }

// Logits runs one padded batch, tensors [size, tokens] row-major, and returns logits [size, K].
func (p *Predictor) Logits(ids, mask, types []int64, size, tokens int) ([]float32, error) {
	if p.session == nil {
		return nil, fmt.Errorf("predicting: the predictor is closed")
	}
	var inputs []ort.Value
	defer func() {
		for _, v := range inputs {
			v.Destroy()
		}
	}()
	var pinner runtime.Pinner
	defer pinner.Unpin()
	shape := ort.NewShape(int64(size), int64(tokens))
	for _, name := range p.inputs {
		data := map[string][]int64{"input_ids": ids, "attention_mask": mask, "token_type_ids": types}[name]
		if len(data) != size*tokens || len(data) == 0 {
			return nil, fmt.Errorf("predicting: %d elements given for shape %v", len(data), shape)
		}
		pinner.Pin(&data[0])
		v, err := ort.NewTensor(shape, data)
		if err != nil {
			return nil, fmt.Errorf("predicting: %w", err)
		}
		inputs = append(inputs, v)
	}
	logits := make([]float32, size*p.classes)
	pinner.Pin(&logits[0])
	out, err := ort.NewTensor(ort.NewShape(int64(size), int64(p.classes)), logits)
	if err != nil {
		return nil, fmt.Errorf("predicting: %w", err)
	}
	defer out.Destroy()
	if err := p.session.Run(inputs, []ort.Value{out}); err != nil {
		return nil, fmt.Errorf("predicting: %w", err)
	}
	return logits, nil
}

// Close releases the session and the library. Closing twice is harmless.
func (p *Predictor) Close() error {
	var err error
	if p.session != nil {
		err = p.session.Destroy()
		p.session = nil
	}
	return errors.Join(err, p.library.Close())
}
