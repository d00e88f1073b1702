package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// importer translates one file, node by node.
type importer struct {
	*graphs.Builder
	graph    *graphs.Graph
	model    *onnxpb.Model
	files    *onnxpb.Directory
	length   int // of the file in bytes
	values   map[string]*value
	weights  map[string]graphs.Weight
	inputs   map[string]*graphs.Value // by role
	counter  *graphs.Value            // 0, 1, …, T−1
	origin   map[*graphs.Value]string // name in the file of what a node computes
	tables   []table                  // float tables that rows are looked up in
	places   int                      // least number of rows of a table that is read by position; 0: none is
	dropouts int                      // Dropout nodes that the file has
	masks    map[maskKey]*graphs.Value
	listed   int // elements of all known content
	notes    []string
	err      error
}

// fail records the first error.
func (im *importer) fail(err error) {
	if im.err == nil {
		im.err = err
	}
}

// node is an ONNX node with its operands looked up.
type node struct {
	*onnxpb.Node
	in []*value // nil where an optional operand is absent
}

// NodeError reports a node that cannot be imported.
type NodeError struct {
	Name   string // of the node, or else of its first output
	Op     string // with its domain
	Opset  int64  // of the file
	Reason error
}

// Error names the node, what is wrong, and the operator set.
func (e *NodeError) Error() string {
	return fmt.Sprintf("importing node %q, %s (opset %d): %v", e.Name, e.Op, e.Opset, e.Reason)
}

// Unwrap returns the reason.
func (e *NodeError) Unwrap() error { return e.Reason }

func (im *importer) nodeError(n *onnxpb.Node, reason error) error {
	e := &NodeError{Name: n.Name, Op: domainName(n.Domain) + "." + n.OpType, Opset: im.model.Opset, Reason: reason}
	if e.Name == "" && len(n.Outputs) > 0 {
		e.Name = n.Outputs[0]
	}
	return e
}

func domainName(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

// supported fails where an operator of the file has no rule, and names the first node of every one.
func (im *importer) supported() error {
	var errs []error
	seen := map[string]bool{}
	for i := range im.model.Graph.Nodes {
		n := &im.model.Graph.Nodes[i]
		_, err := lookup(n.Domain, n.OpType, im.model.Opset)
		for _, a := range n.Attributes {
			if _, ok := a.Value.(onnxpb.Subgraph); ok && err == nil {
				err = fmt.Errorf("attribute %q is a subgraph: control flow cannot be differentiated; export the encoder with fixed structure (torch.onnx.export without scripting, one task, no generation)", a.Name)
			}
		}
		if name := domainName(n.Domain) + "." + n.OpType; err != nil && !seen[name] {
			seen[name] = true
			errs = append(errs, im.nodeError(n, err))
		}
	}
	return errors.Join(errs...)
}

// translate imports all nodes in order.
func (im *importer) translate() error {
	for i := range im.model.Graph.Nodes {
		n := &im.model.Graph.Nodes[i]
		if err := im.node(n); err != nil {
			return im.nodeError(n, err)
		}
	}
	return nil
}

func (im *importer) node(n *onnxpb.Node) error {
	rule, err := lookup(n.Domain, n.OpType, im.model.Opset)
	if err != nil {
		return err
	}
	in := make([]*value, len(n.Inputs))
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		if in[i] = im.values[name]; in[i] == nil {
			return fmt.Errorf("operand %q is computed nowhere before", name)
		}
	}
	for i := range rule.operands {
		if i >= len(in) || in[i] == nil {
			return fmt.Errorf("operand %d is missing", i)
		}
	}
	if len(n.Outputs) == 0 {
		return nil
	}
	out, err := rule.translate(im, &node{n, in})
	if err == nil {
		err = im.err
	}
	if err == nil {
		err = im.Err()
	}
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if im.values[name] != nil {
			return fmt.Errorf("output %q is computed twice", name)
		}
		if i >= len(out) || out[i] == nil { // such as the mask of Dropout; it must not be read
			continue
		}
		if err := im.affordable(out[i]); err != nil {
			return err
		}
		im.values[name] = im.named(out[i], name)
	}
	return nil
}

// Bounds on what a file of a given size may make the importer hold.
const (
	maxRank       = 16
	spareElements = 1 << 16 // of known content, beyond one for every eight bytes of the file
)

// affordable refuses results that only a file made to exhaust memory has.
func (im *importer) affordable(v *value) error {
	if len(v.shape) > maxRank {
		return fmt.Errorf("its result has %d dimensions; %d at most are read", len(v.shape), maxRank)
	}
	if v.known != nil {
		im.listed += len(v.known.elems)
	}
	if im.listed > spareElements+im.length/8 {
		return fmt.Errorf("the file has more shape arithmetic than an encoder of its size")
	}
	return nil
}

// named gives a result its name in the file. The same tensor may have several.
func (im *importer) named(v *value, name string) *value {
	if v.compact != nil && v.compact.Kind == graphs.Result && im.origin[v.compact] == "" {
		im.origin[v.compact] = name
	}
	if v.name == "" {
		v.name = name
	}
	return v
}

// Attributes by name, with a default.

func (n *node) attribute(name string) any {
	for _, a := range n.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return nil
}

func (n *node) int(name string, def int64) int64 {
	if v, ok := n.attribute(name).(int64); ok {
		return v
	}
	return def
}

func (n *node) float(name string, def float64) float64 {
	if v, ok := n.attribute(name).(float32); ok {
		return float64(v)
	}
	return def
}

func (n *node) text(name, def string) string {
	if v, ok := n.attribute(name).(string); ok {
		return v
	}
	return def
}

// operand returns operand i, or nil.
func (n *node) operand(i int) *value {
	if i < len(n.in) {
		return n.in[i]
	}
	return nil
}

// ints returns integers that are an attribute up to some opset and an operand from it on; ok says that they are given.
func (n *node) ints(attribute string, operand int) (list []int64, ok bool, err error) {
	if v, given := n.attribute(attribute).([]int64); given {
		return v, true, nil
	}
	v := n.operand(operand)
	if v == nil {
		return nil, false, nil
	}
	if v.known == nil {
		return nil, false, fmt.Errorf("%s, operand %d, is computed from the batch; it must be known beforehand", attribute, operand)
	}
	numbers, ok := v.known.constants()
	if !ok {
		return nil, false, fmt.Errorf("%s, operand %d, depends on the batch; it must be constant", attribute, operand)
	}
	for _, x := range numbers {
		list = append(list, int64(x))
	}
	return list, true, nil
}

// axis turns a possibly negative axis into an index.
func axis(a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside a tensor of %d dimensions", a, rank)
	}
	return int(a), nil
}

// axes turns axes into sorted indices.
func axes(list []int64, rank int) ([]int, error) {
	var out []int
	for _, a := range list {
		k, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, k) {
			return nil, fmt.Errorf("axes %v name a dimension twice", list)
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out, nil
}
