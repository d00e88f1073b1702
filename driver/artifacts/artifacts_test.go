package artifacts

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// official is the manifest of the artifacts that reference/make_artifacts.py makes.
func official() *Manifest {
	return &Manifest{
		Format:  1,
		Inputs:  Inputs{InputIDs: "input_ids", AttentionMask: "attention_mask", TokenTypeIDs: "token_type_ids", Noise: "noise", Labels: "labels", Lambda: "lambda"},
		Outputs: Outputs{Loss: "loss", Logits: "logits", NoisedLogits: "noised"},
		Model:   Model{Classes: 3, HiddenSize: 32, VocabSize: 97, MaxTokens: 40},
	}
}

var (
	officialInputs  = []string{"input_ids", "attention_mask", "token_type_ids", "noise", "labels", "lambda"}
	officialOutputs = []string{"loss", "logits", "noised"}
)

// signature is what those artifacts declare, with free axes.
func signature() *Signature {
	bt := []Dim{{Param: "B"}, {Param: "T"}}
	return &Signature{
		Inputs: []Value{{"input_ids", 7, bt}, {"attention_mask", 1, bt}, {"token_type_ids", 7, bt}, {"noise", 1, append(slices.Clone(bt), Dim{Size: 32})},
			{"labels", 7, bt[:1]}, {"lambda", 1, nil}, {"weight", 1, []Dim{{Size: 97}, {Size: 32}}}},
		Outputs: []Value{{"loss", 1, nil}, {"logits", 1, []Dim{{Param: "B"}, {Size: 3}}}, {"noised", 1, []Dim{{Param: "B"}, {Size: 3}}}},
	}
}

func TestManifestReadsBack(t *testing.T) {
	dir := t.TempDir()
	m := official()
	m.Inputs.Masks, m.Tokenizer, m.Config = []string{"mask.0"}, ".", "config.json"
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadManifest(dir); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v does not read back: %+v, %v", m, got, err)
	}
	if _, err := ReadManifest(t.TempDir()); !errors.Is(err, ErrArtifacts) || !strings.Contains(err.Error(), ManifestFile) {
		t.Errorf("no manifest: %v", err)
	}
}

func TestBadManifests(t *testing.T) {
	for want, change := range map[string]func(map[string]any){
		"format":     func(m map[string]any) { m["format"] = 2 },
		"unknown":    func(m map[string]any) { m["inptus"] = 1 },
		"classes":    func(m map[string]any) { m["model"].(map[string]any)["classes"] = 0 },
		"vocab_size": func(m map[string]any) { m["model"].(map[string]any)["vocab_size"] = -1 },
		"pad_id":     func(m map[string]any) { m["model"].(map[string]any)["pad_id"] = 97 },
		"dropout":    func(m map[string]any) { m["model"].(map[string]any)["dropout"] = 1 },
		"tokenizer":  func(m map[string]any) { m["tokenizer"] = "../elsewhere" },
		"config":     func(m map[string]any) { m["config"] = "/etc/config.json" },
	} {
		data, err := json.Marshal(official())
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		change(fields)
		if data, err = json.Marshal(fields); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ManifestFile), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadManifest(dir); !errors.Is(err, ErrArtifacts) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestResolve(t *testing.T) {
	p, err := official().Resolve(TrainingModel, signature(), officialInputs, officialOutputs, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, role := range []Role{InputIDs, AttentionMask, TokenTypeIDs, Noise, Labels, Lambda} {
		if p.Inputs[i].Role != role || p.Inputs[i].Name != officialInputs[i] {
			t.Errorf("input %d is %v, want %s", i, p.Inputs[i], role)
		}
	}
	if p.Loss != 0 || p.Logits != 1 || p.NoisedLogits != 2 || p.Batch != 0 || p.Tokens != 0 || p.Has(Share) || !p.Has(Noise) {
		t.Errorf("the plan is %+v", p)
	}
	// The evaluation graph may be smaller.
	p, err = official().Resolve(EvalModel, signature(), []string{"attention_mask", "input_ids"}, []string{"logits"}, true)
	if err != nil || p.Inputs[0].Role != AttentionMask || p.Logits != 0 || p.Loss != -1 || p.NoisedLogits != -1 {
		t.Errorf("a bare evaluation graph: %+v, %v", p, err)
	}
	// Sizes that the graph fixes are the only ones it takes.
	s := signature()
	for i := range 3 {
		s.Inputs[i].Dims = []Dim{{Size: 5}, {Size: 11}}
	}
	if p, err = official().Resolve(TrainingModel, s, officialInputs, officialOutputs, false); err != nil || p.Batch != 5 || p.Tokens != 11 {
		t.Errorf("fixed sizes: %+v, %v", p, err)
	}
}

// Missing and contradictory roles are errors that name the role and what could play it.
func TestResolveErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Manifest, *Signature)
		want   []string
	}{
		"missing":        {func(m *Manifest, _ *Signature) { m.Inputs.Labels = "" }, []string{"inputs.labels is missing", "candidates: labels int64 [B]"}},
		"misspelt":       {func(m *Manifest, _ *Signature) { m.Inputs.Noise = "nois" }, []string{`"nois"`, "candidates: noise float32 [B, T, 32]"}},
		"left out":       {func(m *Manifest, _ *Signature) { m.Inputs.Lambda = "" }, []string{"lambda float32 []", "no role", "without an input are lambda, share"}},
		"twice":          {func(m *Manifest, _ *Signature) { m.Inputs.TokenTypeIDs = "input_ids" }, []string{"both input_ids and token_type_ids", "candidates: token_type_ids"}},
		"wrong type":     {func(m *Manifest, _ *Signature) { m.Inputs.InputIDs = "attention_mask" }, []string{"inputs.input_ids is attention_mask float32 [B, T]", "candidates: input_ids"}},
		"swapped":        {func(m *Manifest, _ *Signature) { m.Inputs.Noise, m.Inputs.Lambda = "lambda", "noise" }, []string{"inputs.noise is lambda float32 []", "noise float32 [B, T, 32]"}},
		"mask":           {func(m *Manifest, _ *Signature) { m.Inputs.Masks = []string{"mask.0"} }, []string{"masks[0]", "mask.0", "nothing fits among"}},
		"mask of floats": {func(m *Manifest, _ *Signature) { m.Inputs.Noise, m.Inputs.Masks = "", []string{"noise"} }, []string{"masks are uint8"}},
		"no logits":      {func(m *Manifest, _ *Signature) { m.Outputs.Logits = "" }, []string{"outputs.logits is missing", "candidates: logits float32 [B, 3]"}},
		"logits twice":   {func(m *Manifest, _ *Signature) { m.Outputs.NoisedLogits = "logits" }, []string{"both logits and noised_logits", "noised float32 [B, 3]"}},
		"loss is not first": {func(m *Manifest, _ *Signature) {
			m.Outputs.Loss, m.Outputs.Logits = "logits", "noised"
			m.Outputs.NoisedLogits = ""
		}, []string{"outputs.loss is logits", "candidates: loss"}},
		"classes": {func(m *Manifest, _ *Signature) { m.Model.Classes = 2 }, []string{"outputs.logits is logits float32 [B, 3]", "model.classes is 2"}},
		"width":   {func(m *Manifest, _ *Signature) { m.Model.HiddenSize = 64 }, []string{"model.hidden_size is 64"}},
		"regression": {func(m *Manifest, s *Signature) {
			m.Model.Classes = 1
			s.Outputs[1].Dims[1].Size = 1
			s.Outputs[2].Dims[1].Size = 1
		}, []string{"labels int64", "must be float32"}},
		"sizes disagree": {func(_ *Manifest, s *Signature) {
			s.Inputs[0].Dims = []Dim{{Size: 5}, {}}
			s.Inputs[4].Dims = []Dim{{Size: 6}}
		}, []string{"disagree about the batch", "[5, ?]", "[6]"}},
		"undeclared": {func(_ *Manifest, s *Signature) { s.Inputs = s.Inputs[1:] }, []string{`"input_ids"`, "does not declare"}},
	} {
		m, s := official(), signature()
		c.change(m, s)
		_, err := m.Resolve(TrainingModel, s, officialInputs, officialOutputs, false)
		if !errors.Is(err, ErrArtifacts) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range append(c.want, TrainingModel) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", name, err, want)
			}
		}
	}
}

// Sizes of symbolic shapes are the products that they say.
func TestSymbolicSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	v := Value{"mask", 2, []Dim{{Param: "2*B"}, {Size: 4}, {Param: "T"}, {Param: "T"}}}
	for range 20 {
		b, tokens := 1+r.IntN(30), 1+r.IntN(500)
		n, err := v.Size(b, tokens)
		shape, err2 := v.Shape(b, tokens)
		if err != nil || err2 != nil || n != 2*b*4*tokens*tokens || !slices.Equal(shape, []int64{int64(2 * b), 4, int64(tokens), int64(tokens)}) {
			t.Errorf("B %d, T %d: %d, %v (%v, %v)", b, tokens, n, shape, err, err2)
		}
	}
	for _, param := range []string{"", "batch", "B+T", "B*-1", "B*99999999999"} {
		if n, err := (Value{"mask", 2, []Dim{{Param: param}}}).Size(2, 3); err == nil {
			t.Errorf("dimension %q is %d", param, n)
		}
	}
}

// gathers is a training graph's way from position embeddings to their gradient; reduce sums it over the batch.
func gathers(indices string, reduce bool) *Signature {
	s := &Signature{
		Inputs: []Value{{Name: "ids"}, {Name: "table"}, {Name: "table_grad.accumulation.buffer"}, {Name: "lazy_reset_grad"}},
		Nodes: []Node{
			{OpType: "Slice", Inputs: []string{"position_ids", "from", "to"}, Outputs: []string{"sliced"}},
			{OpType: "LayerNormalizationGrad", Inputs: []string{"dy"}, Outputs: []string{"dsum"}},
			{OpType: "ReduceSum", Inputs: []string{"dsum", "axes"}, Outputs: []string{"reduced"}},
			{OpType: "Identity", Inputs: []string{"dsum"}, Outputs: []string{"drows"}},
			{OpType: "GatherGrad", Inputs: []string{"shape", indices, "drows"}, Outputs: []string{"dtable"}},
			{OpType: "InPlaceAccumulatorV2", Inputs: []string{"table_grad.accumulation.buffer", "dtable", "lazy_reset_grad"}, Outputs: []string{"done"}},
		},
	}
	if reduce {
		s.Nodes[3].Inputs[0] = "reduced"
	}
	return s
}

// A table that is gathered once for all examples needs its gradient summed over them.
func TestUnsummedGradients(t *testing.T) {
	if err := gathers("sliced", false).CheckGathers(); !errors.Is(err, ErrArtifacts) || !strings.Contains(err.Error(), `frozen_params=["table"]`) {
		t.Errorf("an unsummed gradient: %v", err)
	}
	for name, s := range map[string]*Signature{"summed": gathers("sliced", true), "indices of the batch": gathers("ids", false)} {
		if err := s.CheckGathers(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What no model is, is refused, and nothing panics.
func FuzzParseSignature(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x3a\x0d\x5a\x03\x0a\x01x\x62\x06\x0a\x04loss"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSignature(data)
		if err != nil {
			return
		}
		if len(s.Outputs) == 0 {
			t.Error("a model without outputs was taken")
		}
		_ = s.CheckGathers()
		official().Resolve("it", s, officialInputs, officialOutputs, false)
	})
}

func FuzzParseManifest(f *testing.F) {
	if data, err := json.Marshal(official()); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parse(data); err == nil && m.validate() != nil {
			t.Error("an invalid manifest was taken")
		}
	})
}

// A graph that cannot serve is refused: its logits are those of two passes, or depend on what only training feeds.
func TestServingRefusals(t *testing.T) {
	both := official()
	both.Outputs.NoisedLogits = ""
	if _, err := both.ServingModel(nil); !errors.Is(err, ErrArtifacts) || !strings.Contains(err.Error(), "two passes") {
		t.Errorf("doubled logits: %v", err)
	}
	graph := appendBytes(nil, 1, appendBytes(appendBytes(appendBytes(nil, 1, []byte("labels")), 2, []byte("logits")), 4, []byte("OneHot")))
	graph = appendBytes(graph, 11, valueProto("labels", 7, "B"))
	graph = appendBytes(graph, 12, valueProto("logits", 1, "B", int64(3)))
	if _, err := official().ServingModel(appendBytes(nil, 7, graph)); !errors.Is(err, ErrArtifacts) || !strings.Contains(err.Error(), "labels int64 [B]") {
		t.Errorf("logits of the labels: %v", err)
	}
	if _, err := official().ServingModel([]byte("nonsense")); !errors.Is(err, ErrArtifacts) {
		t.Errorf("no model: %v", err)
	}
}

// Inputs of other names and types become those that serve; noise and lambda become constants.
func TestServingInputs(t *testing.T) {
	m := official()
	m.Inputs.InputIDs = "ids"
	node := appendBytes(appendBytes(appendBytes(nil, 1, []byte("ids")), 1, []byte("attention_mask")), 2, []byte("logits"))
	graph := appendBytes(nil, 1, appendBytes(node, 4, []byte("Add")))
	for _, in := range [][]byte{valueProto("ids", 7, "b", "t"), valueProto("attention_mask", 1, "b", "t"), valueProto("noise", 1, "b", "t", int64(32)), valueProto("lambda", 1)} {
		graph = appendBytes(graph, 11, in)
	}
	graph = appendBytes(graph, 12, valueProto("logits", 1, "b", "k"))
	data, err := m.ServingModel(appendBytes(nil, 7, graph))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSignature(data)
	if err != nil {
		t.Fatal(err)
	}
	var inputs []string
	for _, in := range s.Inputs {
		inputs = append(inputs, in.String())
	}
	if want := []string{"input_ids int64 [B, T]", "attention_mask int64 [B, T]"}; !slices.Equal(inputs, want) {
		t.Errorf("inputs %q, want %q", inputs, want)
	}
	if len(s.Outputs) != 1 || s.Outputs[0].String() != "logits float32 [B, 3]" {
		t.Errorf("outputs %v", s.Outputs)
	}
	if len(s.Nodes) != 2 || s.Nodes[0].OpType != "Cast" || s.Nodes[0].Inputs[0] != "attention_mask" || !slices.Equal(s.Nodes[1].Inputs, []string{"input_ids", s.Nodes[0].Outputs[0]}) {
		t.Errorf("nodes %+v", s.Nodes)
	}
}
