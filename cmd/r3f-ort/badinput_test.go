package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// Each bad input ends in a message with place and next step, the right exit status, and no run directory.
func TestBadData(t *testing.T) {
	file := func(content string) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) { write(t, f.train, []byte(content)) }
	}
	for name, c := range map[string]struct {
		break_ func(*testing.T, *fixture) // damages the fixture
		args   []string                   // besides those of the fixture
		says   []string
	}{
		"missing column":      {file("sentence\tlabel\nx\ta\ny\tb\n"), nil, []string{"rows.tsv:1", `"text"`, "--text-column"}},
		"empty file":          {file(""), nil, []string{"rows.tsv", "no data rows"}},
		"header only":         {file("text\tlabel\n"), nil, []string{"rows.tsv", "no data rows"}},
		"line not UTF-8":      {file("text\tlabel\nx\ta\ncaf\xe9\tb\n"), nil, []string{"rows.tsv:3", "0xE9", "UTF-8"}},
		"one label":           {file("text\tlabel\nx\ta\ny\ta\n"), nil, []string{"only one label"}},
		"label not seen":      {file("text\tlabel\nx\tgood\ny\tbad\n"), nil, []string{"rows.tsv:4", `"fair"`, "training file"}},
		"not a number":        {nil, []string{"--regression"}, []string{"rows.tsv:2", "not a finite number"}},
		"file missing":        {func(_ *testing.T, f *fixture) { f.train += "x.tsv" }, nil, []string{"rows.tsvx.tsv", "no such file"}},
		"task and files":      {nil, []string{"--task", "rte"}, []string{"either --task"}},
		"head":                {nil, []string{"--head-init", "zero"}, []string{"random, cosine"}},
		"resume nothing":      {nil, []string{"--resume"}, []string{"nothing to resume"}},
		"resume or overwrite": {nil, []string{"--resume", "--overwrite"}, []string{"contradict"}},
		"drop probability":    {nil, []string{"--dropout", "1"}, []string{"--dropout from 0 to below 1"}},
		"drop is no number":   {nil, []string{"--dropout", "NaN"}, []string{"--dropout from 0 to below 1"}},
		"length too short":    {nil, []string{"--max-length", "1"}, []string{"special tokens"}},
	} {
		t.Run(name, func(t *testing.T) {
			needLibrary(t)
			f := newFixture(t)
			if c.break_ != nil {
				c.break_(t, &f)
			}
			r3f(t, f.args(c.args...)...).want(t, exitUsage, c.says...)
			if _, err := os.Stat(f.out); err == nil {
				t.Error("a run directory was made")
			}
		})
	}
}

func TestUnknownTask(t *testing.T) {
	f := newFixture(t)
	r3f(t, "train", "--model", f.model, "--task", "mrcp", "--data", ".", "--out", f.out).want(t, exitUsage, `"mrcp"`, "did you mean mrpc")
	r3f(t, "train", "--model", f.model, "--task", "rte", "--data", t.TempDir(), "--out", f.out).want(t, exitUsage, "RTE", "--data")
}

func TestBadModel(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		damage func([]byte) []byte
		says   []string
	}{
		"unsupported architecture": {"config.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"bert"`), []byte(`"llama"`), 1) },
			[]string{"config.json", `"llama"`, "supported: albert, bert,"}},
		"truncated weights": {"model.safetensors", func(b []byte) []byte { return b[:len(b)/2] }, []string{"model.safetensors", "truncated", "download"}},
		"corrupt weights": {"model.safetensors", func(b []byte) []byte { return append([]byte{0xff}, b[1:]...) },
			[]string{"model.safetensors", "header"}},
		"wrong shape": {"config.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"vocab_size": 97`), []byte(`"vocab_size": 98`), 1)
		},
			[]string{"bert.embeddings.word_embeddings.weight", "[97 32]", "[98 32]"}},
		"no configuration":        {"config.json", nil, []string{"config.json", "--model"}},
		"no weights":              {"model.safetensors", nil, []string{"model.safetensors", "save_pretrained"}},
		"no tokenizer":            {"tokenizer.json", nil, []string{"tokenizer.json"}},
		"tokenizer is not JSON":   {"tokenizer.json", func(b []byte) []byte { return b[1:] }, []string{"tokenizer.json", "not JSON"}},
		"another tokenizer":       {"tokenizer.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"was":`), []byte(`"was":9`), 1) }, []string{"do not belong together"}},
		"unsupported tokenizer":   {"tokenizer.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"WordPiece"`), []byte(`"WordLevel"`), 1) }, []string{"WordLevel", "WordPiece"}},
		"configuration truncated": {"config.json", func(b []byte) []byte { return b[:40] }, []string{"config.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := filepath.Join(f.model, c.file)
			if c.damage == nil {
				os.Remove(path)
			} else {
				before := read(t, path)
				after := c.damage(bytes.Clone(before))
				if bytes.Equal(before, after) {
					t.Fatal("nothing is damaged")
				}
				write(t, path, after)
			}
			r3f(t, f.args()...).want(t, exitUsage, c.says...)
			if _, err := os.Stat(f.out); err == nil {
				t.Error("a run directory was made")
			}
		})
	}
}

// A model whose weights become useless stops the run and says where: step, examples, checkpoint.
func TestDivergence(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	o := r3f(t, f.withoutDev("--lr", "1e30", "--warmup", "0", "--schedule", "constant", "--checkpoint-every", "1", "--keep", "9")...)
	o.want(t, exitDiverged, "not finite", "rows.tsv:", "last good checkpoint is "+filepath.Join(f.out, "checkpoints", "step-"), "lower --lr")
	var step int
	if at := strings.Index(o.stderr, ": step "); at < 0 {
		t.Errorf("no step is named:\n%s", o.stderr)
	} else if _, err := fmt.Sscanf(o.stderr[at:], ": step %d:", &step); err != nil || step < 2 {
		t.Errorf("step %d, %v:\n%s", step, err, o.stderr)
	}
	if _, err := os.Stat(filepath.Join(f.out, "checkpoints", fmt.Sprintf("step-%d", step-1), "manifest.json")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(f.out, "model")); err == nil {
		t.Error("a diverged model was exported")
	}
	onlyFinal(t, f.out)
}

// A model that diverges unnoticed until it is evaluated stops the run too.
func TestDivergenceInEvaluation(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	o := r3f(t, f.args("--lr", "1e30", "--warmup", "0", "--schedule", "constant", "--eval-every", "1")...)
	o.want(t, exitDiverged)
	if _, err := os.Stat(filepath.Join(f.out, "model")); err == nil {
		t.Error("a diverged model was exported")
	}
}

// Texts longer than the model's positions are cut, counted and said.
func TestLongTexts(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	long := strings.Repeat("the day was good ", 20)
	write(t, f.train, fmt.Appendf(read(t, f.train), "%s\tgood\n%s\tbad\n", long, long))
	write(t, f.dev, fmt.Appendf(read(t, f.dev), "%s\tgood\n", long))
	o := succeed(t, f.args("--max-length", "1000", "--json")...)
	o.want(t, exitDone, "2 of 26 texts of train are longer than 40 tokens", "1 of 10 texts of dev", "positions for 40")
	if got := decode[trainReport](t, o).Truncated; got != 3 {
		t.Errorf("%d texts are reported as cut", got)
	}
}

func TestRunDirectoryExists(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	succeed(t, f.args()...)
	before := read(t, f.out, "metrics.jsonl")
	r3f(t, f.args()...).want(t, exitUsage, f.out, "--resume", "--overwrite")
	r3f(t, f.args("--resume", "--lr", "1e-3")...).want(t, exitUsage, "lr was 2e-05 and is now 0.001")
	if !bytes.Equal(before, read(t, f.out, "metrics.jsonl")) {
		t.Error("the run was changed")
	}
	succeed(t, f.args("--overwrite", "--lr", "1e-3")...)

	other := t.TempDir()
	write(t, filepath.Join(other, "thesis.txt"), []byte("mine"))
	f.out = other
	r3f(t, f.args("--overwrite")...).want(t, exitUsage, "no run wrote")
	if string(read(t, other, "thesis.txt")) != "mine" {
		t.Error("a stranger's file was touched")
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	parent := filepath.Dir(f.out)
	if os.Geteuid() == 0 {
		if parent = "/sys"; runtime.GOOS != "linux" {
			t.Skip("root may write everywhere here")
		}
	} else if err := os.Chmod(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	f.out = filepath.Join(parent, "r3f-ort-run")
	r3f(t, f.args()...).want(t, exitUsage, f.out, "choose an --out that can be written")
	if _, err := os.Stat(f.out); err == nil {
		t.Error("a run directory was made")
	}
}

// A file size limit stands in for a full disk: the first large file does not fit.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no file size limits here")
	}
	needLibrary(t)
	for name, args := range map[string]func(fixture, ...string) []string{"in the export": fixture.args, "in a checkpoint": fixture.withoutDev} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			cmd := command(t)
			// exec keeps the process the shell's own, so that the exit status is the program's
			cmd.Args = append([]string{"sh", "-c", `ulimit -f 32 && exec "$@"`, "sh", binary}, args(f, "--checkpoint-every", "3")...)
			cmd.Path = "/bin/sh"
			finish(t, cmd).want(t, exitFailed, f.out, "file too large")
			for _, dir := range []string{"model", "checkpoints/step-3", "checkpoints/step-6"} {
				if _, err := os.Stat(filepath.Join(f.out, dir)); err == nil {
					t.Errorf("%s is there, of a run that could not write", dir)
				}
			}
			onlyFinal(t, f.out)
		})
	}
}

func TestMissingLibrary(t *testing.T) {
	f := newFixture(t)
	nowhere := filepath.Join(t.TempDir(), "lib")
	text := filepath.Join(t.TempDir(), "libonnxruntime.so.1.32.0")
	write(t, text, []byte("not a library"))
	for _, args := range [][]string{
		{"runtime", "info", "--ort-library", nowhere},
		{"runtime", "info", "--ort-library", text},
		{"bench", "--model", f.model, "--length", "8", "--ort-library", nowhere},
		f.args("--ort-library", nowhere),
	} {
		r3f(t, args...).want(t, exitEnvironment, "make setup")
	}
	cmd := command(t, "runtime", "info")
	cmd.Env = append(cmd.Env, ortlib.EnvVar+"="+nowhere)
	finish(t, cmd).want(t, exitEnvironment, nowhere, ortlib.EnvVar)
	if _, err := os.Stat(f.out); err == nil {
		t.Error("a run directory was made")
	}
}

func TestBadExport(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	succeed(t, f.args()...)
	model := filepath.Join(f.out, "model")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"no model":          {[]string{"predict", "--text", "x"}, []string{"--model"}},
		"a bare model":      {[]string{"predict", "--model", f.model, "--text", "x"}, []string{"model.onnx"}},
		"pair alone":        {[]string{"predict", "--model", model, "--pair", "x"}, []string{"--text"}},
		"own files":         {[]string{"eval", "--model", model}, []string{"--dev FILE"}},
		"other labels":      {[]string{"eval", "--model", model, "--task", "cola", "--data", "."}, []string{`task cola has the labels ["0" "1"]`, "custom"}},
		"split":             {[]string{"eval", "--model", model, "--split", "validation"}, []string{"train, dev, test"}},
		"export in the way": {[]string{"export", "--run", f.out, "--out", f.model}, []string{"--overwrite"}},
		"not an export":     {[]string{"export", "--run", f.out, "--out", f.train, "--overwrite"}, []string{f.train}},
		"no such run":       {[]string{"export", "--run", f.out + "x", "--out", f.out + "y", "--checkpoint", "newest"}, []string{"config.json"}},
		"no best":           {[]string{"export", "--run", f.model, "--out", f.out + "y"}, []string{"--checkpoint newest"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := r3f(t, c.args...)
			code := exitUsage
			if name == "not an export" {
				code = exitFailed
			}
			o.want(t, code, c.says...)
		})
	}
	t.Run("damaged model.onnx", func(t *testing.T) {
		path := filepath.Join(model, "model.onnx")
		data := read(t, path)
		const seed = 3
		r := rand.New(rand.NewPCG(seed, 0))
		write(t, path, data[:r.IntN(len(data))])
		o := r3f(t, "predict", "--model", model, "--text", "x")
		o.want(t, exitUsage, "model.onnx")
	})
}
