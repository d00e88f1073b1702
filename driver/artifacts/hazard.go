package artifacts

import (
	"fmt"
	"slices"
	"strings"
)

// CheckGathers refuses a training graph whose gradient of a table of position embeddings is not summed over the batch.
//
// Position embeddings are gathered once, as [1, T, C], and added to [B, T, C]. Where the batch axis is free, ONNX
// Runtime's gradient builder (1.19) does not see that the sum broadcast, and hands the gradient [B, T, C] to GatherGrad
// with the indices [1, T]: it reads B·T of them, beyond their end, and writes wherever they point. Small batches train
// wrongly, larger ones corrupt the heap.
//
// Indices of constants alone, through any number of slices, are the sign; a ReduceSum on the gradient's way is what is
// missing.
func (s *Signature) CheckGathers() error {
	producer := map[string]Node{}
	for _, n := range s.Nodes {
		for _, out := range n.Outputs {
			producer[out] = n
		}
	}
	for _, n := range s.Nodes {
		if n.OpType != "InPlaceAccumulatorV2" || len(n.Inputs) < 2 {
			continue
		}
		g := producer[origin(producer, n.Inputs[1])]
		if g.OpType != "GatherGrad" || len(g.Inputs) < 3 || !s.constant(producer, g.Inputs[1]) || producer[origin(producer, g.Inputs[2])].OpType == "ReduceSum" {
			continue
		}
		table := strings.TrimSuffix(n.Inputs[0], "_grad.accumulation.buffer")
		return fmt.Errorf("%w: the gradient of %s, which is gathered once for all examples, is not summed over them and would be written outside its memory, "+
			"a fault of ONNX Runtime's gradient builder where the batch axis is free; generate the artifacts with frozen_params=[%q], "+
			"or use r3f-ort export --format ort-training, whose artifacts train it", ErrArtifacts, table, table)
	}
	return nil
}

// unchanged are operators that hand their first input's elements on.
var unchanged = []string{"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze"}

// origin follows a value up through operators that leave its elements alone.
func origin(producer map[string]Node, name string) string {
	for range len(producer) {
		n := producer[name]
		if !slices.Contains(unchanged, n.OpType) || len(n.Inputs) == 0 {
			break
		}
		name = n.Inputs[0]
	}
	return name
}

// constant reports whether a value's data comes from constants alone.
func (s *Signature) constant(producer map[string]Node, name string) bool {
	for range len(s.Nodes) + 1 {
		name = origin(producer, name)
		n, computed := producer[name]
		switch {
		case !computed:
			return !slices.ContainsFunc(s.Inputs, func(v Value) bool { return v.Name == name })
		case n.OpType == "Slice" && len(n.Inputs) > 0:
			name = n.Inputs[0]
		default:
			return n.OpType == "Constant" || n.OpType == "Range"
		}
	}
	return false
}
