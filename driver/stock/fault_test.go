package stock_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
)

// long asks for the long form of the fault tests: make fault.
var long = flag.Bool("long", false, "run the long form of the fault tests")

// process is a child that runs, or has run.
type process struct {
	killed bool
	said   []string
	stderr string
}

// start runs a child. watch sees each line it says and may call kill.
func start(t *testing.T, c child, delay time.Duration, watch func(line string, kill func())) process {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	kill := func() { cmd.Process.Kill() }
	if delay > 0 {
		defer time.AfterFunc(delay, kill).Stop()
	}
	var p process
	for scan := bufio.NewScanner(out); scan.Scan(); {
		p.said = append(p.said, scan.Text())
		if watch != nil {
			watch(scan.Text(), kill)
		}
	}
	err = cmd.Wait()
	p.killed, p.stderr = cmd.ProcessState.ExitCode() == -1, stderr.String()
	if err != nil && !p.killed {
		t.Fatalf("the process failed: %v\n%s", err, p.stderr)
	}
	return p
}

// Killed at random instants and at random operations on its directory, with and without loss of power, a run that is
// resumed ends with the bytes of one that was not killed: weights, moments, metrics, state and export.
func TestFaultKill(t *testing.T) {
	needLibrary(t)
	const seed = 51
	r := rand.New(rand.NewPCG(seed, 0))
	kills, at, began := 6, map[string]int{}, time.Now()
	if *long {
		kills = 200
	}
	total, runs := 0, 0
	combinations := []child{{Seed: 1, Noise: driver.Uniform}, {Seed: 2, Noise: driver.Normal}, {Seed: 2, Noise: driver.Uniform}, {Seed: 1, Noise: driver.Normal}}
	if !*long {
		combinations = combinations[:2]
	}
	for i, c := range combinations {
		c.Dir, c.KillAt = filepath.Join(t.TempDir(), "whole"), -1
		whole := start(t, c, 0, nil)
		want, err := left(c.Dir)
		if err != nil {
			t.Fatal(err)
		}
		var operations int
		if _, err := fmt.Sscanf(whole.said[len(whole.said)-1], "operations %d", &operations); err != nil || len(whole.said) != 1+childSteps {
			t.Fatalf("the process said %q, %v", whole.said, err)
		}
		for share := kills * (i + 1) / len(combinations); total < share; runs++ {
			c.Dir = filepath.Join(t.TempDir(), "killed")
			var how []string
			for end := false; !end; {
				c.KillAt, c.Power = -1, -1
				var delay time.Duration
				var watch func(string, func())
				kind := "to the end"
				if len(how) < 3 && total < share {
					switch r.IntN(4) {
					case 0:
						kind, delay = "at any time", time.Duration(r.Int64N(int64(time.Second)))
					case 1:
						step, pause := fmt.Sprint("step ", 1+r.IntN(childSteps)), time.Duration(r.Int64N(int64(10*time.Millisecond)))
						kind = "after a step"
						watch = func(line string, kill func()) {
							if line == step {
								time.Sleep(pause)
								kill()
							}
						}
					case 2:
						kind, c.KillAt = "before an operation", r.IntN(operations)
					default:
						kind, c.KillAt, c.Power = "before an operation, with loss of power", r.IntN(operations), r.Float64()
					}
				}
				p := start(t, c, delay, watch)
				if how = append(how, fmt.Sprint(kind, " (", c.KillAt, ", ", c.Power, ", ", len(p.said), " lines)")); p.killed {
					total++
					at[kind]++
				}
				end = !p.killed
			}
			got, err := left(c.Dir)
			if err != nil {
				t.Fatalf("seed %d, killed %s: %v", seed, how, err)
			}
			if _, best, _ := strings.Cut(got["names"], "step-"); best == "" || !maps.Equal(got, want) {
				for name := range want {
					if got[name] != want[name] {
						t.Errorf("seed %d, run of %+v killed %s: %s differs", seed, c, how, name)
					}
				}
			}
		}
	}
	t.Logf("seed %d: %d kills in %d runs, %v, in %v", seed, total, runs, at, time.Since(began).Round(time.Second))
}

// Over 24,000 steps with evaluations, exports and thousands of checkpoints a process comes to hold no more memory,
// goroutines, files and tensors: after a warm-up of a quarter, in which the C library's heap settles, the median of the
// later reports is at most 1 % above that of the earlier ones.
func TestFaultLeaks(t *testing.T) {
	if !*long || runtime.GOOS != "linux" {
		t.Skip("of the long form, on Linux: make fault")
	}
	needLibrary(t)
	const steps, warm = 24000, 6000
	names := []string{"bytes resident", "goroutines", "files", "tensors"}
	held := make([][]int, len(names))
	start(t, child{Dir: filepath.Join(t.TempDir(), "run"), Seed: 1, Noise: driver.Uniform, KillAt: -1, Steps: steps}, 0, func(line string, _ func()) {
		var step int
		var h [4]int
		if _, err := fmt.Sscanf(line, "holds %d %d %d %d %d", &step, &h[0], &h[1], &h[2], &h[3]); err == nil && step > warm {
			for i, n := range h {
				held[i] = append(held[i], n)
			}
		}
	})
	for i, name := range names {
		if n := len(held[i]); n != (steps-warm)/1000 {
			t.Fatalf("%d reports", n)
		}
		half := len(held[i]) / 2
		earlier, later := median(held[i][:half]), median(held[i][half:])
		t.Logf("%s: %d, then %d", name, earlier, later)
		if float64(later) > 1.01*float64(earlier) {
			t.Errorf("%s grow: %v", name, held[i])
		}
	}
}

func median(values []int) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
