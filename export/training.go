package export

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/optim"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// TrainingOptions say what training artifacts compute.
type TrainingOptions struct {
	graphs.TrainingOptions
	// AdamW are the constants of the optimiser model; zero means optim's default. ONNX Runtime's training API knows
	// one group of parameters, so to the model alone biases and LayerNorm weights decay like all others. The manifest
	// asks the engine to spare them.
	AdamW          optim.AdamW
	TokenizerFiles []string // paths to copy
}

// WriteTraining writes the model with the given weights, one for each parameter of its graph, as training artifacts:
// what onnxruntime.training.artifacts makes in Python, with the R3F term in the training graph. A directory of
// artifacts that is there is replaced. The bytes depend on the arguments alone.
//
// On an error dir is as it was before.
func WriteTraining(dir string, m *graphs.Model, weights []graphs.Weight, o TrainingOptions) error {
	err := replace(dir, artifacts.ManifestFile, func(temporary string) error {
		files, err := o.files(m, weights)
		if err != nil {
			return err
		}
		return writeAll(temporary, files)
	})
	if err != nil {
		return fmt.Errorf("exporting training artifacts to %s: %w%s", dir, err, durable.Advice(err))
	}
	return nil
}

// files lists what training artifacts consist of.
func (o TrainingOptions) files(m *graphs.Model, weights []graphs.Weight) ([]file, error) {
	if err := o.AdamW.Validate(); err != nil {
		return nil, err
	}
	compiled, err := m.CompileTraining(o.TrainingOptions)
	if err != nil {
		return nil, err
	}
	train, err := trainingModel(compiled)
	if err != nil {
		return nil, err
	}
	eval, err := compiled.Eval.Proto(nil, nil)
	if err != nil {
		return nil, err
	}
	manifest, err := json.MarshalIndent(o.manifest(m, compiled), "", "  ")
	if err != nil {
		return nil, err
	}
	config, err := json.MarshalIndent(m.Config.Fields(), "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]file{
		{artifacts.TrainingModel, train.Write},
		{artifacts.EvalModel, eval.Write},
		{artifacts.OptimizerModel, optimizerModel(o.AdamW.OrDefault()).Write},
		{artifacts.Checkpoint, func(w io.Writer) error { return writeCheckpoint(w, m.Graph.Parameters, weights) }},
		{artifacts.ManifestFile, writeBytes(append(manifest, '\n'))},
		{configFile, writeBytes(append(config, '\n'))},
	}, copiesOf(o.TokenizerFiles)...), nil
}

// manifest says what the graphs' inputs and outputs mean.
func (o TrainingOptions) manifest(m *graphs.Model, t *graphs.Training) artifacts.Manifest {
	c := m.Config
	out := artifacts.Manifest{
		Format: 1,
		Inputs: artifacts.Inputs{
			InputIDs: "input_ids", AttentionMask: "attention_mask", Labels: graphs.LabelsInput, Share: graphs.ShareInput,
		},
		Outputs: artifacts.Outputs{Loss: graphs.LossOutput, Logits: graphs.LogitsOutput},
		Model: artifacts.Model{
			Classes: c.NumLabels, HiddenSize: c.EmbeddingSize, VocabSize: c.VocabSize, MaxTokens: c.MaxTokens(),
			PadID: int64(c.PadTokenID), Dropout: o.Dropout, SpareVectors: true,
		},
		Tokenizer: ".", Config: configFile,
	}
	const types = "token_type_ids"
	if t.Train.Input(types) != nil {
		out.Inputs.TokenTypeIDs = types
	}
	if o.R3F {
		out.Inputs.Noise, out.Inputs.Lambda, out.Outputs.NoisedLogits = graphs.NoiseInput, graphs.LambdaInput, graphs.NoisedOutput
	}
	for _, mask := range t.Masks {
		out.Inputs.Masks = append(out.Inputs.Masks, mask.Name)
	}
	return out
}

// microsoft is the domain of ONNX Runtime's own operators.
const microsoft = "com.microsoft"

// The names by which the training API knows a parameter's gradient buffer and the flag that empties it.
const (
	bufferSuffix  = "_grad.accumulation.buffer"
	updatedSuffix = "_grad.accumulation.out"
	resetInput    = "lazy_reset_grad"
)

// trainingModel is the training graph with each gradient added to its parameter's accumulation buffer:
//
//	buffer ← gradient, or buffer + gradient where lazy_reset_grad is false
//
// Inputs are the graph's, the parameters, a buffer for each, then lazy_reset_grad; outputs the graph's, less its
// gradients, then a flag for each buffer. The training API reads their roles from these names.
func trainingModel(t *graphs.Training) (*onnxpb.Model, error) {
	p, err := t.Train.Proto(nil, nil)
	if err != nil {
		return nil, err
	}
	p.Domains = []onnxpb.Domain{{Name: microsoft, Version: 1}}
	g := &p.Graph
	g.Outputs = g.Outputs[:len(g.Outputs)-len(t.Gradients)]
	const float, boolean = int32(graphs.Float32), int32(graphs.Bool)
	one := []onnxpb.Dim{{Value: 1}}
	for i, parameter := range t.Train.Parameters {
		buffer := onnxpb.ValueInfo{Name: parameter.Name + bufferSuffix, ElemType: float}
		for _, size := range parameter.Shape.Sizes(0, 0) {
			buffer.Dims = append(buffer.Dims, onnxpb.Dim{Value: size})
		}
		updated := onnxpb.ValueInfo{Name: parameter.Name + updatedSuffix, ElemType: boolean, Dims: one}
		g.Inputs, g.Outputs = append(g.Inputs, buffer), append(g.Outputs, updated)
		g.Nodes = append(g.Nodes, onnxpb.Node{
			Name: fmt.Sprint("Accumulate_", i), Domain: microsoft, OpType: "InPlaceAccumulatorV2",
			Inputs: []string{buffer.Name, t.Gradients[i].Name, resetInput}, Outputs: []string{updated.Name},
		})
	}
	g.Inputs = append(g.Inputs, onnxpb.ValueInfo{Name: resetInput, ElemType: boolean, Dims: one})
	return p, nil
}

// optimizerModel is AdamW over all parameters. The training API wants exactly these inputs, and one such node.
//
// Mode 0 is torch.optim.AdamW's order, decay before the update.
func optimizerModel(a optim.AdamW) *onnxpb.Model {
	sequence := func(name string) onnxpb.ValueInfo {
		return onnxpb.ValueInfo{Name: name, ElemType: int32(graphs.Float32), Sequence: true}
	}
	one := []onnxpb.Dim{{Value: 1}}
	g := onnxpb.Graph{
		Name: "adamw",
		Inputs: []onnxpb.ValueInfo{
			{Name: "learning_rate", ElemType: int32(graphs.Float32), Dims: one}, {Name: "step", ElemType: int32(graphs.Int64), Dims: one},
			sequence("params"), sequence("gradients"), sequence("first_order_moments"), sequence("second_order_moments"),
		},
		Outputs: []onnxpb.ValueInfo{{Name: "updated_flag", ElemType: int32(graphs.Bool), Dims: one}},
	}
	node := onnxpb.Node{
		Name: "AdamW", Domain: microsoft, OpType: "AdamWOptimizer", Outputs: []string{"updated_flag"},
		Attributes: []onnxpb.Attribute{
			{Name: "alpha", Value: float32(a.Beta1)}, {Name: "beta", Value: float32(a.Beta2)}, {Name: "epsilon", Value: float32(a.Eps)},
			{Name: "weight_decay", Value: float32(a.WeightDecay)}, {Name: "correct_bias", Value: int64(1)}, {Name: "adam_mode", Value: int64(0)},
		},
	}
	for _, in := range g.Inputs {
		node.Inputs = append(node.Inputs, in.Name)
	}
	g.Nodes = []onnxpb.Node{node}
	return &onnxpb.Model{Producer: "r3f-ort", Opset: graphs.Opset, Domains: []onnxpb.Domain{{Name: microsoft, Version: 1}}, Graph: g}
}
