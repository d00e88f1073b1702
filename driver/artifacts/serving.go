package artifacts

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/internal/wire"
)

// ServingModel rewrites the evaluation graph, as the training API exports it with its parameters, into what serves: its
// inputs are input_ids, attention_mask and token_type_ids, int64 [B, T], whatever they were called and of whatever
// type, and what only training feeds becomes a constant: no noise, λ = 0. Its one output are the logits [B, K].
func (m *Manifest) ServingModel(data []byte) ([]byte, error) {
	if m.Inputs.Noise != "" && m.Outputs.NoisedLogits == "" {
		return nil, fmt.Errorf("%w: the logits are those of two passes; give the clean ones an output of their own", ErrArtifacts)
	}
	s, err := parseSignature(data)
	if err != nil {
		return nil, fmt.Errorf("%w: the exported evaluation graph: %w", ErrArtifacts, err)
	}
	w := &serving{rename: map[string]string{}}
	for _, in := range s.Inputs {
		if err := m.serve(w, in); err != nil {
			return nil, fmt.Errorf("%w: the exported evaluation graph: %w", ErrArtifacts, err)
		}
	}
	for _, n := range s.Nodes {
		for _, out := range n.Outputs {
			if slices.Contains(w.fed, out) {
				return nil, fmt.Errorf("%w: the evaluation graph calls a value of its own %q", ErrArtifacts, out)
			}
		}
	}
	var out []byte
	w.output = valueProto(m.Outputs.Logits, 1, "B", int64(m.Model.Classes))
	err = wire.Walk(data, func(f wire.Field) error {
		if f.Number == 7 {
			graph, err := w.graph(f.Bytes)
			out = appendBytes(out, 7, graph)
			return err
		}
		out = appendField(out, f)
		return nil
	})
	return out, err
}

// serving is a graph being rewritten.
type serving struct {
	fed          []string          // inputs that serve
	inputs       [][]byte          // as ValueInfoProto
	output       []byte            // likewise
	casts        [][]byte          // nodes from what is fed to what the graph takes
	initializers [][]byte          // constants in place of other inputs
	rename       map[string]string // what nodes read instead of a former input
}

// serve decides what becomes of one input.
func (m *Manifest) serve(w *serving, in Value) error {
	constant := func(rank int, x float32) {
		w.initializers = append(w.initializers, tensorProto(in.Name, rank, x))
	}
	role := Role("")
	for _, r := range rolesTable {
		if r.name(&m.Inputs) == in.Name {
			role = r.role
		}
	}
	switch role {
	case InputIDs, AttentionMask, TokenTypeIDs:
	case Noise:
		constant(3, 0) // [1, 1, 1] broadcasts
		return nil
	case Lambda:
		constant(len(in.Dims), 0)
		return nil
	case Share:
		constant(len(in.Dims), 1)
		return nil
	default:
		return fmt.Errorf("its logits depend on input %s, which nothing feeds when it serves", in)
	}
	name := string(role)
	w.fed = append(w.fed, name)
	w.inputs = append(w.inputs, valueProto(name, 7, "B", "T"))
	if in.Name == name && in.ElemType == 7 {
		return nil
	}
	w.rename[in.Name] = name
	if in.ElemType != 7 {
		w.rename[in.Name] = name + "/cast"
		w.casts = append(w.casts, castProto(name, name+"/cast", in.ElemType))
	}
	return nil
}

// graph rewrites a GraphProto: casts go before all nodes.
func (w *serving) graph(data []byte) ([]byte, error) {
	var out []byte
	for _, c := range w.casts {
		out = appendBytes(out, 1, c)
	}
	for _, i := range w.initializers {
		out = appendBytes(out, 5, i)
	}
	for _, i := range w.inputs {
		out = appendBytes(out, 11, i)
	}
	err := wire.Walk(data, func(f wire.Field) error {
		switch f.Number {
		case 1:
			node, err := w.node(f.Bytes)
			out = appendBytes(out, 1, node)
			return err
		case 11: // replaced
		case 12:
			out = appendBytes(out, 12, w.output)
		default:
			out = appendField(out, f)
		}
		return nil
	})
	return out, err
}

// node rewrites a NodeProto's inputs.
func (w *serving) node(data []byte) ([]byte, error) {
	var out []byte
	err := wire.Walk(data, func(f wire.Field) error {
		if to, renamed := w.rename[string(f.Bytes)]; f.Number == 1 && renamed {
			f.Bytes = []byte(to)
		}
		out = appendField(out, f)
		return nil
	})
	return out, err
}

func appendBytes(out []byte, n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(out, n, protowire.BytesType), b)
}

func appendVarint(out []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(out, n, protowire.VarintType), v)
}

// appendField writes a field of a model, graph or node: none of theirs is a fixed number.
func appendField(out []byte, f wire.Field) []byte {
	if f.Kind == protowire.BytesType {
		return appendBytes(out, f.Number, f.Bytes)
	}
	return appendVarint(out, f.Number, f.Varint)
}

// valueProto is an input or output; its dimensions are names or sizes.
func valueProto(name string, elemType uint64, dims ...any) []byte {
	var shape []byte
	for _, dim := range dims {
		switch d := dim.(type) {
		case string:
			shape = appendBytes(shape, 1, appendBytes(nil, 2, []byte(d)))
		case int64:
			shape = appendBytes(shape, 1, appendVarint(nil, 1, uint64(d)))
		}
	}
	tensor := appendBytes(appendVarint(nil, 1, elemType), 2, shape)
	return appendBytes(appendBytes(nil, 1, []byte(name)), 2, appendBytes(nil, 1, tensor))
}

// castProto is a Cast node.
func castProto(from, to string, elemType int32) []byte {
	attribute := appendBytes(nil, 1, []byte("to"))
	attribute = appendVarint(appendVarint(attribute, 3, uint64(elemType)), 20, 2)
	node := appendBytes(appendBytes(nil, 1, []byte(from)), 2, []byte(to))
	return appendBytes(appendBytes(node, 4, []byte("Cast")), 5, attribute)
}

// tensorProto is a float32 tensor of one element.
func tensorProto(name string, rank int, x float32) []byte {
	var out []byte
	for range rank {
		out = appendVarint(out, 1, 1)
	}
	out = appendBytes(appendVarint(out, 2, 1), 8, []byte(name))
	return appendBytes(out, 9, binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
}
