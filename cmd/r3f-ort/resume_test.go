package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseEvery(t *testing.T) {
	for s, want := range map[string]struct {
		updates  int
		interval time.Duration
	}{"": {}, "0": {}, "200": {200, 0}, "10m": {0, 10 * time.Minute}, "1h30m": {0, 90 * time.Minute}, "90s": {0, 90 * time.Second}} {
		if n, d, err := parseEvery(s); n != want.updates || d != want.interval || err != nil {
			t.Errorf("%q: %d, %v, %v", s, n, d, err)
		}
	}
	for _, s := range []string{"-1", "-10m", "0s", "ten", "10 m", "1e3"} {
		if n, d, err := parseEvery(s); err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), s) {
			t.Errorf("%q: %d, %v, %v", s, n, d, err)
		}
	}
}

// Resuming refuses what could change the bytes and names it, takes what could not, and does anything by force.
func TestResumeRefusesDifferences(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	succeed(t, f.args("--max-steps", "6", "--checkpoint-every", "2")...)
	metrics := string(read(t, f.out, "metrics.jsonl"))
	vocabulary := filepath.Join(f.model, "tokenizer.json")
	files := map[string][]byte{f.train: read(t, f.train), vocabulary: read(t, vocabulary)}
	for name, c := range map[string]struct {
		args []string
		file string
		says []string
	}{
		"options":     {[]string{"--lr", "1e-3", "--threads", "2", "--noise", "normal"}, "", []string{"lr was 2e-05 and is now 0.001", "threads was 1 and is now 2", "noise was uniform and is now normal"}},
		"more steps":  {[]string{"--max-steps", "12"}, "", []string{"max_steps was 6 and is now 12"}},
		"data":        {nil, f.train, []string{"train_sha256 was "}},
		"a tokenizer": {nil, vocabulary, []string{"tokenizer_sha256 was "}},
	} {
		if c.file != "" {
			write(t, c.file, append(files[c.file], '\n'))
		}
		base := f.args("--max-steps", "6", "--checkpoint-every", "2")
		r3f(t, append(base, append(c.args, "--resume")...)...).want(t, exitUsage, append(c.says, "--resume-force")...)
		if string(read(t, f.out, "metrics.jsonl")) != metrics {
			t.Errorf("%s: a refused run was changed", name)
		}
		if c.file != "" {
			write(t, c.file, files[c.file])
		}
	}
	succeed(t, f.args("--max-steps", "6", "--checkpoint-every", "10m", "--keep", "4", "--on-checkpoint-error", "continue", "--resume")...)
	o := succeed(t, f.args("--max-steps", "8", "--lr", "1e-3", "--resume-force", "--json")...)
	if r := decode[trainReport](t, o); r.Steps != 8 {
		t.Errorf("by force: %+v", r)
	}
	r3f(t, f.args("--resume-force", "--overwrite")...).want(t, exitUsage, "contradict")
}

// A killed process leaves its lock; the next takes it over, says so, and ends in the bytes of a run that was not killed.
// While a process trains, no other may. A second signal ends a process at once, and loses nothing that was committed.
func TestKilledRunResumes(t *testing.T) {
	needLibrary(t)
	whole := newFixture(t)
	killed := whole
	killed.out += "-killed"
	long := []string{"--max-steps", "240", "--batch-size", "2", "--dropout", "0.1", "--lr", "1e-3", "--checkpoint-every", "7", "--eval-every", "50"}
	succeed(t, whole.args(long...)...)
	for _, how := range []string{"killed", "signalled twice"} {
		if how != "killed" && runtime.GOOS == "windows" {
			continue
		}
		cmd := command(t, killed.args(append(long, "--overwrite")...)...)
		pipe, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(pipe)
		for scan.Scan() && !strings.Contains(scan.Text(), "msg=step") {
		}
		r3f(t, killed.args(append(long, "--resume")...)...).want(t, exitUsage, "in use by another process", fmt.Sprintf("process %d on ", cmd.Process.Pid))
		if how == "killed" {
			cmd.Process.Kill()
		} else {
			cmd.Process.Signal(os.Interrupt)
			cmd.Process.Signal(syscall.SIGTERM)
		}
		for scan.Scan() {
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); how != "killed" && code != 130 && code != 143 {
			t.Errorf("%s: exit %d", how, code)
		}
		o := succeed(t, killed.args(append(long, "--resume")...)...)
		if how == "killed" {
			o.want(t, exitDone, "is gone: taking it over", fmt.Sprintf("process %d on ", cmd.Process.Pid))
		}
		sameFiles(t, whole.out, killed.out, "model/model.onnx", "model/model.safetensors", "model/config.json",
			"checkpoints/step-240/model.safetensors", "checkpoints/step-240/moments.safetensors", "config.json")
		onlyFinal(t, killed.out)
	}
}

// Updates of numbers that are not finite can be left out; they are counted and said.
func TestSkipNonFinite(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	o := succeed(t, f.withoutDev("--lr", "1e30", "--warmup", "0", "--schedule", "constant", "--on-nonfinite", "skip", "--json")...)
	o.want(t, exitDone, "is left out", "not finite")
	if r := decode[trainReport](t, o); r.SkippedUpdates < 1 || r.SkippedUpdates >= r.Steps || r.Checkpoints.Written == 0 {
		t.Errorf("%+v", r)
	}
	r3f(t, f.args("--on-nonfinite", "ignore")...).want(t, exitUsage, "stop, skip")
	r3f(t, f.args("--on-checkpoint-error", "retry")...).want(t, exitUsage, "stop, continue")
	r3f(t, f.args("--checkpoint-every", "ten")...).want(t, exitUsage, "10m")
}
