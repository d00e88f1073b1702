package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// The files that graph export writes.
const (
	forwardFile    = "forward.onnx"
	backwardFile   = "backward.onnx"
	parametersFile = "parameters.safetensors"
	programFile    = "program.json"
)

// programSpec is program.json: how the two graphs fit together. Types and shapes are in the graphs themselves.
type programSpec struct {
	Family    string     `json:"family"`
	Labels    int        `json:"labels"`
	Method    string     `json:"method"`
	Doubled   bool       `json:"doubled"` // logits of the clean examples, then of the noised ones
	Dropout   float64    `json:"dropout"`
	Noise     string     `json:"noise,omitempty"` // input that is added to the word embeddings of the second half
	Masks     []string   `json:"masks"`           // inputs, uint8: 1 keeps, 0 drops
	Saved     []string   `json:"saved"`           // outputs of forward that backward reads
	Dense     []string   `json:"dense"`           // parameters whose gradient is the output d.NAME
	RowTables []rowTable `json:"row_tables"`      // parameters whose gradient is rows
	Head      []string   `json:"head"`            // weight matrices of the head, the last is the output projection
}

// rowTable says which outputs of backward hold a table's gradient: row indices[i][k] receives rows[i][k], all added up.
type rowTable struct {
	Parameter string   `json:"parameter"`
	Rows      []string `json:"rows"`
	Indices   []string `json:"indices"`
}

func graphExport(c *cli.Context) error {
	out := c.String("out")
	if out == "" {
		return usagef("give --out DIR")
	}
	if err := freeForGraphs(out, c.Bool("overwrite")); err != nil {
		return err
	}
	m, o, err := graphModel(c)
	if err != nil {
		return err
	}
	p, err := m.Compile(o, false)
	if err != nil {
		return err
	}
	spec := programSpec{
		Family: m.Config.ModelType, Labels: m.Config.NumLabels, Method: c.String("method"), Doubled: o.Doubled, Dropout: o.Dropout,
		Masks: []string{}, Saved: p.Saved, Dense: p.Dense, RowTables: []rowTable{}, Head: m.Head,
	}
	if o.Doubled {
		spec.Noise = graphs.NoiseInput
	}
	for _, v := range p.Masks {
		spec.Masks = append(spec.Masks, v.Name)
	}
	for _, t := range p.RowTables {
		spec.RowTables = append(spec.RowTables, rowTable(t))
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(out)), 0o755); err != nil {
		return err
	}
	err = durable.ReplaceDir(durable.OS{}, filepath.Clean(out), func(dir string) error { return writeProgram(dir, p, m.Weights, spec) })
	if err != nil {
		return fmt.Errorf("writing the graphs to %s: %w%s", out, err, durable.Advice(err))
	}
	if c.Bool("json") {
		return writeResult(c.App.Writer, spec)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %d nodes forward, %d backward, %d parameters, %d saved activations\n",
		out, len(p.Forward.Nodes), len(p.Backward.Nodes), len(m.Weights), len(p.Saved))
	return err
}

// freeForGraphs fails where writing to dir would destroy something else.
func freeForGraphs(dir string, overwrite bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return nil // a path that is no directory fails when it is written
	}
	if _, err := os.Stat(filepath.Join(dir, programFile)); err != nil || !overwrite {
		return usagef("%s exists and is not empty; replace what graph export wrote with --overwrite, or choose another --out", dir)
	}
	return nil
}

// writeProgram writes and syncs the four files.
func writeProgram(dir string, p *graphs.Program, weights []graphs.Weight, spec programSpec) error {
	tensors := make([]safetensors.Tensor, len(weights))
	for i, w := range weights {
		tensors[i] = safetensors.FromFloat32s(w.Name, w.Shape, w.Data)
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{forwardFile, func(w io.Writer) error { return p.Forward.WriteONNX(w, nil, nil) }},
		{backwardFile, func(w io.Writer) error { return p.Backward.WriteONNX(w, nil, nil) }},
		{parametersFile, func(w io.Writer) error { return safetensors.Write(w, tensors, nil) }},
		{programFile, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(spec)
		}},
	} {
		if err := durable.WriteFile(durable.OS{}, filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}
