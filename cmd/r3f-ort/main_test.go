package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "r3f-ort-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "r3f-ort.exe")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// needLibrary skips a test where there is no ONNX Runtime, and returns its path.
func needLibrary(t *testing.T) string {
	t.Helper()
	path, err := ortlib.Find("")
	if err != nil {
		t.Skipf("needs ONNX Runtime: %v", err)
	}
	return path
}

// outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// command prepares a run with no settings from the environment of the tests but the library.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, envPrefix) {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	if path, err := ortlib.Find(""); err == nil {
		cmd.Env = append(cmd.Env, ortlib.EnvVar+"="+path)
	}
	return cmd
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func r3f(t *testing.T, args ...string) outcome {
	t.Helper()
	return finish(t, command(t, args...))
}

// succeed runs the program and fails the test where the program fails.
func succeed(t *testing.T, args ...string) outcome {
	t.Helper()
	o := r3f(t, args...)
	if o.code != exitDone {
		t.Fatalf("r3f-ort %s: exit %d\n%s", strings.Join(args, " "), o.code, o.stderr)
	}
	return o
}

// decode reads the one JSON object that a run printed.
func decode[T any](t *testing.T, o outcome) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(o.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("standard output is not one such object: %v\n%s", err, o.stdout)
	}
	return v
}

// want checks the exit status and that the message holds every fragment.
func (o outcome) want(t *testing.T, code int, fragments ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit %d, want %d\n%s", o.code, code, o.stderr)
	}
	for _, f := range fragments {
		if !strings.Contains(o.stderr, f) {
			t.Errorf("the message lacks %q:\n%s", f, o.stderr)
		}
	}
	if strings.Contains(o.stderr, "panic:") || strings.Contains(o.stderr, "goroutine ") {
		t.Errorf("the program panicked:\n%s", o.stderr)
	}
}

// words of the tiny vocabulary, besides letters.
var words = []string{"good", "bad", "fair", "the", "day", "was"}

// tinyModel makes a model directory: the golden BERT of 2 layers and 40 positions, and a tokenizer.
func tinyModel(t *testing.T) string {
	t.Helper()
	return goldenModel(t, "../../testdata/golden/tiny-bert-3")
}

// goldenModel makes a model directory of a golden model and a WordPiece tokenizer of letters and a few words.
func goldenModel(t *testing.T, golden string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(golden, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), data)
	}
	special := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	vocabulary := map[string]int{}
	add := func(token string) { vocabulary[token] = len(vocabulary) }
	for _, s := range special {
		add(s)
	}
	for c := 'a'; c <= 'z'; c++ {
		add(string(c))
		add("##" + string(c))
	}
	for _, w := range words {
		add(w)
	}
	var added []any
	for i, s := range special {
		added = append(added, map[string]any{"id": i, "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	}
	data, err := json.Marshal(map[string]any{
		"version": "1.0", "added_tokens": added,
		"normalizer":     map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true},
		"pre_tokenizer":  map[string]any{"type": "BertPreTokenizer"},
		"post_processor": map[string]any{"type": "BertProcessing", "sep": []any{"[SEP]", 3}, "cls": []any{"[CLS]", 2}},
		"model": map[string]any{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
			"vocab": vocabulary},
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tokenizer.json"), data)
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rows writes n labelled rows in turn of the first three words, of different lengths, to a TSV file.
func rows(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("text\tlabel\n")
	for i := range n {
		word := words[i%3]
		fmt.Fprintf(&b, "the day%s was %s\t%s\n", strings.Repeat(" "+string(rune('a'+i%26)), i%7), word, word)
	}
	path := filepath.Join(t.TempDir(), "rows.tsv")
	write(t, path, []byte(b.String()))
	return path
}

// fixture is a model, data and a run directory that does not exist yet.
type fixture struct{ model, train, dev, out string }

func newFixture(t *testing.T) fixture {
	t.Helper()
	return fixture{tinyModel(t), rows(t, 24), rows(t, 9), filepath.Join(t.TempDir(), "run")}
}

// args are those of a short training.
func (f fixture) args(more ...string) []string {
	args := []string{"train", "--model", f.model, "--train", f.train, "--dev", f.dev, "--out", f.out, "--epochs", "2", "--batch-size", "4", "--threads", "1"}
	return append(args, more...)
}

// withoutDev is args without the dev file.
func (f fixture) withoutDev(more ...string) []string {
	args := f.args(more...)
	i := slices.Index(args, "--dev")
	return slices.Delete(args, i, i+2)
}

// sameFiles compares files of two directories byte by byte.
func sameFiles(t *testing.T, a, b string, names ...string) {
	t.Helper()
	for _, name := range names {
		if !bytes.Equal(read(t, a, name), read(t, b, name)) {
			t.Errorf("%s differs between %s and %s", name, a, b)
		}
	}
}

// onlyFinal fails where a directory holds something under a temporary name.
func onlyFinal(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != dir && strings.HasPrefix(filepath.Base(path), ".") {
			t.Errorf("%s is left over", path)
		}
		return nil
	})
}
