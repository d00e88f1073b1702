package importer

import (
	"slices"
	"strings"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// isModuleName reports a name that a PyTorch module gave its parameter, "encoder.layer.0.output.dense.weight", as
// against one that an exporter made up: "onnx::MatMul_364", "val_87", "/encoder/MatMul_output_0".
func isModuleName(name string) bool {
	return strings.Contains(name, ".") && !strings.ContainsAny(name, ":/")
}

// prefixes are what transformers puts before an encoder's parameters where a head is on it, by model_type.
var prefixes = map[string]string{
	"albert": "albert.", "bert": "bert.", "camembert": "roberta.", "deberta": "deberta.", "deberta-v2": "deberta.",
	"distilbert": "distilbert.", "electra": "electra.", "modernbert": "model.", "mpnet": "mpnet.", "roberta": "roberta.",
	"xlm-roberta": "roberta.",
}

// layers are the products with weight matrices, by matrix, and the vectors added to them, by product.
type layers struct {
	product map[*graphs.Value]*graphs.Value
	bias    map[*graphs.Value]*graphs.Value
}

func (im *importer) layers() layers {
	l := layers{map[*graphs.Value]*graphs.Value{}, map[*graphs.Value]*graphs.Value{}}
	for _, n := range im.graph.Nodes {
		switch n.Op {
		case "MatMul":
			if w := n.Inputs[1]; w.Kind == graphs.Parameter && l.product[w] == nil {
				l.product[w] = n.Outputs[0]
			}
		case "Add":
			for i, v := range n.Inputs {
				if b := n.Inputs[1-i]; b.Kind == graphs.Parameter && v.Kind == graphs.Result {
					l.bias[v] = b
				}
			}
		}
	}
	return l
}

// checkpointName is what transformers calls a parameter, and whether it has its transpose. Exporters fold the
// transposition of a linear layer into its weight and give it a name of their own; the layer is then known by the
// bias that is added to the product, or else by the module that the product's name in the file is a path of.
func (im *importer) checkpointName(l layers, p *graphs.Value) (name string, transposed, ok bool) {
	if isModuleName(p.Name) {
		return p.Name, false, true
	}
	product := l.product[p]
	if product == nil || len(p.Shape) != 2 {
		return "", false, false
	}
	if b := l.bias[product]; b != nil && isModuleName(b.Name) && strings.HasSuffix(b.Name, ".bias") {
		return strings.TrimSuffix(b.Name, "bias") + "weight", true, true
	}
	path := strings.Split(strings.TrimPrefix(im.origin[product], "/"), "/")
	if len(path) > 1 && strings.HasPrefix(path[len(path)-1], "MatMul") {
		return strings.Join(path[:len(path)-1], ".") + ".weight", true, true
	}
	return "", false, false
}

// checkpoint names all parameters as transformers does. It is nil where the file does not tell.
func (im *importer) checkpoint(prefix string, head []string) map[string]graphs.CheckpointName {
	out, taken := map[string]graphs.CheckpointName{}, map[string]bool{}
	l := im.layers()
	bare := prefix != "" && !slices.ContainsFunc(im.graph.Parameters, func(p *graphs.Value) bool {
		return strings.HasPrefix(p.Name, prefix) && !slices.Contains(head, p.Name)
	})
	for _, p := range im.graph.Parameters {
		name, transposed, ok := im.checkpointName(l, p)
		if !ok {
			return nil
		}
		if bare && !slices.Contains(head, p.Name) {
			name = prefix + name
		}
		if taken[name] {
			return nil
		}
		taken[name] = true
		out[p.Name] = graphs.CheckpointName{Name: name, Transposed: transposed}
	}
	return out
}
