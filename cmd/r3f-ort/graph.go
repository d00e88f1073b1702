package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/graphs"
)

func graphCommand() *cli.Command {
	return &cli.Command{
		Name:  "graph",
		Usage: "look at the graphs that a model trains on",
		Subcommands: []*cli.Command{{
			Name:  "dump",
			Usage: "print the forward or the backward graph",
			Description: `Prints a graph one node a line, with types and symbolic shapes in the batch size B and the token count T: what the
engine runs forwards, with --backward what it runs backwards, with --after the graph after one of the passes that make
the first from the model.

Examples:
   r3f-ort graph dump --model .r3f/models/minilm --method standard
   r3f-ort graph dump --model .r3f/models/minilm --after noise`,
			Flags: slices.Concat(graphFlags(), []cli.Flag{
				&cli.BoolFlag{Name: "backward", Usage: "print the backward graph"},
				&cli.StringFlag{Name: "after", Usage: "print the graph after `PASS`: " + modelStage + " (as it is before any), " + strings.Join(graphs.Passes(), ", ")},
			}),
			Action: graphDump,
		}, {
			Name:      "check",
			Usage:     "say what would be trained, and what stands in the way",
			ArgsUsage: "[DIR|FILE.onnx]",
			Description: `Reads a model and prints its parameters, where noise, dropout and the head go, and every operator through which no
gradient rule leads. The exit status is 2 where one is missing.

Examples:
   r3f-ort graph check .r3f/models/minilm
   r3f-ort graph check encoder.onnx`,
			Flags:  append(graphFlags(), jsonFlag()),
			Action: graphCheck,
		}, {
			Name:  "export",
			Usage: "write both graphs and the parameters for use elsewhere",
			Description: `Writes forward.onnx, backward.onnx, parameters.safetensors and program.json to a directory. The graphs are of standard
operators of opset 20 and take parameters as inputs by name. A training step runs forward.onnx, which returns the
logits and the activations that program.json lists as saved; computes the gradient of its loss in the logits; and runs
backward.onnx on that as dlogits, the saved activations, the parameters and the batch. Backward returns d.NAME for
every parameter, and for tables that are read by row the rows and their indices.

Example:
   r3f-ort graph export --model .r3f/models/minilm --method r3f --dropout 0.1 --out minilm-graphs`,
			Flags: slices.Concat(graphFlags(), pick(methodFlags(), "seed"), []cli.Flag{
				&cli.StringFlag{Name: "out", Usage: "`DIR` to write"},
				&cli.BoolFlag{Name: "overwrite", Usage: "replace the graphs in --out"},
				jsonFlag(),
			}),
			Action: graphExport,
		}},
	}
}

// modelStage names the graph before the first pass.
const modelStage = "model"

// graphFlags choose a model and what becomes of its graph; they are train's.
func graphFlags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		modelFlag(), embeddingFlag(),
		&cli.UintFlag{Name: "labels", Value: 2, Usage: "outputs of the head: classes, or 1 for a regression"},
	}, pick(methodFlags(), "method", "regression-term", "dropout"))
}

// pick returns the flags of the given names.
func pick(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

// graphModel loads the model that flags name, and says what its graph becomes.
func graphModel(c *cli.Context) (*graphs.Model, graphs.Options, error) {
	var o graphs.Options
	if err := positive(c, "labels"); err != nil {
		return nil, o, err
	}
	labels := int(c.Uint("labels"))
	objective, err := objectiveOf(c, labels)
	if err != nil {
		return nil, o, err
	}
	o.Doubled = objective.Passes() == 2
	from, err := sourceOf(c)
	if err != nil {
		return nil, o, err
	}
	m, err := from.model(labels, c.Uint64("seed"))
	if err != nil {
		return nil, o, err
	}
	o.Dropout, err = dropoutOf(c, m.Config)
	return m, o, err
}

func graphDump(c *cli.Context) error {
	after, backward := c.String("after"), c.Bool("backward")
	if after != "" && backward {
		return usagef("--after and --backward contradict each other: the passes come before the backward graph is made")
	}
	if stages := append([]string{modelStage}, graphs.Passes()...); after != "" && !slices.Contains(stages, after) {
		return usagef("--after is %q; choose one of %s", after, strings.Join(stages, ", "))
	}
	m, o, err := graphModel(c)
	if err != nil {
		return err
	}
	g := m.Graph
	switch {
	case after == modelStage:
	case after != "":
		_, err = m.Prepare(o, func(pass string, now *graphs.Graph) {
			if pass == after {
				g = now
			}
		})
	default:
		var p *graphs.Program
		if p, err = m.Compile(o, false); err != nil {
			break
		}
		if g = p.Forward; backward {
			g = p.Backward
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.App.Writer, g)
	return err
}
