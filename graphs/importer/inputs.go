package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

// The batch inputs of an encoder, by the names that transformers gives them.
const (
	inputIDs      = "input_ids"
	attentionMask = "attention_mask"
	tokenTypeIDs  = "token_type_ids"
	positionIDs   = "position_ids"
)

// aliases are what other exporters call the batch inputs.
var aliases = map[string]string{
	"input_mask": attentionMask, "mask": attentionMask, "segment_ids": tokenTypeIDs, "input_type_ids": tokenTypeIDs, "tokens": inputIDs, "ids": inputIDs,
}

// declare binds the file's inputs to the batch: token ids, mask and types are fed, position ids are 0, 1, …, T−1.
func (im *importer) declare() error {
	initialised := map[string]bool{}
	for i := range im.model.Graph.Initializers {
		initialised[im.model.Graph.Initializers[i].Name] = true
	}
	byRole := map[string]onnxpb.ValueInfo{}
	for _, in := range im.model.Graph.Inputs {
		if initialised[in.Name] { // before IR version 4 parameters are inputs too
			continue
		}
		role := in.Name
		if a, ok := aliases[role]; ok {
			role = a
		}
		if !slices.Contains([]string{inputIDs, attentionMask, tokenTypeIDs, positionIDs}, role) {
			return fmt.Errorf("its input %q is none that an encoder has; the inputs may be input_ids, attention_mask, token_type_ids and position_ids", in.Name)
		}
		if _, twice := byRole[role]; twice {
			return fmt.Errorf("two of its inputs are %s", role)
		}
		if err := checkInput(in); err != nil {
			return err
		}
		byRole[role] = in
	}
	batch := graphs.Shape{graphs.Batch, graphs.Tokens}
	for _, role := range []string{inputIDs, attentionMask, tokenTypeIDs, positionIDs} {
		in, ok := byRole[role]
		switch {
		case !ok && role == inputIDs:
			return fmt.Errorf("it has no input input_ids; an encoder that reads token ids is needed, not embeddings or pixels")
		case !ok && role != attentionMask:
		case role == positionIDs:
			im.values[in.Name] = folded(ramp(batch, nil, number(1)), graphs.Int64)
		default:
			v := im.Input(role, graphs.Int64, batch...)
			im.inputs[role] = v
			if ok {
				im.values[in.Name] = &value{name: in.Name, dtype: graphs.Int64, shape: batch, compact: v}
			}
		}
	}
	return nil
}

// checkInput refuses an input that does not take any batch of token ids.
func checkInput(in onnxpb.ValueInfo) error {
	t, err := elementType(in.ElemType)
	if err != nil || t != graphs.Int64 {
		return fmt.Errorf("its input %q has element type %d; integers are needed", in.Name, in.ElemType)
	}
	if len(in.Dims) != 2 {
		return fmt.Errorf("its input %q has %d dimensions; two are needed, batch and tokens", in.Name, len(in.Dims))
	}
	for i, what := range []string{"batch size", "number of tokens"} {
		if in.Dims[i].Param == "" && in.Dims[i].Value != 0 {
			return fmt.Errorf("its input %q is fixed to a %s of %d; export with dynamic axes for batch and tokens (dynamic_axes or dynamic_shapes of torch.onnx.export)", in.Name, what, in.Dims[i].Value)
		}
	}
	return nil
}

// table is a lookup Gather(table, index) of rows of a float initialiser.
type table struct {
	name  string
	value *graphs.Value
	index *graphs.Value
}

// wordEmbedding finds the table that the token ids look rows up in, or checks the one that the user names.
func (im *importer) wordEmbedding(wanted string) (table, error) {
	var found []table
	var candidates []string
	for _, t := range im.tables {
		if t.value.Kind != graphs.Parameter {
			continue
		}
		if !slices.Contains(candidates, t.name) {
			candidates = append(candidates, t.name)
		}
		if t.name == wanted || wanted == "" && t.index == im.inputs[inputIDs] {
			found = append(found, t)
		}
	}
	list := strings.Join(candidates, ", ")
	if list == "" {
		list = "none"
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1 && wanted != "":
		return table{}, fmt.Errorf("rows of %q are looked up %d times; noise needs one lookup", wanted, len(found))
	case len(found) > 1:
		return table{}, fmt.Errorf("token ids are looked up in %d tables: name the word embedding with --embedding; tables that rows are looked up in: %s", len(found), list)
	case wanted != "":
		return table{}, fmt.Errorf("--embedding %q is no table that rows are looked up in; such tables: %s", wanted, list)
	}
	return table{}, fmt.Errorf("no table is looked up by input_ids itself: name the word embedding with --embedding; tables that rows are looked up in: %s", list)
}
