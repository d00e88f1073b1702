package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"
)

// started is when the process began, for the time to the first step.
var started = time.Now()

func main() {
	ctx, stop := withSignals(context.Background(), os.Stderr, os.Exit)
	err := newApp().RunContext(ctx, os.Args)
	err = interruption(ctx, err)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "r3f-ort: %v\n", err)
	}
	os.Exit(exitCode(err))
}

// newApp describes the program. Everything is built anew, so that tests can have an app of their own.
func newApp() *cli.App {
	app := &cli.App{
		Name:  "r3f-ort",
		Usage: "fine-tune text encoders with R3F and R4F on a stock ONNX Runtime",
		Description: `Fine-tunes pretrained BERT-family encoders on your own labelled texts with R3F ("Better Fine-Tuning by
Reducing Representational Collapse", arXiv 2008.03156) and writes a model.onnx that any ONNX Runtime serves.

Flags may also come from the environment: --batch-size is R3F_ORT_BATCH_SIZE, --ort-library R3F_ORT_LIBRARY.

Exit status: 0 done, 1 run failed, 2 usage, configuration, data or model, 3 ONNX Runtime library or provider,
4 diverged, 130 interrupted.`,
		Commands: []*cli.Command{
			trainCommand(), evalCommand(), predictCommand(), exportCommand(), benchCommand(), graphCommand(), tokenizeCommand(), runtimeCommand(), versionCommand(),
		},
		Action:         noVerb,
		ExitErrHandler: func(*cli.Context, error) {}, // main exits
		OnUsageError:   usageErrorOf,
		HideVersion:    true,
	}
	prepare(app.Commands)
	return app
}

// prepare gives every verb what all verbs share.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageErrorOf
		setEnvironment(c.Flags)
		if c.Subcommands != nil {
			prepare(c.Subcommands)
			c.Action = noVerb
			continue
		}
		action := c.Action
		c.Action = func(ctx *cli.Context) error {
			if ctx.NArg() > 0 && c.ArgsUsage == "" {
				return usagef("unexpected argument %q: %s takes flags only; see r3f-ort %[2]s --help", ctx.Args().First(), ctx.Command.Name)
			}
			if err := checkEnvironment(ctx.App, os.Environ()); err != nil {
				return err
			}
			return action(ctx)
		}
	}
}

// noVerb answers a command line without a verb, or with one that does not exist.
func noVerb(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return usagef("unknown command %q: %s See %s --help", name, cli.SuggestCommand(c.Command.Subcommands, name), c.Command.HelpName)
	}
	return usagef("no command given; see %s --help", c.Command.HelpName)
}
