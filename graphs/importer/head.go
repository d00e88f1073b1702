package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/rng"
)

// head is what turns hidden states into logits.
type head struct {
	im          *importer
	options     Options
	config      *graphs.Config
	prefix      string // of new tensors, as transformers names the model's own
	matrices    []string
	initialised []string
}

// outputs are what the file offers to put a head on: the best of each kind, or nil.
type outputs struct {
	logits, pooled, hidden *value
}

// find sorts the file's outputs: logits [B, K], a pooled vector [B, C], hidden states [B, T, C].
func (im *importer) find() (outputs, error) {
	var out outputs
	better := func(old *value, v *value, names ...string) *value {
		if old == nil || slices.Contains(names, v.name) {
			return v
		}
		return old
	}
	var seen []string
	for _, o := range im.model.Graph.Outputs {
		v := im.values[o.Name]
		if v == nil {
			return out, fmt.Errorf("its output %q is computed nowhere", o.Name)
		}
		v = &value{name: o.Name, dtype: v.dtype, shape: v.shape, known: v.known, compact: v.compact, tensor: v.tensor}
		seen = append(seen, fmt.Sprintf("%s %v", o.Name, v.shape))
		rank := len(v.shape)
		if v.dtype != graphs.Float32 || v.known != nil || v.tensor != nil || rank < 2 || v.shape[0] != graphs.Batch || !v.shape[rank-1].IsStatic() {
			continue
		}
		switch {
		case rank == 3 && v.shape[1] == graphs.Tokens:
			out.hidden = better(out.hidden, v, "last_hidden_state", "hidden_states")
		case rank == 2 && (v.name == "logits" || !poolsByName(v.name) && im.linear(v.compact) != nil):
			out.logits = better(out.logits, v, "logits")
		case rank == 2:
			out.pooled = better(out.pooled, v, "pooler_output")
		}
	}
	if out == (outputs{}) {
		return out, fmt.Errorf("none of its outputs is hidden states [batch, tokens, width] or logits [batch, labels] of the token ids; outputs: %s", strings.Join(seen, ", "))
	}
	return out, nil
}

func poolsByName(name string) bool {
	return strings.Contains(name, "pool") || strings.Contains(name, "embedding")
}

// linear is y = x·W + b read back.
type linear struct {
	x, weight, bias *graphs.Value
	transposed      bool // weight is stored as [out, in]
}

// linear recognises y as the product with a weight matrix, with or without a bias.
func (im *importer) linear(y *graphs.Value) *linear {
	l := &linear{}
	product := producedBy(y, "MatMul")
	if add := producedBy(y, "Add"); add != nil {
		for i, b := range add.Inputs {
			if p := producedBy(add.Inputs[1-i], "MatMul"); p != nil && b.Kind == graphs.Parameter && len(b.Shape) == 1 {
				product, l.bias = p, b
			}
		}
	}
	if product == nil {
		return nil
	}
	l.x, l.weight = product.Inputs[0], product.Inputs[1]
	if t := producedBy(l.weight, "Transpose"); t != nil {
		l.weight, l.transposed = t.Inputs[0], true
	}
	if l.weight.Kind != graphs.Parameter || len(l.weight.Shape) != 2 {
		return nil
	}
	return l
}

// build puts the head on and returns the logits.
func (h *head) build(out outputs) (*graphs.Value, error) {
	im := h.im
	if out.logits != nil {
		if l := im.linear(im.whole(out.logits)); l != nil {
			h.upstream(l.x)
			return h.classifier("classifier", l.x, l)
		}
	}
	if out.hidden != nil && out.hidden.name == "logits" { // one for each token
		l := im.linear(im.whole(out.hidden))
		if l == nil || l.x.Shape[len(l.x.Shape)-1].Is(h.config.EmbeddingSize) && out.hidden.shape[2].Is(h.config.VocabSize) {
			return nil, fmt.Errorf("its logits predict tokens: export the encoder itself (AutoModel, task feature-extraction)")
		}
		im.notes = append(im.notes, fmt.Sprintf("the head for each token (%s) is left away", l.weight.Name))
		out.hidden, out.pooled = computed(l.x, l.x.Shape), nil
	}
	switch {
	case out.pooled != nil && (out.hidden == nil || out.pooled.name == "pooler_output"):
		x := im.whole(out.pooled)
		h.upstream(x)
		return h.classifier("classifier", x, nil)
	case out.hidden != nil:
		return h.onHidden(im.whole(out.hidden))
	}
	return nil, fmt.Errorf("its logits are no product with a weight matrix; export the encoder itself (AutoModel, task feature-extraction)")
}

// pooler is a head over the first token, x ↦ drop(act(x·Wᵀ + b)) for the classifier, as transformers builds and names it.
type pooler struct {
	dense, activation string
	dropped           bool // x is dropped, too
	classifier        string
}

// poolers are those of model types whose head is not BERT's.
var poolers = map[string]pooler{
	"albert":      {"albert.pooler", "Tanh", false, "classifier"},
	"camembert":   {"classifier.dense", "Tanh", true, "classifier.out_proj"},
	"deberta":     {"pooler.dense", "Gelu", true, "classifier"},
	"deberta-v2":  {"pooler.dense", "Gelu", true, "classifier"},
	"distilbert":  {"pre_classifier", "Relu", false, "classifier"},
	"electra":     {"classifier.dense", "Gelu", true, "classifier.out_proj"},
	"mpnet":       {"classifier.dense", "Tanh", true, "classifier.out_proj"},
	"roberta":     {"classifier.dense", "Tanh", true, "classifier.out_proj"},
	"xlm-roberta": {"classifier.dense", "Tanh", true, "classifier.out_proj"},
}

// onHidden puts the pooler of the model's type on hidden states, BERT's where that is unknown.
func (h *head) onHidden(x *graphs.Value) (*graphs.Value, error) {
	im := h.im
	first := im.Op("Gather", graphs.Attrs{"axis": int64(1)}, x, im.Const(graphs.Int64, nil, 0))
	width := first.Shape[len(first.Shape)-1].Coef
	held := 0
	for _, w := range im.weights {
		held += len(w.Data)
	}
	if width > 1<<16 || width*width > 1<<20+16*held {
		return nil, fmt.Errorf("hidden states of width %d in a model of %d weights", width, held)
	}
	p, ok := poolers[h.config.ModelType]
	if !ok {
		p = pooler{h.prefix + "pooler.dense", "Tanh", false, "classifier"}
	}
	if p.dropped {
		first = im.Op("Dropout", nil, first)
		if im.dropouts == 0 {
			im.notes = append(im.notes, "dropout before the pooler")
		}
	}
	name := h.fresh(p.dense)
	w := h.draw(name+".weight", width, width)
	pooled := im.Op(p.activation, nil, im.Add(im.MatMul(first, im.Transpose(w, 1, 0)), h.draw(name+".bias", width)))
	h.matrices = append(h.matrices, w.Name)
	return h.classifier(p.classifier, pooled, nil)
}

// classifier is drop(x)·Wᵀ + b with W [K, C], from the file where old is a classifier of as many labels; it then keeps
// its name.
func (h *head) classifier(name string, x *graphs.Value, old *linear) (*graphs.Value, error) {
	im := h.im
	width, labels := x.Shape[len(x.Shape)-1].Coef, h.options.Labels
	if len(x.Shape) != 2 || width < 1 || width > 1<<16 || labels > 1<<20 {
		return nil, fmt.Errorf("a classifier of %d labels does not go on features of shape %v", labels, x.Shape)
	}
	var weight, bias []float32
	if old != nil {
		if own, _, ok := im.checkpointName(im.layers(), old.weight); ok {
			name = strings.TrimSuffix(own, ".weight")
		}
		weight, bias = h.reuse(old)
	}
	if producedBy(x, "Dropout") == nil {
		x = im.Op("Dropout", nil, x)
		if im.dropouts == 0 {
			im.notes = append(im.notes, "dropout before the classifier")
		}
	}
	name = h.fresh(name)
	w, b := h.draw(name+".weight", labels, width), h.draw(name+".bias", labels)
	if weight != nil {
		h.set(w.Name, weight)
		if bias != nil {
			h.set(b.Name, bias)
		}
	}
	h.matrices = append(h.matrices, w.Name)
	return im.Add(im.MatMul(x, im.Transpose(w, 1, 0)), b), nil
}

// reuse takes the exported classifier out of the graph and returns its tensors, [K, C] and [K], if the labels are as
// many as they are to be.
func (h *head) reuse(old *linear) (weight, bias []float32) {
	im := h.im
	w := im.weights[old.weight.Name]
	rows, columns := w.Shape[0], w.Shape[1]
	weight = w.Data
	if !old.transposed {
		weight = transposed(w.Data, rows, columns)
		rows = columns
	}
	h.forget(old.weight)
	if old.bias != nil {
		bias = im.weights[old.bias.Name].Data
		h.forget(old.bias)
	}
	if rows != h.options.Labels {
		im.notes = append(im.notes, fmt.Sprintf("the exported classifier has %d labels, not %d: a new one takes its place", rows, h.options.Labels))
		return nil, nil
	}
	return weight, bias
}

// transposed is a [rows, columns] matrix as [columns, rows].
func transposed(x []float32, rows, columns int) []float32 {
	out := make([]float32, len(x))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = x[i*columns+j]
		}
	}
	return out
}

// forget removes a parameter that a new one replaces.
func (h *head) forget(p *graphs.Value) {
	h.im.graph.Parameters = slices.DeleteFunc(h.im.graph.Parameters, func(v *graphs.Value) bool { return v == p })
	delete(h.im.weights, p.Name)
}

// fresh is a module name that no tensor of the file has.
func (h *head) fresh(name string) string {
	for h.im.graph.Parameter(name+".weight") != nil || h.im.graph.Parameter(name+".bias") != nil {
		name = "new." + name
	}
	return name
}

// draw declares a new parameter: N(0, range²) for a matrix, 0 for a vector, keyed by the seed and the name.
func (h *head) draw(name string, dims ...int) *graphs.Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	w := graphs.Weight{Name: name, Shape: dims, Data: make([]float32, n)}
	if len(dims) > 1 {
		rng.New(h.options.Seed, 0, "init."+name).Normal32(w.Data, float32(h.config.InitializerRange))
	}
	h.im.weights[name] = w
	h.initialised = append(h.initialised, name)
	return h.im.Parameter(name, dims...)
}

// set gives a parameter that was drawn the file's values.
func (h *head) set(name string, data []float32) {
	w := h.im.weights[name]
	w.Data = data
	h.im.weights[name] = w
	h.initialised = slices.DeleteFunc(h.initialised, func(n string) bool { return n == name })
}

// upstream collects the weight matrices between the hidden states and x [B, C], from the encoder outwards.
func (h *head) upstream(x *graphs.Value) {
	for len(x.Shape) == 2 {
		if l := h.im.linear(x); l != nil {
			h.matrices = slices.Insert(h.matrices, 0, l.weight.Name)
			x = l.x
			continue
		}
		n := x.Producer
		if n == nil || !slices.Contains([]string{"Tanh", "Dropout", "Relu", "Gelu", "LayerNormalization"}, n.Op) {
			return
		}
		x = n.Inputs[0]
	}
}
