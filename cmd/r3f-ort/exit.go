package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/urfave/cli/v2"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/artifacts"
	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
	"github.com/r3f-ort/r3f-ort/tasks"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// The exit statuses of the program.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEnvironment = 3
	exitDiverged    = 4
	exitSignal      = 128 // plus the number of the signal: 130 for an interrupt
)

// errUsage marks what the person who called the program can correct.
var errUsage = errors.New("usage")

// errEnvironment marks what this machine lacks.
var errEnvironment = errors.New("environment")

// marked is an error of a class that decides the exit status.
type marked struct {
	error
	class error
}

func (m marked) Unwrap() []error { return []error{m.error, m.class} }

func usagef(format string, args ...any) error {
	return marked{fmt.Errorf(format, args...), errUsage}
}

func environmentf(format string, args ...any) error {
	return marked{fmt.Errorf(format, args...), errEnvironment}
}

// exitCode maps an error to the program's exit status.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if signal, ok := errors.AsType[*interruptedError](err); ok {
		return exitSignal + int(signal.number)
	}
	for _, class := range []struct {
		errs []error
		code int
	}{
		{[]error{stock.ErrLibrary, capi.ErrLibrary, capi.ErrProvider, ortlib.ErrNotFound, ortlib.ErrTooOld, errEnvironment}, exitEnvironment},
		{[]error{driver.ErrDiverged, loss.ErrNonFinite, tasks.ErrNotFinite}, exitDiverged},
		{[]error{errUsage, tasks.ErrData, graphs.ErrModel, artifacts.ErrArtifacts, driver.ErrLoss, driver.ErrRun, tokenize.ErrUnsupportedModel}, exitUsage},
	} {
		for _, e := range class.errs {
			if errors.Is(err, e) {
				return class.code
			}
		}
	}
	_, option := errors.AsType[*driver.OptionError](err)
	_, tokenizer := errors.AsType[*tokenize.FileError](err)
	if option || tokenizer {
		return exitUsage
	}
	return exitFailed
}

var undefinedFlag = regexp.MustCompile(`^flag provided but not defined: -+(.+)$`)

// usageErrorOf turns an error of parsing flags into a usage error that says what may have been meant.
func usageErrorOf(c *cli.Context, err error, _ bool) error {
	hint := ""
	if m := undefinedFlag.FindStringSubmatch(err.Error()); m != nil {
		if near := cli.SuggestFlag(c.Command.Flags, m[1], false); near != "" {
			hint = "; did you mean " + near + "?"
		}
		err = fmt.Errorf("unknown flag --%s", m[1])
	}
	return usagef("%v%s; see %s --help", err, hint, c.Command.HelpName)
}

// interruption is err, or the signal that is its cause.
func interruption(ctx context.Context, err error) error {
	signal, ok := errors.AsType[*interruptedError](context.Cause(ctx))
	if ok && errors.Is(err, context.Canceled) {
		return signal
	}
	return err
}
