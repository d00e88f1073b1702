package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// graphReport is what graph check --json prints.
type graphReport struct {
	Model       string                `json:"model"`
	Family      string                `json:"family"`
	Elements    int                   `json:"trained_parameters"` // numbers, of all parameters that learn
	Parameters  []graphs.ParameterUse `json:"parameters"`
	Embedding   string                `json:"word_embedding"`
	Noise       []graphs.Place        `json:"noise"`
	Dropout     []graphs.Place        `json:"dropout"`
	Head        []string              `json:"head"`        // weight matrices, the last is the output projection
	Initialised []string              `json:"initialised"` // parameters that the file lacks
	Notes       []string              `json:"notes"`       // what an ONNX file lacked and was given
	Operators   []graphs.OperatorUse  `json:"operators"`
	Missing     []missingRule         `json:"missing"`
}

// missingRule is one node between a parameter and the logits that no gradient passes.
type missingRule struct {
	Op     string `json:"operator"`
	Inputs string `json:"inputs"`
}

func graphCheck(c *cli.Context) error {
	if c.NArg() > 1 || c.NArg() == 1 && c.IsSet("model") {
		return usagef("give one model, behind the flags: r3f-ort graph check [flags] DIR")
	}
	if c.NArg() == 1 {
		if err := c.Set("model", c.Args().First()); err != nil {
			return err
		}
	}
	m, o, err := graphModel(c)
	if err != nil {
		return err
	}
	found := m.Report()
	r := graphReport{
		Model: c.String("model"), Family: m.Config.ModelType, Parameters: found.Parameters, Embedding: m.WordEmbedding, Noise: found.Noise,
		Dropout: found.Dropout, Head: m.Head, Initialised: m.Initialised, Notes: m.Notes, Operators: found.Operators,
	}
	for _, p := range r.Parameters {
		if p.Gradient != "none" {
			r.Elements += p.Elements
		}
	}
	for _, e := range found.Missing {
		r.Missing = append(r.Missing, missingRule{e.Op, e.Inputs})
	}
	if c.Bool("json") {
		err = writeResult(c.App.Writer, r)
	} else {
		err = r.print(c.App.Writer)
	}
	if err != nil {
		return err
	}
	if n := len(r.Missing); n > 0 {
		return fmt.Errorf("checking the graph: %w: %d nodes between the parameters and the logits have no gradient rule; see docs/ops.md", graphs.ErrModel, n)
	}
	if _, err := m.Compile(o, o.Doubled); err != nil {
		return fmt.Errorf("checking the graph: %w: %w", graphs.ErrModel, err)
	}
	return nil
}

// print writes the report for people.
func (r graphReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	places := func(title string, list []graphs.Place) {
		for i, p := range list {
			if i > 0 {
				title = ""
			}
			line("%s\t%s\t%s\tafter %s\tnear %s", title, p.Name, p.Shape, p.Op, p.Near)
		}
	}
	line("family\t%s", r.Family)
	line("trains\t%d parameters in %d tensors", r.Elements, len(r.Parameters))
	places("noise", r.Noise)
	if len(r.Noise) != 1 {
		line("noise\tnowhere: %d nodes look up %q, and one is wanted", len(r.Noise), r.Embedding)
	}
	places("dropout", r.Dropout)
	line("head\t%s", strings.Join(r.Head, ", "))
	if len(r.Initialised) > 0 {
		line("drawn\t%s: not in the file", strings.Join(r.Initialised, ", "))
	}
	for _, n := range r.Notes {
		line("note\t%s", n)
	}
	for i, m := range r.Missing {
		if i == 0 {
			line("no rule\t%s(%s)", m.Op, m.Inputs)
		} else {
			line("\t%s(%s)", m.Op, m.Inputs)
		}
	}
	line("\noperator\ttimes\tgradient")
	for _, o := range r.Operators {
		line("%s\t%d\t%s", o.Op, o.Count, o.Gradient)
	}
	line("\nparameter\tshape\telements\tgradient")
	for _, p := range r.Parameters {
		line("%s\t%v\t%d\t%s", p.Name, p.Shape, p.Elements, p.Gradient)
	}
	return w.Flush()
}
