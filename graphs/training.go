package graphs

import (
	"fmt"
	"slices"
)

// The inputs and outputs of a training graph that a compiled [Program] has not: its loss is in the graph.
const (
	LabelsInput  = "labels" // [B]: int64 classes, or float32 targets of a regression
	LambdaInput  = "lambda" // [1]: weight of the R3F term
	ShareInput   = "share"  // [1]: factor of the loss, the batch's examples over those of the whole update
	LossOutput   = "loss"   // [1]
	LogitsOutput = "logits" // [B, K], of the clean pass
	NoisedOutput = "noised" // [B, K], of the second pass
)

// TrainingOptions choose the loss that a training graph computes.
type TrainingOptions struct {
	// R3F adds λ times the R3F term, with inputs "noise" and "lambda", to the task loss of the clean pass.
	R3F bool
	// Dropout is the drop probability of every site, fed as inputs MaskPrefix+"0", "1", …; 0 removes the sites.
	Dropout float64
}

// Training is a model with its loss as two graphs: what a runtime needs that computes loss and gradients in one call.
type Training struct {
	// Train computes share·(task + λ·R3F) from the batch, and its gradients. Outputs: "loss", "logits", with R3F
	// "noised", then "<parameter>_grad" for every parameter, in order. Inputs: the model's, "noise" and "lambda"
	// with R3F, "labels", "share", and the dropout masks.
	Train *Graph
	// Eval computes the task loss and the logits without dropout and noise. Inputs: the model's and "labels".
	Eval *Graph
	// Masks are the dropout sites' inputs of Train in order.
	Masks []*Value
	// Gradients are Train's last outputs, one for each parameter, in order.
	Gradients []*Value
}

// CompileTraining writes the model's loss and its gradients as graphs. With B examples, clean logits a, noised logits
// b, p = softmax a, q = softmax b and labels y:
//
//	classification  task = (1/B)·Σ_b −log p[b,y_b]     R3F = (1/B)·Σ_b Σ_k (p−q)·(log p − log q)
//	regression      task = (1/B)·Σ_b (a_b − y_b)²      R3F = (1/B)·Σ_b (a_b − b_b)²
//	loss = share·(task + λ·R3F)
//
// in float32. A label outside 0 … K−1 counts as no class: its task loss is 0.
//
// Shapes: a, b [B, K]; y [B].
// Source: Aghajanyan et al. 2020, arXiv 2008.03156, equation 2. Differs: the published code has no term for regression.
func (m *Model) CompileTraining(o TrainingOptions) (*Training, error) {
	t := &Training{}
	if err := t.compileTrain(m, o); err != nil {
		return nil, fmt.Errorf("compiling the training graph of %s: %w", m.Graph.Name, err)
	}
	if err := t.compileEval(m); err != nil {
		return nil, fmt.Errorf("compiling the evaluation graph of %s: %w", m.Graph.Name, err)
	}
	return t, nil
}

func (t *Training) compileTrain(m *Model, o TrainingOptions) error {
	g, b, err := m.extend(Options{Doubled: o.R3F, Dropout: o.Dropout}, ".training")
	if err != nil {
		return err
	}
	regression := m.Config.NumLabels == 1
	inputs := g.Inputs
	g.Inputs, t.Masks = nil, nil
	for _, in := range inputs {
		if in.DType == Uint8 {
			t.Masks = append(t.Masks, in)
		} else {
			g.Inputs = append(g.Inputs, in)
		}
	}
	logits, labels := g.Outputs[0], b.labels(regression)
	var noised, loss *Value
	if o.R3F {
		logits.Name = ""
		logits, noised = b.half(logits, 0), b.half(logits, 1)
		term := b.Mul(b.factor(LambdaInput), b.divergence(logits, noised, regression))
		loss = b.Add(b.task(logits, labels, regression), term)
	} else {
		loss = b.task(logits, labels, regression)
	}
	loss = b.Mul(loss, b.factor(ShareInput))
	g.Inputs = append(g.Inputs, t.Masks...)
	grads, err := b.Differentiate(loss, b.Scalar(1), g.Parameters)
	if err != nil {
		return err
	}
	g.Outputs = nil
	b.output(LossOutput, b.vector(loss))
	b.output(LogitsOutput, logits)
	if noised != nil {
		b.output(NoisedOutput, noised)
	}
	for _, p := range g.Parameters {
		d := b.dense(grads, p)
		if d == nil {
			return fmt.Errorf("the loss does not depend on parameter %q %v", p.Name, p.Shape)
		}
		t.Gradients = append(t.Gradients, b.output(p.Name+"_grad", d))
	}
	t.Train, err = b.trimmed(m, g)
	return err
}

func (t *Training) compileEval(m *Model) error {
	g, b, err := m.extend(Options{}, ".evaluation")
	if err != nil {
		return err
	}
	logits, regression := g.Outputs[0], m.Config.NumLabels == 1
	g.Outputs = nil
	b.output(LossOutput, b.vector(b.task(logits, b.labels(regression), regression)))
	b.output(LogitsOutput, logits)
	t.Eval, err = b.trimmed(m, g)
	return err
}

// extend prepares the model's graph and returns a copy with a builder that appends to it.
func (m *Model) extend(o Options, suffix string) (*Graph, *Builder, error) {
	prepared, err := m.Prepare(o, nil)
	if err != nil {
		return nil, nil, err
	}
	g := *prepared
	g.Name += suffix
	g.Inputs, g.Nodes = slices.Clone(g.Inputs), slices.Clone(g.Nodes)
	return &g, NewBuilder(&g), nil
}

// trimmed is g without the nodes that no output needs.
func (b *Builder) trimmed(m *Model, g *Graph) (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	out, err := passDead(g, m, Options{})
	if err != nil {
		return nil, err
	}
	return out, Check(out)
}

// output makes v an output of that name, through a node of its own where v has another name or is no node's.
func (b *Builder) output(name string, v *Value) *Value {
	if v.Kind != Result || v.Name != "" && v.Name != name {
		v = b.Op("StopGradient", nil, v)
	}
	v.Name = name
	b.g.Outputs = append(b.g.Outputs, v)
	return v
}

// labels declares the labels, [B].
func (b *Builder) labels(regression bool) *Value {
	if regression {
		return b.Input(LabelsInput, Float32, Batch)
	}
	return b.Input(LabelsInput, Int64, Batch)
}

// factor declares a number. Numbers go in and out as vectors of one element, which every binding can make.
func (b *Builder) factor(name string) *Value {
	return b.Reshape(b.Input(name, Float32, Static(1)), Shape{})
}

// vector is a number as a vector of one element.
func (b *Builder) vector(x *Value) *Value { return b.Reshape(x, StaticShape(1)) }

// half is the clean (0) or the noised (1) half of doubled logits [2B, K].
func (b *Builder) half(both *Value, which int) *Value {
	from := b.Ints(0)
	if which > 0 {
		from = b.dim(Batch)
	}
	end := Batch
	end.Coef = which + 1
	return b.Op("Slice", Attrs{"to": Shape{Batch, both.Shape[1]}}, both, from, b.dim(end), b.Ints(0))
}

// task is the task loss, cross-entropy or squared error, averaged over the batch.
func (b *Builder) task(logits, labels *Value, regression bool) *Value {
	if regression {
		return b.squaredError(b.Reshape(logits, Shape{Batch}), labels)
	}
	classes := make([]int64, logits.Shape[1].Coef)
	for k := range classes {
		classes[k] = int64(k)
	}
	hit := b.Op("Equal", nil, b.Unsqueeze(labels, 1), b.Ints(classes...))
	chosen := b.Mul(b.logSoftmax(logits), b.Op("Cast", Attrs{"to": int64(Float32)}, hit))
	return b.Op("Neg", nil, b.Mean(b.Sum(chosen, false, 1), false, 0))
}

// divergence is the R3F term: the symmetric KL divergence, or the squared difference of a regression, averaged over
// the batch.
func (b *Builder) divergence(clean, noised *Value, regression bool) *Value {
	if regression {
		return b.squaredError(b.Reshape(clean, Shape{Batch}), b.Reshape(noised, Shape{Batch}))
	}
	logP, logQ := b.logSoftmax(clean), b.logSoftmax(noised)
	difference := b.Sub(b.Op("Exp", nil, logP), b.Op("Exp", nil, logQ))
	return b.Mean(b.Sum(b.Mul(difference, b.Sub(logP, logQ)), false, 1), false, 0)
}

func (b *Builder) squaredError(x, y *Value) *Value {
	e := b.Sub(x, y)
	return b.Mean(b.Mul(e, e), false, 0)
}

func (b *Builder) logSoftmax(x *Value) *Value {
	return b.Op("LogSoftmax", Attrs{"axis": int64(-1)}, x)
}

// dense is a parameter's gradient as one tensor, its rows added up, or nil where it has none.
func (b *Builder) dense(grads *Gradients, p *Value) *Value {
	sum := grads.Dense[p]
	for _, r := range grads.Rows[p] {
		d := b.scatterRows(p.Shape, r.Indices, r.Rows)
		if sum != nil {
			d = b.Add(sum, d)
		}
		sum = d
	}
	return sum
}
