package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// interrupted says how to go on.
func (j *trainJob) interrupted(step int) error {
	signal, ok := errors.AsType[*interruptedError](context.Cause(j.ctx))
	if !ok {
		return context.Cause(j.ctx)
	}
	args := slices.DeleteFunc(slices.Clone(os.Args), func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		return name == "--overwrite" || name == "-overwrite"
	})
	if !slices.Contains(args, "--resume") && !slices.Contains(args, "--resume-force") {
		args = append(args, "--resume")
	}
	signal.next = fmt.Sprintf(": stopped after step %d with a checkpoint; continue with\n  %s", step, shellQuote(args))
	return signal
}

// shellQuote renders a command line for a POSIX shell.
func shellQuote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; a == "" || strings.ContainsAny(a, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
