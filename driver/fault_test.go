package driver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/faultfs"
)

// long asks for every fault point instead of a selection: make fault.
var long = flag.Bool("long", false, "run the fault tests at every fault point")

// points yields fault points below n: all, or about so many, another selection with each offset.
func points(n, about, offset int) (out []int) {
	stride := max(1, n/about)
	if *long {
		stride = 1
	}
	for i := offset % stride; i < n; i += stride {
		out = append(out, i)
	}
	return out
}

var errCrashed = errors.New("the process is dead")

// crashing is a file system on which nothing changes from operation n on. With a share of 0 or more power is lost too,
// and of what was not synced that share is left.
func crashing(n int, share float64) *faultfs.FS {
	f := &faultfs.FS{}
	f.Before = func(op faultfs.Op) error {
		if op.N == n && share >= 0 {
			f.LosePower(share)
		}
		if op.N >= n {
			return errCrashed
		}
		return nil
	}
	return f
}

// attempt trains everything in dir on a file system.
func attempt(fs durable.FS, dir string, mode Mode, change func(*Options)) (*Result, error) {
	o := everything(Uniform)
	if change != nil {
		change(&o)
	}
	run, err := OpenRunOn(fs, dir, mode, map[string]any{"seed": o.Seed})
	if err != nil {
		return nil, err
	}
	o.Run, o.Resume = run, mode != Create
	r, err := Train(context.Background(), NewToy(3, 0.2), sequence(ToyExamples(100, 1)), o)
	return r, errors.Join(err, run.Close())
}

// reference is everything without faults: what it leaves, and the operations it takes.
func reference(t *testing.T) (want outcome, operations int) {
	t.Helper()
	dir, fs := t.TempDir(), &faultfs.FS{}
	r, err := attempt(fs, dir, Create, nil)
	if err != nil {
		t.Fatal(err)
	}
	return outcomeOf(t, r, dir), fs.Count()
}

// A run whose process dies, or whose machine loses power, before any operation on its directory ends with the bytes of
// one that did not, also where the resumed one dies again.
func TestFaultCrash(t *testing.T) {
	want, operations := reference(t)
	r := rand.New(rand.NewPCG(41, 0))
	scratch, crashes := t.TempDir(), 0
	for _, n := range points(operations, 20, 7) {
		for _, share := range []float64{-1, r.Float64()} {
			dir := filepath.Join(scratch, fmt.Sprint(n, "-", share))
			at, mode := n, Create
			var result *Result
			var err error
			for times := 0; ; times++ {
				fs := crashing(at, share)
				if times == 3 {
					fs = &faultfs.FS{}
				}
				result, err = attempt(fs, dir, mode, nil)
				if errors.Is(err, ErrRun) && mode == Resume && mentions(err, "nothing to resume") { // it died before config.json was there
					mode = Overwrite
					continue
				}
				if err == nil {
					break
				}
				if !errors.Is(err, errCrashed) {
					t.Fatalf("crash at %d, share %v: %v", n, share, err)
				}
				crashes++
				at, mode = r.IntN(operations), Resume
			}
			outcomeOf(t, result, dir).compare(t, fmt.Sprintf("crash at %d, share %v", n, share), want)
			if found := append(names(t, dir), names(t, filepath.Join(dir, checkpointsDir))...); slices.ContainsFunc(found, func(n string) bool { return strings.HasPrefix(n, ".") }) {
				t.Errorf("crash at %d: left %v", n, found)
			}
		}
	}
	t.Logf("%d crashes among %d operations", crashes, operations)
}

// Whichever operation the disk refuses, a run that is to continue ends with the bytes of one that no disk refused
// anything, and says what happened; a run that is to stop says so too, keeps what was good, and resumes to the same.
func TestFaultDisk(t *testing.T) {
	want, operations := reference(t)
	scratch := t.TempDir()
	causes := []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO}
	started := 0 // operations before the first step
	attempt(&faultfs.FS{Before: func(op faultfs.Op) error { started = op.N; return nil }}, filepath.Join(scratch, "start"), Create, func(o *Options) {
		o.OnStart = func(Plan) error { return errStop }
	})
	for i, n := range points(operations, 15, 3) {
		cause := causes[i%len(causes)]
		refusing := func(times int) *faultfs.FS {
			return &faultfs.FS{Before: func(op faultfs.Op) error {
				if op.N >= n && op.N < n+times && op.Name != "close" && op.Name != "exchange" {
					return cause
				}
				return nil
			}}
		}
		for _, times := range []int{1, 25} {
			what := fmt.Sprintf("operation %d and the %d from there on: %v", n, times, cause)
			stop := filepath.Join(scratch, fmt.Sprint(n, "-stop-", times))
			_, err := attempt(refusing(times), stop, Create, nil)
			if err != nil && !errors.Is(err, cause) {
				t.Errorf("%s: error %v", what, err)
			}
			mode := Resume
			if n < started {
				mode = Overwrite
			}
			if result, err := attempt(&faultfs.FS{}, stop, mode, nil); err != nil {
				t.Errorf("%s: resuming: %v", what, err)
			} else {
				outcomeOf(t, result, stop).compare(t, what+", stop and resume", want)
			}
			if n < started { // what a run cannot begin without
				continue
			}
			going, notes, fs := filepath.Join(scratch, fmt.Sprint(n, "-continue-", times)), 0, refusing(times)
			result, err := attempt(fs, going, Create, func(o *Options) {
				o.OnCheckpointError = Continue
				o.OnNote = func(string) { notes++ }
			})
			if errors.Is(err, cause) && fs.Count() < n+times+10 { // the disk refused to the end
				continue
			}
			if err != nil {
				t.Errorf("%s: to continue: %v", what, err)
				continue
			}
			if result.Checkpoints.Failed != notes {
				t.Errorf("%s: %d failures, %d notes", what, result.Checkpoints.Failed, notes)
			}
			if _, err := os.Stat(filepath.Join(going, checkpointsDir, fmt.Sprint(stepPrefix, everythingSteps))); err != nil {
				// It refused the last one twice, and nothing after it.
				if notes < 2 || fs.Count() > n+times+10 {
					t.Errorf("%s: the last checkpoint is missing after %d notes: %v", what, notes, err)
				}
				if result, err = attempt(&faultfs.FS{}, going, Resume, nil); err != nil {
					t.Errorf("%s: resuming for the last checkpoint: %v", what, err)
					continue
				}
			}
			outcomeOf(t, result, going).compare(t, what+", continue", want)
		}
	}
}
