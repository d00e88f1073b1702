package artifacts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Role is what an input carries.
type Role string

// The roles, as the manifest's keys spell them.
const (
	InputIDs      Role = "input_ids"
	AttentionMask Role = "attention_mask"
	TokenTypeIDs  Role = "token_type_ids"
	Noise         Role = "noise"
	Labels        Role = "labels"
	Lambda        Role = "lambda"
	Share         Role = "share"
	Mask          Role = "masks"
)

// Input is one input of a graph with its role.
type Input struct {
	Value
	Role  Role
	Index int // of a mask among the manifest's
}

// rolesTable says what each role's input looks like. A shape is written in the symbols of Inputs' comments.
var rolesTable = [...]struct {
	role     Role
	name     func(*Inputs) string
	required bool
	types    []int32
	rank     []int
}{
	{InputIDs, func(i *Inputs) string { return i.InputIDs }, true, []int32{7, 6}, []int{2}},
	{AttentionMask, func(i *Inputs) string { return i.AttentionMask }, true, []int32{7, 6, 1}, []int{2}},
	{TokenTypeIDs, func(i *Inputs) string { return i.TokenTypeIDs }, false, []int32{7, 6}, []int{2}},
	{Noise, func(i *Inputs) string { return i.Noise }, false, []int32{1}, []int{3}},
	{Labels, func(i *Inputs) string { return i.Labels }, true, []int32{7, 6, 1}, []int{1}},
	{Lambda, func(i *Inputs) string { return i.Lambda }, false, []int32{1}, []int{0, 1}},
	{Share, func(i *Inputs) string { return i.Share }, false, []int32{1}, []int{0, 1}},
}

// fits reports whether a value can play a role.
func fits(v Value, types []int32, rank []int) bool {
	return slices.Contains(types, v.ElemType) && slices.Contains(rank, len(v.Dims))
}

// Plan is a graph's inputs and outputs with their roles.
type Plan struct {
	Inputs                     []Input // in the order the graph takes them
	Loss, Logits, NoisedLogits int     // places among the outputs; NoisedLogits is -1 where there is none
	Batch, Tokens              int     // the only sizes that the graph takes; 0 for any
}

// Has reports whether the graph has an input of the role.
func (p *Plan) Has(r Role) bool {
	return slices.ContainsFunc(p.Inputs, func(i Input) bool { return i.Role == r })
}

// Resolve finds the roles of a graph's inputs and outputs. inputs are those that a step takes, without parameters and
// gradient buffers, and outputs those that it gives, both in their order; what names the graph in errors. The
// evaluation graph may lack any input but the token ids, and the noised logits.
func (m *Manifest) Resolve(what string, s *Signature, inputs, outputs []string, evaluation bool) (*Plan, error) {
	p := &Plan{Loss: -1, Logits: -1, NoisedLogits: -1}
	err := m.resolveInputs(p, s, inputs, evaluation)
	if err == nil {
		err = m.resolveOutputs(p, s, outputs, evaluation)
	}
	if err == nil {
		err = m.resolveSizes(p)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s of %s: %w", ErrArtifacts, ManifestFile, what, err)
	}
	return p, nil
}

func (m *Manifest) resolveInputs(p *Plan, s *Signature, names []string, evaluation bool) error {
	var values []Value
	for _, name := range names {
		i := slices.IndexFunc(s.Inputs, func(v Value) bool { return v.Name == name })
		if i < 0 {
			return fmt.Errorf("a step takes input %q, which the file does not declare", name)
		}
		values = append(values, s.Inputs[i])
	}
	played := map[string]Role{}
	for _, r := range rolesTable {
		name := r.name(&m.Inputs)
		i := slices.Index(names, name)
		switch {
		case name == "" && r.required:
			return fmt.Errorf("inputs.%s is missing; %s", r.role, candidates(values, r.types, r.rank, m.named()))
		case name == "", i < 0 && evaluation && r.role != InputIDs:
			continue
		case i < 0:
			return fmt.Errorf("inputs.%s is %q, which is no input; %s", r.role, name, candidates(values, r.types, r.rank, m.named()))
		case played[name] != "":
			return fmt.Errorf("input %q is both %s and %s; %s", name, played[name], r.role, candidates(values, r.types, r.rank, m.named()))
		case !fits(values[i], r.types, r.rank):
			return fmt.Errorf("inputs.%s is %s, which cannot carry it; %s", r.role, values[i], candidates(values, r.types, r.rank, m.named()))
		}
		played[name] = r.role
		p.Inputs = append(p.Inputs, Input{values[i], r.role, 0})
	}
	for k, name := range m.Inputs.Masks {
		i := slices.Index(names, name)
		switch {
		case i < 0 && evaluation:
			continue
		case i < 0:
			return fmt.Errorf("inputs.masks[%d] is %q, which is no input; %s", k, name, candidates(values, []int32{2}, []int{1, 2, 3, 4}, m.named()))
		case played[name] != "":
			return fmt.Errorf("input %q is both %s and masks[%d]", name, played[name], k)
		case values[i].ElemType != 2:
			return fmt.Errorf("inputs.masks[%d] is %s; masks are uint8", k, values[i])
		}
		played[name] = Mask
		p.Inputs = append(p.Inputs, Input{values[i], Mask, k})
	}
	for _, v := range values {
		if played[v.Name] == "" {
			return fmt.Errorf("input %s has no role; without an input are %s", v, strings.Join(m.unplayed(played), ", "))
		}
	}
	slices.SortFunc(p.Inputs, func(a, b Input) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
	return nil
}

// named lists what the manifest calls an input.
func (m *Manifest) named() []string {
	out := slices.Clone(m.Inputs.Masks)
	for _, r := range rolesTable {
		out = append(out, r.name(&m.Inputs))
	}
	return out
}

// unplayed lists the roles that no input has.
func (m *Manifest) unplayed(played map[string]Role) []string {
	var out []string
	for _, r := range rolesTable {
		if name := r.name(&m.Inputs); name == "" || played[name] == "" {
			out = append(out, string(r.role))
		}
	}
	return append(out, string(Mask))
}

// candidates lists the values that fit a role, those first that have none.
func candidates(values []Value, types []int32, rank []int, taken []string) string {
	var free, all []string
	for _, v := range values {
		if fits(v, types, rank) {
			all = append(all, v.String())
			if !slices.Contains(taken, v.Name) {
				free = append(free, v.String())
			}
		}
	}
	switch {
	case len(free) > 0:
		return "candidates: " + strings.Join(free, ", ")
	case len(all) > 0:
		return "what fits has another role: " + strings.Join(all, ", ")
	}
	var others []string
	for _, v := range values {
		others = append(others, v.String())
	}
	return "nothing fits among " + strings.Join(others, ", ")
}

func (m *Manifest) resolveOutputs(p *Plan, s *Signature, names []string, evaluation bool) error {
	var values []Value
	for _, name := range names {
		if i := slices.IndexFunc(s.Outputs, func(v Value) bool { return v.Name == name }); i >= 0 {
			values = append(values, s.Outputs[i])
		}
	}
	played := map[string]string{}
	for _, r := range []struct {
		key, name string
		at        *int
		optional  bool
		rank      []int
	}{
		{"loss", m.Outputs.Loss, &p.Loss, evaluation, []int{0, 1}},
		{"logits", m.Outputs.Logits, &p.Logits, false, []int{2}},
		{"noised_logits", m.Outputs.NoisedLogits, &p.NoisedLogits, evaluation || m.Outputs.NoisedLogits == "", []int{2}},
	} {
		i := slices.Index(names, r.name)
		choose := func() string {
			return candidates(values, []int32{1}, r.rank, []string{m.Outputs.Loss, m.Outputs.Logits, m.Outputs.NoisedLogits})
		}
		switch {
		case i < 0 && r.optional:
			continue
		case r.name == "":
			return fmt.Errorf("outputs.%s is missing; %s", r.key, choose())
		case i < 0:
			return fmt.Errorf("outputs.%s is %q, which is no output; %s", r.key, r.name, choose())
		case played[r.name] != "":
			return fmt.Errorf("output %q is both %s and %s; %s", r.name, played[r.name], r.key, choose())
		}
		if j := slices.IndexFunc(values, func(v Value) bool { return v.Name == r.name }); j >= 0 && !fits(values[j], []int32{1}, r.rank) {
			return fmt.Errorf("outputs.%s is %s, which cannot be it; %s", r.key, values[j], choose())
		} else if j >= 0 && r.key != "loss" {
			if k := values[j].Dims[1].Size; k > 0 && k != int64(m.Model.Classes) {
				return fmt.Errorf("outputs.%s is %s; model.classes is %d", r.key, values[j], m.Model.Classes)
			}
		}
		played[r.name], *r.at = r.key, i
	}
	if !evaluation && p.Loss != 0 {
		return fmt.Errorf("outputs.loss is %q; the training API takes the first output, %q, for the loss", m.Outputs.Loss, names[0])
	}
	return nil
}

// resolveSizes finds the sizes that a graph fixes, and checks that its inputs agree.
func (m *Manifest) resolveSizes(p *Plan) error {
	type fixed struct {
		size int
		by   Value
	}
	var batch, tokens fixed
	set := func(f *fixed, what string, v Value, at int) error {
		size := int(v.Dims[at].Size)
		if size == 0 {
			return nil
		}
		if f.size > 0 && f.size != size {
			return fmt.Errorf("%s and %s disagree about %s", f.by, v, what)
		}
		*f = fixed{size, v}
		return nil
	}
	for _, in := range p.Inputs {
		var err error
		switch in.Role {
		case Noise:
			if c := in.Dims[2].Size; c > 0 && c != int64(m.Model.HiddenSize) {
				return fmt.Errorf("inputs.noise is %s; model.hidden_size is %d", in.Value, m.Model.HiddenSize)
			}
			fallthrough
		case InputIDs, AttentionMask, TokenTypeIDs:
			if err = set(&batch, "the batch", in.Value, 0); err == nil {
				err = set(&tokens, "the tokens", in.Value, 1)
			}
		case Labels:
			err = set(&batch, "the batch", in.Value, 0)
			if regression := m.Model.Classes == 1; regression != (in.ElemType == 1) {
				return fmt.Errorf("inputs.labels is %s; with model.classes %d it must be %s", in.Value, m.Model.Classes, map[bool]string{true: "float32", false: "an integer"}[regression])
			}
		case Mask:
			_, err = in.Size(1, 1)
		}
		if err != nil {
			return err
		}
	}
	p.Batch, p.Tokens = batch.size, tokens.size
	return nil
}

// Size returns the number of elements for a batch of B examples and T tokens; a dim_param is a product such as 2*B*T.
func (v Value) Size(b, t int) (int, error) {
	n := 1
	for _, size := range v.Dims {
		if size.Size > 0 {
			n *= int(size.Size)
			continue
		}
		for _, factor := range strings.Split(size.Param, "*") {
			switch k, err := strconv.Atoi(factor); {
			case factor == "B":
				n *= b
			case factor == "T":
				n *= t
			case err == nil && k > 0 && k <= 1<<20:
				n *= k
			default:
				return 0, fmt.Errorf("%s: dimension %q is no product of numbers, B and T", v, size.Param)
			}
		}
	}
	return n, nil
}

// Shape returns the sizes for a batch of B examples and T tokens, as Size reads them.
func (v Value) Shape(b, t int) ([]int64, error) {
	out := make([]int64, len(v.Dims))
	for i, d := range v.Dims {
		n, err := Value{Name: v.Name, Dims: []Dim{d}}.Size(b, t)
		if err != nil {
			return nil, err
		}
		out[i] = int64(n)
	}
	return out, nil
}
