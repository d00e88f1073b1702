package driver

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/faultfs"
)

// openRun opens a run directory for the duration of a test, without waiting for the disk.
func openRun(t *testing.T, dir string, mode Mode, config map[string]any) *Run {
	t.Helper()
	r, err := OpenRunOn(&faultfs.FS{}, dir, mode, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names lists a directory.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestOpenRun(t *testing.T) {
	config := map[string]any{"lr": 1e-5, "epochs": 3, "task": "rte"}
	plain := map[string]string{configFile: `{"epochs": 3, "lr": 1e-05, "task": "rte"}`, metricsFile: "{}\n", "checkpoints/step-2/x": "old", "model/x": "old"}
	with := func(name, content string) map[string]string {
		out := map[string]string{name: content}
		for k, v := range plain {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return out
	}
	all := []string{durable.LockFile, checkpointsDir, configFile, metricsFile}
	for _, c := range []struct {
		name   string
		before map[string]string
		mode   Mode
		after  []string // names in the directory, nil for an error
		words  []string // of the error
	}{
		{"a new directory", nil, Create, all, nil},
		{"an existing run", plain, Create, nil, []string{"not empty", "--resume", "--overwrite", "--out"}},
		{"any existing file", map[string]string{"thesis.tex": ""}, Create, nil, []string{"not empty"}},
		{"overwriting nothing", nil, Overwrite, all, nil},
		{"overwriting a run", plain, Overwrite, all, nil},
		{"overwriting a run, hidden files aside", with(".nfs01", ""), Overwrite, slices.Insert(slices.Clone(all), 1, ".nfs01"), nil},
		{"overwriting what no run wrote", with("thesis.tex", ""), Overwrite, nil, []string{"no run wrote", "thesis.tex"}},
		{"resuming nothing", nil, Resume, nil, []string{"nothing to resume", "--resume"}},
		{"resuming a run", plain, Resume, append(slices.Clone(all), modelDir), nil},
		{"resuming with another configuration", with(configFile, `{"epochs": 4, "lr": 1e-5, "noise": "normal"}`), Resume, nil,
			[]string{"epochs was 4 and is now 3; noise was normal and is now <nil>; task was <nil> and is now rte", "--resume-force"}},
		{"resuming by force", with(configFile, `{"epochs": 4, "lr": 1e-5, "noise": "normal"}`), ForceResume, append(slices.Clone(all), modelDir), nil},
		{"resuming with other free keys", with(configFile, `{"epochs": 3, "lr": 1e-5, "task": "rte", "keep": 9, "checkpoint_every": "10m", "train": "elsewhere"}`), Resume,
			append(slices.Clone(all), modelDir), nil},
		{"what a crash left", with(".tmp-model-x/y", ""), Resume, append(slices.Clone(all), modelDir), nil},
		{"resuming with a torn configuration", with(configFile, `{"epochs": 3,`), Resume, nil, []string{configFile, "unexpected end"}},
	} {
		dir := filepath.Join(t.TempDir(), "runs", "one")
		for name, content := range c.before {
			write(t, filepath.Join(dir, name), content)
		}
		r, err := OpenRun(dir, c.mode, config)
		if c.after == nil {
			if !errors.Is(err, ErrRun) || !mentions(err, append(c.words, dir)...) {
				t.Errorf("%s: error %v", c.name, err)
			}
			for name, content := range c.before {
				if got := read(t, filepath.Join(dir, name)); got != content {
					t.Errorf("%s: %s is now %q", c.name, name, got)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := names(t, dir); !slices.Equal(got, c.after) {
			t.Errorf("%s: holds %v, want %v", c.name, got, c.after)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, configFile))), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(config) {
			t.Errorf("%s: configuration %v, %v", c.name, got, err)
		}
		if kept := len(names(t, filepath.Join(dir, checkpointsDir))) == 1; kept != (c.mode == Resume || c.mode == ForceResume) {
			t.Errorf("%s: old checkpoints kept: %v", c.name, kept)
		}
		if r.Model() != filepath.Join(dir, "model") {
			t.Errorf("%s: model in %s", c.name, r.Model())
		}
		if _, err := OpenRun(dir, Resume, config); !errors.Is(err, durable.ErrLocked) || !errors.Is(err, ErrRun) || !mentions(err, dir, "process") {
			t.Errorf("%s: opened twice: %v", c.name, err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := names(t, dir); slices.Contains(got, durable.LockFile) {
			t.Errorf("%s: closing leaves the lock", c.name)
		}
	}
}

func TestOpenRunInUnusablePlaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	blocked := filepath.Join(t.TempDir(), "blocked")
	write(t, filepath.Join(blocked, checkpointsDir), "a file")
	write(t, filepath.Join(blocked, configFile), "{}")
	unreadable := filepath.Join(t.TempDir(), "unreadable")
	write(t, filepath.Join(unreadable, configFile), "{}")
	if err := os.Mkdir(filepath.Join(unreadable, metricsFile), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir    string
		mode   Mode
		config map[string]any
	}{
		"a file":                              {file, Create, nil},
		"below a file":                        {filepath.Join(file, "run"), Create, nil},
		"a file for checkpoints":              {blocked, Resume, nil},
		"a directory for metrics":             {unreadable, Resume, nil},
		"a configuration beyond JSON":         {filepath.Join(t.TempDir(), "x"), Create, map[string]any{"f": func() {}}},
		"resuming one beyond JSON":            {blocked, Resume, map[string]any{"f": func() {}}},
		"a directory that may not be written": {readOnly(t), Create, nil},
	} {
		if c.dir == "" {
			continue
		}
		if _, err := OpenRun(c.dir, c.mode, c.config); !errors.Is(err, ErrRun) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A run directory that a stranger made cannot make a run read, truncate, append to or remove what is outside it.
func TestHostileRunDirectory(t *testing.T) {
	origin, _, _ := stopped(t)
	for name := range contents {
		for _, mode := range []Mode{Create, Resume, ForceResume, Overwrite} {
			root := t.TempDir()
			dir, outside := filepath.Join(root, "run"), filepath.Join(root, "outside")
			if err := link(origin, dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if err := os.Rename(path, outside); err != nil { // the export and the lock are not there
				write(t, outside, "mine")
			}
			if err := os.Symlink(outside, path); err != nil {
				t.Fatal(err)
			}
			before := fmt.Sprint(filesBelow(root))
			if _, err := OpenRun(dir, mode, nil); !errors.Is(err, ErrRun) || !mentions(err, dir, name, "symbolic link") {
				t.Errorf("a link for %s, mode %d: %v", name, mode, err)
			}
			if after := fmt.Sprint(filesBelow(root)); after != before {
				t.Errorf("a link for %s, mode %d: %s became %s", name, mode, before, after)
			}
		}
	}
}

// readOnly is a directory that cannot be written below, "" where that cannot be had.
func readOnly(t *testing.T) string {
	if os.Geteuid() == 0 {
		t.Log("root may write everywhere: read-only directories are not tested")
		return ""
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	return filepath.Join(dir, "run")
}

// Resuming keeps whole lines up to the checkpoint's step: none is repeated, none is torn.
func TestTruncateMetrics(t *testing.T) {
	lines := []string{`{"step":1}`, `{"step":2}`, `{"step":2,"split":"dev"}`, `{"step":3}`, `{"step":4}`, `{"step":4,"split":"dev"}`}
	for _, c := range []struct {
		name, content string
		step          int
		due           bool
		keep          int
	}{
		{"nothing", "", 3, false, 0},
		{"all", strings.Join(lines, "\n") + "\n", 4, false, 6},
		{"later steps", strings.Join(lines, "\n") + "\n", 2, false, 3},
		{"from scratch", strings.Join(lines, "\n") + "\n", 0, false, 0},
		{"a due evaluation that was made since", strings.Join(lines, "\n") + "\n", 4, true, 5},
		{"a torn line", strings.Join(lines, "\n"), 9, false, 5},
		{"a line torn within", strings.Join(lines[:3], "\n") + "\n" + `{"step":3,"lo`, 9, false, 3},
		{"garbage", lines[0] + "\n\x00\x00\x00\n" + lines[1] + "\n", 9, false, 1},
		{"a long line", lines[0] + "\n" + `{"step":2,"x":"` + strings.Repeat("x", 1<<20) + `"}` + "\n", 1, false, 1},
	} {
		dir := t.TempDir()
		r := openRun(t, dir, Create, nil)
		write(t, filepath.Join(dir, metricsFile), c.content)
		left := &journal{size: int64(len(strings.Join(lines[:c.keep], "\n")) + min(1, c.keep)), sum: sha256.New()}
		for _, line := range lines[:c.keep] {
			left.sum.Write([]byte(line + "\n"))
		}
		other := mark{left.size, "other"}
		if agrees, err := r.metrics.cut(c.step, c.due, other, false); agrees || err != nil || read(t, filepath.Join(dir, metricsFile)) != c.content {
			t.Errorf("%s: cut to another mark: %v, %v", c.name, agrees, err)
		}
		if agrees, err := r.metrics.cut(c.step, c.due, left.mark(), false); !agrees || err != nil {
			t.Errorf("%s: agrees %v, %v", c.name, agrees, err)
		}
		if err := r.record(StepRecord{Step: 99}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		got := strings.Split(read(t, filepath.Join(dir, metricsFile)), "\n")
		if n := len(got) - 2; n != c.keep || !slices.Equal(got[:n], lines[:n]) || !strings.HasPrefix(got[n], `{"step":99,`) {
			t.Errorf("%s: kept %d lines, want %d: %q", c.name, n, c.keep, got)
		}
	}
	r := openRun(t, t.TempDir(), Create, nil)
	if err := os.Remove(filepath.Join(r.Dir, metricsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.metrics.cut(1, false, emptyMark, true); err == nil {
		t.Error("no metrics: no error")
	}
}

// A run writes a line for each step and each evaluation, in order, as documented.
func TestMetricsFile(t *testing.T) {
	r := openRun(t, t.TempDir(), Create, nil)
	var want []string
	keep := func(line any) error {
		data, err := json.Marshal(line)
		want = append(want, string(data))
		return err
	}
	train(t, NewToy(3, 0.1), ToyExamples(40, 1), Options{
		BatchSize: 16, EvalEvery: 2, Epochs: 2, Run: r, Dev: ToyExamples(9, 2), Score: accuracy, Primary: "accuracy",
		OnStep: func(s StepRecord) error { return keep(s) },
		OnEval: func(e EvalRecord) error { return keep(e) },
	})
	got := read(t, filepath.Join(r.Dir, metricsFile))
	if len(want) != 6+4 || got != strings.Join(want, "\n")+"\n" {
		t.Errorf("metrics.jsonl holds\n%swant\n%s", got, strings.Join(want, "\n"))
	}
	for _, key := range []string{"step", "epoch", "loss", "task_loss", "r3f", "lr", "grad_norm", "examples_per_second", "seconds"} {
		if !strings.Contains(want[0], `"`+key+`":`) {
			t.Errorf("a step's line lacks %s: %s", key, want[0])
		}
	}
}
