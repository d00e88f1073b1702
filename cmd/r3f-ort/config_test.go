package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
	"github.com/r3f-ort/r3f-ort/tasks"
)

// parse runs train's flags through the layers and returns the context, without training.
func parse(t *testing.T, args ...string) (*cli.Context, error) {
	t.Helper()
	var got *cli.Context
	app := newApp()
	app.Commands = []*cli.Command{trainCommand()}
	app.Commands[0].Action = func(c *cli.Context) error { got = c; return layer(c) }
	prepare(app.Commands)
	err := app.Run(append([]string{"r3f-ort", "train"}, args...))
	return got, err
}

// A value comes from the flag, else the environment, else the file, else the preset, else the default.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.yaml")
	write(t, file, []byte("# settings\nlr: 4e-5\nbatch-size: 4\nshuffle: false\nlambda: 0.1\n"))
	preset := []string{"--task", "RTE", "--preset", "fairseq-rte"}
	for _, c := range []struct {
		args []string
		env  map[string]string
		lr   float64 // 2e-5 by default, 1e-5 in the preset, 4e-5 in the file
	}{
		{nil, nil, 2e-5},
		{preset, nil, 1e-5},
		{append(preset, "--config", file), nil, 4e-5},
		{append(preset, "--config", file), map[string]string{"R3F_ORT_LR": "5e-5"}, 5e-5},
		{append(preset, "--config", file, "--lr", "6e-5"), map[string]string{"R3F_ORT_LR": "5e-5"}, 6e-5},
		{preset, map[string]string{"R3F_ORT_CONFIG": file}, 4e-5},
	} {
		t.Run(fmt.Sprint(c.args, c.env), func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			got, err := parse(t, c.args...)
			if err != nil || got.Float64("lr") != c.lr {
				t.Errorf("--lr is %v, want %v (%v)", got.Float64("lr"), c.lr, err)
			}
		})
	}
	got, err := parse(t, append(preset, "--config", file)...)
	if err != nil || got.Bool("shuffle") || got.Uint("batch-size") != 4 || got.Float64("lambda") != 0.1 || got.Uint("max-steps") != 3120 || got.Float64("warmup") != 187 {
		t.Errorf("the layers are mixed up: %v", err)
	}
}

func TestBadConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		says []string
	}{
		"unknown key":     {"lr: 1e-5\n\nbatchsize: 3\n", []string{"line 3", `"batchsize"`, `"batch-size"`}},
		"config inside":   {"config: x.yaml\n", []string{"line 1", `"config"`}},
		"twice":           {"lr: 1\nseed: 2\nlr: 3\n", []string{"line 3", "line 1", `"lr"`}},
		"a list":          {"lr: [1, 2]\n", []string{"line 1", `"lr"`, "plain value"}},
		"null":            {"seed:\n", []string{"line 1", "plain value"}},
		"no mapping":      {"- lr\n", []string{"line 1", "flag: value"}},
		"no YAML":         {"lr: 'x\n", []string{"line 2", "end of stream"}},
		"not a number":    {"seed: 1\nlr: fast\n", []string{"line 2", "lr", `"fast"`}},
		"negative count":  {"epochs: -1\n", []string{"line 1", "epochs", `"-1"`}},
		"key is a number": {"3: 1\n", []string{"line 1", `"3"`}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "run.yaml")
			write(t, file, []byte(c.yaml))
			_, err := parse(t, "--config", file)
			if exitCode(err) != exitUsage || !strings.Contains(err.Error(), file) {
				t.Errorf("%v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q is missing in: %v", s, err)
				}
			}
		})
	}
	if _, err := parse(t, "--config", filepath.Join(t.TempDir(), "absent.yaml")); exitCode(err) != exitUsage {
		t.Errorf("a missing file: %v", err)
	}
}

func TestPresets(t *testing.T) {
	for _, c := range []struct {
		preset, task string
		ok           bool
	}{
		{"", "", true}, {"fairseq-rte", "rte", true}, {"paper", "SST2", true}, {"paper", "cola", true},
		{"paper", "sts-b", false}, {"paper", "", false}, {"papers", "rte", false},
	} {
		values, err := presetValues(c.preset, c.task)
		if (err == nil) != c.ok || err != nil && exitCode(err) != exitUsage {
			t.Errorf("preset %q for %q: %v", c.preset, c.task, err)
		}
		flags := map[string]bool{}
		for _, f := range trainFlags() {
			flags[f.Names()[0]] = true
		}
		for _, v := range values {
			if !flags[v.name] {
				t.Errorf("preset %q sets %q, which is no flag", c.preset, v.name)
			}
		}
	}
	// the paper has every classification task that the program knows
	for _, task := range tasks.All() {
		if _, err := presetValues("paper", task.Name); (err == nil) == task.Regression() {
			t.Errorf("preset paper for %s: %v", task.Name, err)
		}
	}
}

// Every flag of every verb has a variable, and no variable belongs to two names.
func TestEnvironment(t *testing.T) {
	app := newApp()
	names := map[string]string{}
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for _, f := range c.Flags {
				_, env := parts(f)
				if env == nil || len(*env) != 1 {
					t.Errorf("%s --%s has no variable", c.Name, f.Names()[0])
					continue
				}
				if other, ok := names[(*env)[0]]; ok && other != f.Names()[0] {
					t.Errorf("%s belongs to --%s and --%s", (*env)[0], other, f.Names()[0])
				}
				names[(*env)[0]] = f.Names()[0]
				if err := checkEnvironment(app, []string{"HOME=/", (*env)[0] + "=1"}); err != nil {
					t.Error(err)
				}
			}
			walk(c.Subcommands)
		}
	}
	walk(app.Commands)
	if names[ortlib.EnvVar] != "ort-library" {
		t.Errorf("%s belongs to --%s", ortlib.EnvVar, names[ortlib.EnvVar])
	}
	err := checkEnvironment(app, []string{"R3F_ORT_LERNING_RATE=1"})
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "R3F_ORT_LERNING_RATE") {
		t.Errorf("%v", err)
	}
}

func TestBadCommandLine(t *testing.T) {
	for _, c := range []struct {
		args string
		says []string
	}{
		{"", []string{"no command", "--help"}},
		{"trian", []string{`"trian"`, `"train"`}},
		{"runtime inof", []string{`"inof"`, `"info"`}},
		{"runtime", []string{"no command"}},
		{"train --batchsize 3", []string{"--batchsize", "--batch-size", "train --help"}},
		{"train --lr fast", []string{"fast", "lr"}},
		{"train --epochs -1", []string{"-1", "epochs"}},
		{"train --epochs 0", []string{"--epochs is 0"}},
		{"train --lr 0", []string{"--lr is 0"}},
		{"train --eps 0", []string{"--eps is 0"}},
		{"train x.tsv", []string{`"x.tsv"`, "flags only"}},
		{"train", []string{"--task", "--train"}},
		{"train --method smart", []string{`"smart"`, "standard, r3f, r4f, rdrop"}},
		{"train --noise pink", []string{"pink", "uniform, normal"}},
		{"train --schedule step", []string{"step", "polynomial"}},
		{"train --engine tpu --train a --dev b", []string{"tpu", "training-api", "stock"}},
		{"train --provider rocm", []string{"rocm", "cpu"}},
		{"train --clip -1", []string{"clip", "-1"}},
		{"train --weight-decay -1", []string{"-1"}},
		{"bench --steps 0", []string{"--steps is 0"}},
		{"export", []string{"--run", "--out"}},
		{"export --run a --out b --checkpoint last", []string{"best, newest"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			o := r3f(t, strings.Fields(c.args)...)
			o.want(t, exitUsage, c.says...)
			if o.stdout != "" {
				t.Errorf("standard output has %q", o.stdout)
			}
		})
	}
	r3f(t, "train", "--provider", "cuda").want(t, exitEnvironment, "cuda", "--engine training-api")
}

func FuzzParseConfig(f *testing.F) {
	for _, s := range []string{"", "lr: 1e-5\nseed: 3", "lr: [1]", "- x", "&a lr: *a", "? {a: b}\n: c", "lr: !!binary x", "lr: |\n  x\n"} {
		f.Add([]byte(s))
	}
	flags := trainFlags()
	known := map[string]bool{}
	for _, flag := range flags {
		known[flag.Names()[0]] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseConfig(data, flags)
		if err != nil && values != nil {
			t.Errorf("values %v beside %v", values, err)
		}
		seen := map[string]bool{}
		for _, v := range values {
			if !known[v.name] || seen[v.name] || v.line < 1 {
				t.Errorf("accepted %+v", v)
			}
			seen[v.name] = true
		}
	})
}

func TestPositiveLeavesDefaultsAlone(t *testing.T) {
	c, err := parse(t)
	if err != nil || positive(c, "max-steps", "lr") != nil {
		t.Errorf("a zero nobody set is refused: %v", errors.Join(err, positive(c, "max-steps", "lr")))
	}
}
