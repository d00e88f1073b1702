package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/tasks"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// exported writes an untrained model and returns its directory.
func exported(t *testing.T, labels []string) string {
	t.Helper()
	m, tok, err := loadSource(t, tinyModel(t)).load(max(1, len(labels)), 1, "random")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	err = export.Write(dir, m, m.Weights, export.Options{Task: "custom", Method: "r3f", BaseModel: "tiny", Labels: labels, MaxLength: 40, TokenizerFiles: tok.Files()})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The exported model run alone gives the logits of the training engine.
func TestExportedModelEqualsEngine(t *testing.T) {
	library := needLibrary(t)
	base := tinyModel(t)
	m, tok, err := loadSource(t, base).load(3, 1, "random")
	if err != nil {
		t.Fatal(err)
	}
	task, err := tasks.FromFiles(rows(t, 60), "", tasks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := loadDataset(context.Background(), task, "", tasks.Train, tok, 40)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := stock.New(m, stock.Options{Library: library, Threads: 1, Dropout: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	want, err := driver.Predict(context.Background(), engine, d.examples)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := exportEngine(engine, m, dir, export.Options{Task: "custom", Labels: task.Labels, MaxLength: 40, TokenizerFiles: tok.Files()}); err != nil {
		t.Fatal(err)
	}
	p, err := openPredictor(dir, stock.Options{Library: library, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.session.Close()
	got, err := driver.Predict(context.Background(), p, d.examples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-4 {
			t.Fatalf("logit %d is %v of the export, %v of the engine", i, got[i], want[i])
		}
	}
}

// Answers come in the order of the questions, whatever their lengths, and each is that of the text alone.
func TestPredictStream(t *testing.T) {
	needLibrary(t)
	model := exported(t, []string{"x", "y", "z"})
	var input strings.Builder
	var single []answer
	for i := range 600 {
		text := strings.Repeat(words[i%6]+" ", 1+i*7%23)
		fmt.Fprintf(&input, "{\"id\": %d, \"text\": %q}\n", i, text)
		if i%211 == 0 {
			fmt.Fprintln(&input) // empty lines are no questions
			single = append(single, decode[answer](t, succeed(t, "predict", "--model", model, "--text", text, "--threads", "1")))
		}
	}
	cmd := command(t, "predict", "--model", model, "--threads", "1")
	cmd.Stdin = strings.NewReader(input.String())
	o := finish(t, cmd)
	o.want(t, exitDone)
	d := json.NewDecoder(strings.NewReader(o.stdout))
	n := 0
	for ; d.More(); n++ {
		var a answer
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if n%211 == 0 && (a.Label != single[n/211].Label || math.Abs(a.Score-single[n/211].Score) > 1e-5) {
			t.Errorf("line %d: %+v, alone %+v", n+1, a, single[n/211])
		}
	}
	if n != 600 {
		t.Errorf("%d answers to 600 questions", n)
	}
}

func TestPredictMalformed(t *testing.T) {
	needLibrary(t)
	model := exported(t, nil)
	for name, c := range map[string]struct{ line, says string }{
		"no JSON":       {"the day", "not such a JSON object"},
		"no object":     {`["text"]`, "not such a JSON object"},
		"text a number": {`{"text": 3}`, "text"},
		"no text":       {`{"txt": "x"}`, `no "text"`},
		"not UTF-8":     {"{\"text\": \"caf\xe9\"}", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "predict", "--model", model)
			cmd.Stdin = strings.NewReader("{\"text\": \"good\"}\n\n" + c.line + "\n{\"text\": \"bad\"}\n")
			o := finish(t, cmd)
			o.want(t, exitUsage, "line 3", c.says)
			if strings.Count(o.stdout, "\n") != 1 {
				t.Errorf("before the bad line there is one question, answered with\n%s", o.stdout)
			}
		})
	}
}

// A program that asks one question and waits for the answer gets it.
func TestPredictAnswersAtOnce(t *testing.T) {
	needLibrary(t)
	cmd := command(t, "predict", "--model", exported(t, []string{"x", "y", "z"}))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(out)
	for i := range 3 {
		fmt.Fprintf(in, "{\"text\": %q}\n", words[i])
		if !answers.Scan() || !json.Valid(answers.Bytes()) {
			t.Fatalf("question %d: %q, %v", i, answers.Text(), answers.Err())
		}
	}
	// an interrupt ends it although it waits for input
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Skip(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit %d after an interrupt", code)
	}
}

func TestReadTexts(t *testing.T) {
	var input strings.Builder
	for i := range 3*maxChunk + 17 {
		fmt.Fprintf(&input, "{\"text\": \"%d\", \"pair\": %v}\n", i, map[bool]string{true: `"p"`, false: "null"}[i%2 == 0])
	}
	// split anywhere, the texts are the same
	readers := map[string]io.Reader{"whole": strings.NewReader(input.String()), "byte by byte": io.MultiReader(bytewise(input.String())...)}
	for name, r := range readers {
		n := 0
		for chunk := range readTexts(context.Background(), r, standardInput, parseText) {
			if chunk.err != nil || len(chunk.texts) > maxChunk {
				t.Fatalf("%s: %d texts, %v", name, len(chunk.texts), chunk.err)
			}
			for _, x := range chunk.texts {
				if x.Text != fmt.Sprint(n) || (x.Pair != nil) != (n%2 == 0) {
					t.Fatalf("%s: text %d is %+v", name, n, x)
				}
				n++
			}
		}
		if n != 3*maxChunk+17 {
			t.Errorf("%s: %d texts", name, n)
		}
	}
}

func bytewise(s string) []io.Reader {
	out := make([]io.Reader, len(s))
	for i := range s {
		out[i] = strings.NewReader(s[i : i+1])
	}
	return out
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{`{"text": "a", "pair": "b"}`, `{"text": null}`, `{"TEXT": "a"}`, `[]`, "{", "\xff", `{"text": "\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		text, err := parseText(line)
		if err != nil {
			return
		}
		again, err := json.Marshal(map[string]any{"text": text.Text, "pair": text.Pair})
		if err != nil {
			t.Fatal(err)
		}
		var back tokenize.Text
		if back, err = parseText(again); err != nil || back.Text != text.Text || (back.Pair == nil) != (text.Pair == nil) {
			t.Errorf("%q became %+v, then %+v (%v)", line, text, back, err)
		}
	})
}

func TestPredictRefusesDamagedWeights(t *testing.T) {
	p := &predictor{}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := p.answer([]float32{0, float32(bad)}); err == nil {
			t.Errorf("logit %v is taken for an answer", bad)
		}
	}
}

// loadSource is the model at path with its tokenizer beside it.
func loadSource(t *testing.T, path string) source {
	t.Helper()
	s, err := newSource(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
