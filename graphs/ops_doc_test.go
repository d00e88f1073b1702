package graphs_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/graphtest"
)

var update = flag.Bool("update", false, "write docs/ops.md anew")

// docs/ops.md is the operator table. To bring it up to date: go test ./graphs -run TestOpsDoc -update
func TestOpsDoc(t *testing.T) {
	const path = "../docs/ops.md"
	want := opsDoc()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the operator table says; run go test ./graphs -run TestOpsDoc -update", path)
	}
}

// opsDoc writes the operator table as a page.
func opsDoc() string {
	var s strings.Builder
	fmt.Fprintf(&s, `# Operators

Written from the table in graphs/ops.go by `+"`go test ./graphs -run TestOpsDoc -update`"+`; do not edit.

Graphs are written at opset %d with operators of the domain ai.onnx alone. The column *opset* is the opset whose
definition of the operator that is; models of other opsets are brought to these definitions when they are read.
A gradient flows to the operands in **bold**; "?" marks one that may be absent, "…" one that repeats.

## Differentiable

| operator | opset | operands | source of the gradient |
|---|---|---|---|
`, graphs.Opset)
	for _, l := range graphs.Lines() {
		if l.Rule {
			fmt.Fprintf(&s, "| %s | %d | %s | %s |\n", l.Op, l.Since, operandNames(l.Inputs), l.Source)
		}
	}
	s.WriteString(`
## Not differentiable

No gradient flows through these, and a parameter behind them does not learn from them.

| operator | opset | operands | reason |
|---|---|---|---|
`)
	for _, l := range graphs.Lines() {
		if l.Constant != "" {
			name := l.Op
			if l.Emit != "" {
				name += " (written as " + l.Emit + ")"
			}
			fmt.Fprintf(&s, "| %s | %d | %s | %s |\n", name, l.Since, operandNames(l.Inputs), l.Constant)
		}
	}
	s.WriteString(`
## Markers

Our own; a pass replaces them before the graph is differentiated and written.

| marker | pass |
|---|---|
`)
	for _, l := range graphs.Lines() {
		if l.Marker != "" {
			fmt.Fprintf(&s, "| %s | %s |\n", l.Op, l.Marker)
		}
	}
	s.WriteString(`
## Without a rule

These may stand in a graph, but a parameter that reaches the logits through one of them is an error.

| operator | opset | operands |
|---|---|---|
`)
	for _, l := range graphs.Lines() {
		if !l.Rule && l.Constant == "" && l.Marker == "" {
			fmt.Fprintf(&s, "| %s | %d | %s |\n", l.Op, l.Since, operandNames(l.Inputs))
		}
	}
	return s.String()
}

// operandNames formats the names of operands for a page.
func operandNames(inputs string) string {
	var out []string
	for name := range strings.FieldsSeq(inputs) {
		plain := strings.TrimRight(strings.TrimLeft(name, "*"), "?.")
		mark := strings.ReplaceAll(strings.TrimPrefix(strings.TrimLeft(name, "*"), plain), "...", "…")
		if strings.HasPrefix(name, "*") {
			plain = "**" + plain + "**"
		}
		out = append(out, plain+mark)
	}
	return strings.Join(out, ", ")
}

// Each operator has the opset and the operands of the ONNX specification, of which the table may leave out or demand
// optional ones.
func TestOperatorsFollowTheSpecification(t *testing.T) {
	data, err := os.ReadFile("../testdata/golden/opset20.json")
	if err != nil {
		t.Fatal(err)
	}
	var schemas map[string]struct {
		Since  int
		Inputs []string
	}
	if err := json.Unmarshal(data, &schemas); err != nil {
		t.Fatal(err)
	}
	for _, l := range graphs.Lines() {
		if l.Marker != "" {
			continue
		}
		name := l.Op
		if l.Emit != "" {
			name = l.Emit
		}
		schema, ok := schemas[name]
		if !ok || schema.Since != l.Since {
			t.Errorf("%s: opset %d, in the specification %d", l.Op, l.Since, schema.Since)
		}
		ours := strings.Fields(strings.ReplaceAll(l.Inputs, "*", ""))
		for i, want := range schema.Inputs {
			switch optional := strings.HasSuffix(want, "?"); {
			case i >= len(ours) && optional:
			case i < len(ours) && (ours[i] == want || optional && ours[i]+"?" == want):
			default:
				t.Errorf("%s: operands %v, in the specification %v", l.Op, ours, schema.Inputs)
			}
		}
		if len(ours) > len(schema.Inputs) {
			t.Errorf("%s: operands %v, in the specification %v", l.Op, ours, schema.Inputs)
		}
	}
}

// The table marks those operands that the rules give a gradient, names a source for each rule, and no operator is
// both differentiable and declared not to be.
func TestMarkedOperandsLearn(t *testing.T) {
	learns := map[string]map[int]bool{}
	for _, rc := range graphtest.Cases() {
		c, _, err := rc.New()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range c.G.Nodes {
			if n.Op != rc.Op || !graphs.Differentiable(rc.Op) || n.Outputs[0].DType != graphs.Float32 {
				continue
			}
			for i, yes := range graphs.RuleOperands(c.Builder, n) {
				if learns[rc.Op] == nil {
					learns[rc.Op] = map[int]bool{}
				}
				learns[rc.Op][i] = learns[rc.Op][i] || yes
			}
		}
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
	}
	for _, l := range graphs.Lines() {
		marked := 0
		for i, name := range strings.Fields(l.Inputs) {
			if star := strings.HasPrefix(name, "*"); star != learns[l.Op][i] {
				t.Errorf("%s: operand %s is marked %v; its rule says %v", l.Op, name, star, learns[l.Op][i])
			} else if star {
				marked++
			}
		}
		if l.Rule != (marked > 0) || l.Rule != (l.Source != "") || l.Rule && l.Constant != "" || l.Marker != "" && (l.Rule || l.Constant != "") {
			t.Errorf("%s: %d marked operands, source %q, declared %q", l.Op, marked, l.Source, l.Constant)
		}
	}
}
