package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// A flag's value comes from the first of: command line, environment, --config file, preset, default. The cli package
// settles the first two; layer fills the gaps they leave from the others.

// envPrefix begins the environment variable of every flag.
const envPrefix = "R3F_ORT_"

// envName is the environment variable of a flag.
func envName(flag string) string {
	if flag == "ort-library" {
		return ortlib.EnvVar
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setEnvironment gives each flag its environment variable.
func setEnvironment(flags []cli.Flag) {
	for _, f := range flags {
		if _, env := parts(f); env != nil {
			*env = []string{envName(f.Names()[0])}
		}
	}
}

// parts returns what all types of flags have, and no interface lets set; nil for a type that is not used here.
func parts(f cli.Flag) (category *string, env *[]string) {
	switch f := f.(type) {
	case *cli.StringFlag:
		return &f.Category, &f.EnvVars
	case *cli.StringSliceFlag:
		return &f.Category, &f.EnvVars
	case *cli.BoolFlag:
		return &f.Category, &f.EnvVars
	case *cli.UintFlag:
		return &f.Category, &f.EnvVars
	case *cli.Uint64Flag:
		return &f.Category, &f.EnvVars
	case *cli.Float64Flag:
		return &f.Category, &f.EnvVars
	}
	return nil, nil
}

// checkEnvironment refuses a variable with our prefix that no flag reads: it is a misspelling.
func checkEnvironment(app *cli.App, environ []string) error {
	var flags []cli.Flag
	var collect func([]*cli.Command)
	collect = func(commands []*cli.Command) {
		for _, c := range commands {
			flags = append(flags, c.Flags...)
			collect(c.Subcommands)
		}
	}
	collect(app.Commands)
	known := map[string]bool{}
	for _, f := range flags {
		known[envName(f.Names()[0])] = true
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		key, ours := strings.CutPrefix(name, envPrefix)
		if !ours || known[name] {
			continue
		}
		near := strings.TrimLeft(cli.SuggestFlag(flags, strings.ToLower(strings.ReplaceAll(key, "_", "-")), true), "-")
		return usagef("environment variable %s belongs to no flag; the nearest is %s; correct or unset it", name, envName(near))
	}
	return nil
}

// layer sets every flag that neither the command line nor the environment set from the --config file, then from the
// preset.
func layer(c *cli.Context) error {
	if path := c.String("config"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return usagef("reading the configuration: %w", err)
		}
		values, err := parseConfig(data, c.Command.Flags)
		if err != nil {
			return usagef("reading the configuration %s: %w", path, err)
		}
		if err := fill(c, values); err != nil {
			return usagef("reading the configuration %s: %w", path, err)
		}
	}
	values, err := presetValues(c.String("preset"), c.String("task"))
	if err != nil {
		return err
	}
	return fill(c, values)
}

// setting is one flag's value from a file or a preset.
type setting struct {
	name, value string
	line        int // in the file; 0 for a preset
}

// fill sets the flags that are not set yet.
func fill(c *cli.Context, values []setting) error {
	for _, s := range values {
		if c.IsSet(s.name) {
			continue
		}
		if err := c.Set(s.name, s.value); err != nil {
			return fmt.Errorf("line %d: %s: %q: %w", s.line, s.name, s.value, err)
		}
	}
	return nil
}

// parseConfig reads a YAML mapping of flag names to plain values.
func parseConfig(data []byte, flags []cli.Flag) ([]setting, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 {
		return nil, nil // an empty file
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: it is no mapping; write one \"flag: value\" a line", root.Line)
	}
	var out []setting
	seen := map[string]int{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == key.Value && key.Value != "config" }) {
			near := strings.TrimLeft(cli.SuggestFlag(flags, key.Value, true), "-")
			return nil, fmt.Errorf("line %d: unknown key %q; the nearest is %q", key.Line, key.Value, near)
		}
		if line := seen[key.Value]; line > 0 {
			return nil, fmt.Errorf("line %d: key %q is there already, on line %d", key.Line, key.Value, line)
		}
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
			return nil, fmt.Errorf("line %d: key %q has no plain value", cmp.Or(value.Line, key.Line), key.Value)
		}
		seen[key.Value] = key.Line
		out = append(out, setting{key.Value, value.Value, key.Line})
	}
	return out, nil
}

// positive refuses flags that were set to zero, which would silently mean their default.
func positive(c *cli.Context, names ...string) error {
	for _, name := range names {
		if c.IsSet(name) && fmt.Sprint(c.Value(name)) == "0" {
			return usagef("--%s is 0; give a number above 0", name)
		}
	}
	return nil
}

// choice checks a flag against the values it can have.
func choice(c *cli.Context, name string, allowed ...string) error {
	if v := c.String(name); !slices.Contains(allowed, v) {
		return usagef("--%s is %q; choose one of %s", name, v, strings.Join(allowed, ", "))
	}
	return nil
}
