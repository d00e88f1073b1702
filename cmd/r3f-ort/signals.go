package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// interruptedError says that a signal ended the run.
type interruptedError struct {
	number syscall.Signal
	next   string // how to go on, or ""
}

func (e *interruptedError) Error() string { return e.number.String() + e.next }

// withSignals returns a context that the first SIGINT or SIGTERM cancels with an *interruptedError as its cause. The
// second calls exit at once.
func withSignals(parent context.Context, messages io.Writer, exit func(int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range signals {
			number, _ := s.(syscall.Signal)
			if ctx.Err() != nil {
				exit(exitSignal + int(number))
				return
			}
			fmt.Fprintf(messages, "\nr3f-ort: %v: finishing what is running; once more to stop at once\n", number)
			cancel(&interruptedError{number: number})
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
