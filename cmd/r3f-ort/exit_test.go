package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/loss"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
	"github.com/r3f-ort/r3f-ort/tasks"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{driver.ErrCheckpoint, 1},
		{usagef("x"), 2},
		{tasks.ErrData, 2},
		{&tasks.DataError{}, 2},
		{&tasks.UnknownTaskError{}, 2},
		{graphs.ErrModel, 2},
		{driver.ErrRun, 2},
		{&driver.OptionError{Option: "lr", Err: errors.New("x")}, 2},
		{&tokenize.FileError{Err: errors.New("x")}, 2},
		{tokenize.ErrUnsupportedModel, 2},
		{environmentf("x"), 3},
		{stock.ErrLibrary, 3},
		{&ortlib.NotFoundError{}, 3},
		{&ortlib.TooOldError{}, 3},
		{driver.ErrDiverged, 4},
		{&driver.DivergedError{}, 4},
		{tasks.ErrNotFinite, 4},
		{&loss.NonFiniteError{}, 4},
		{&interruptedError{number: syscall.SIGINT}, 130},
		{&interruptedError{number: syscall.SIGTERM}, 143},
	} {
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err), errors.Join(c.err, errors.New("and another"))} {
			if c.err == nil && err != nil {
				continue
			}
			if got := exitCode(err); got != c.code {
				t.Errorf("%T %v: exit %d, want %d", c.err, err, got, c.code)
			}
		}
	}
}

// The first signal cancels with its cause, the second exits at once.
func TestSignals(t *testing.T) {
	exits := make(chan int, 1)
	ctx, stop := withSignals(context.Background(), io.Discard, func(code int) { exits <- code })
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		if err := self.Signal(os.Interrupt); err != nil {
			t.Skipf("this system cannot send itself a signal: %v", err)
		}
	}
	send()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the first signal did not cancel")
	}
	if code := exitCode(interruption(ctx, fmt.Errorf("stopped: %w", ctx.Err()))); code != 130 {
		t.Errorf("a run that the signal ended exits with %d", code)
	}
	if other := errors.New("disk full"); interruption(ctx, other) != other {
		t.Error("an error with another cause is taken for the signal")
	}
	send()
	select {
	case code := <-exits:
		if code != 130 {
			t.Errorf("the second signal exits with %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the second signal did not exit")
	}
}
