package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// finalFiles are the bytes that two equal runs share.
var finalFiles = []string{"model/model.onnx", "model/model.safetensors", "model/config.json", "checkpoints/step-12/model.safetensors", "checkpoints/step-12/moments.safetensors"}

func TestTrainEvalPredict(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	o := succeed(t, f.args("--lr", "5e-3", "--epochs", "6", "--json")...)
	r := decode[trainReport](t, o)
	model := filepath.Join(f.out, "model")
	if r.Steps != 36 || r.Run != f.out || r.Model != model || r.Interrupted || r.Truncated != 0 || r.Seconds <= 0 || r.ExamplesPerSecond <= 0 ||
		r.SetupSeconds <= 0 || r.PeakRSSMB <= 0 || r.BestStep < 1 || r.BestStep > 36 || len(r.Best) != 2 || r.Profile.Total <= 0 {
		t.Errorf("%+v", r)
	}
	o.want(t, exitDone, "accuracy", "best so far", "model: "+model)
	eval := decode[evalReport](t, succeed(t, "eval", "--model", f.out, "--dev", f.dev, "--json"))
	if !maps.Equal(eval.Metrics, r.Best) || eval.Examples != 9 {
		t.Errorf("the exported model scores %v, the best of training %v", eval.Metrics, r.Best)
	}
	predicted := decode[answer](t, succeed(t, "predict", "--model", model, "--text", "the day was good", "--pair", "a b"))
	sum := 0.0
	for _, s := range predicted.Scores {
		sum += s
	}
	if math.Abs(sum-1) > 1e-12 || predicted.Scores[predicted.Label] != predicted.Score || !slices.Equal(slices.Sorted(maps.Keys(predicted.Scores)), []string{"bad", "fair", "good"}) {
		t.Errorf("%+v", predicted)
	}
}

// metrics reads the loss of each step and the metrics of each evaluation from metrics.jsonl.
func metrics(t *testing.T, run string) (losses map[int]float64, evals []driver.EvalRecord) {
	t.Helper()
	losses = map[int]float64{}
	scan := bufio.NewScanner(bytes.NewReader(read(t, run, "metrics.jsonl")))
	for scan.Scan() {
		var line struct {
			driver.EvalRecord
			Loss float64
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Split == "" {
			losses[line.Step] = line.Loss
			continue
		}
		line.Seconds = 0 // differs from run to run
		evals = append(evals, line.EvalRecord)
	}
	return losses, evals
}

func TestRunDirectory(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	succeed(t, f.args("--eval-every", "4", "--seed", "5")...)
	losses, evals := metrics(t, f.out)
	var steps []int
	for _, e := range evals {
		steps = append(steps, e.Step)
	}
	if want := []int{4, 6, 8, 12}; len(losses) != 12 || !slices.Equal(steps, want) {
		t.Errorf("%d steps, evaluations at %v, want %v", len(losses), steps, want)
	}
	var config map[string]any
	if err := json.Unmarshal(read(t, f.out, "config.json"), &config); err != nil {
		t.Fatal(err)
	}
	sum, err := hashFile(f.train)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"train_sha256": sum, "seed": 5.0, "method": "r3f", "dropout": 0.0, "max_length": 40.0, "r3f_ort_version": version} {
		if config[key] != want {
			t.Errorf("config.json: %s is %v, want %v", key, config[key], want)
		}
	}
	for _, name := range []string{"model.safetensors", "moments.safetensors", "state.json", "manifest.json"} {
		read(t, f.out, "checkpoints", "step-12", name)
	}
	onlyFinal(t, f.out)
}

// Every method trains, and leaves a model that scores as it did in training: for R4F with its head normalised.
func TestMethods(t *testing.T) {
	needLibrary(t)
	for _, args := range [][]string{
		{"--method", "standard"}, {"--method", "r3f", "--noise", "normal", "--stop-gradient"}, {"--method", "r4f"},
		{"--method", "r4f", "--r4f-scope", "out_proj"}, {"--method", "rdrop", "--dropout", "0.1", "--dropout-masks", "independent"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			f := newFixture(t)
			r := decode[trainReport](t, succeed(t, f.args(append(args, "--json", "--lr", "3e-3")...)...))
			eval := decode[evalReport](t, succeed(t, "eval", "--model", f.out, "--dev", f.dev, "--json"))
			if !maps.Equal(eval.Metrics, r.Best) {
				t.Errorf("the exported model scores %v, the best of training %v", eval.Metrics, r.Best)
			}
		})
	}
}

// R4F exports normalised matrices, at the end of a run without dev examples and from a checkpoint.
func TestR4FExportsNormalisedHead(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	succeed(t, f.withoutDev("--method", "r4f", "--lr", "1e-2")...)
	again := filepath.Join(t.TempDir(), "model")
	succeed(t, "export", "--run", f.out, "--out", again, "--checkpoint", "newest")
	sameFiles(t, filepath.Join(f.out, "model"), again, "model.onnx", "model.safetensors", "config.json", "tokenizer.json")
	file, err := safetensors.Open(filepath.Join(again, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, name := range []string{"classifier.weight", "bert.pooler.dense.weight"} {
		w, _ := file.Tensor(name)
		data, err := w.Float32s(nil)
		if err != nil {
			t.Fatal(err)
		}
		if s := largestSingularValue(data, w.Shape[1]); math.Abs(s-1) > 1e-5 {
			t.Errorf("the largest singular value of %s is %v", name, s)
		}
	}
}

// largestSingularValue iterates v ← Wᵀ(W·v), W of the given width.
func largestSingularValue(w []float32, width int) float64 {
	v := make([]float64, width)
	for i := range v {
		v[i] = 1 + 0.01*float64(i)
	}
	sigma := 0.0
	for range 5000 {
		next, norm := make([]float64, width), 0.0
		for row := range slices.Chunk(w, width) {
			dot := 0.0
			for i, x := range row {
				dot += float64(x) * v[i]
			}
			for i, x := range row {
				next[i] += float64(x) * dot
			}
		}
		for _, x := range next {
			norm += x * x
		}
		norm = math.Sqrt(norm)
		for i := range next {
			next[i] /= norm
		}
		v, sigma = next, math.Sqrt(norm)
	}
	return sigma
}

func TestRegression(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	var b strings.Builder
	b.WriteString("id,a,b,mark\n")
	for i := range 20 {
		fmt.Fprintf(&b, "%d,the day,was %s,%.2f\n", i, words[i%3], float64(i%3)*1.5)
	}
	f.train, f.dev = filepath.Join(t.TempDir(), "t.csv"), filepath.Join(t.TempDir(), "d.csv")
	write(t, f.train, []byte(b.String()))
	write(t, f.dev, []byte(b.String()))
	columns := []string{"--text-column", "a", "--pair-column", "b", "--label-column", "mark"}
	r := decode[trainReport](t, succeed(t, f.args(append(columns, "--regression", "--regression-term", "mse", "--json")...)...))
	eval := decode[evalReport](t, succeed(t, append([]string{"eval", "--model", f.out, "--dev", f.dev, "--json"}, columns...)...))
	for _, name := range []string{"pearson", "spearman"} { // logits agree to float32 only
		if math.Abs(eval.Metrics[name]-r.Best[name]) > 1e-4 || r.Best[name] == 0 {
			t.Errorf("%s is %v in training, %v of the export", name, r.Best[name], eval.Metrics[name])
		}
	}
	o := succeed(t, "predict", "--model", f.out, "--text", "the day", "--pair", "was bad")
	if a := decode[answer](t, o); a.Label != "" || a.Scores != nil {
		t.Errorf("%s", o.stdout)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	needLibrary(t)
	a := newFixture(t)
	b := a
	b.out += "-again"
	for _, f := range []fixture{a, b} {
		succeed(t, f.args("--dropout", "0.1", "--seed", "3", "--lr", "1e-3")...)
	}
	sameFiles(t, a.out, b.out, finalFiles...)
	c := a
	c.out += "-other"
	succeed(t, c.args("--dropout", "0.1", "--seed", "4", "--lr", "1e-3")...)
	if bytes.Equal(read(t, a.out, finalFiles[3]), read(t, c.out, finalFiles[3])) {
		t.Error("another seed gives the same bytes")
	}
}

// interrupt starts a training, signals it once it has made a tenth of its steps, and waits for its end.
func interrupt(t *testing.T, signal os.Signal, args []string) outcome {
	t.Helper()
	cmd := command(t, args...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for scan := bufio.NewScanner(pipe); scan.Scan(); {
		fmt.Fprintln(&said, scan.Text())
		if strings.Contains(scan.Text(), "msg=step") && signal != nil {
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			signal = nil
		}
	}
	if err := cmd.Wait(); err != nil {
		if _, ok := err.(*exec.ExitError); !ok {
			t.Fatal(err)
		}
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), said.String()}
}

// An interrupted run that is resumed ends in the bytes of one that was not interrupted.
func TestInterruptAndResume(t *testing.T) {
	needLibrary(t)
	whole := newFixture(t)
	parts := whole
	parts.out += "-parts"
	long := []string{"--max-steps", "240", "--batch-size", "2", "--dropout", "0.1", "--lr", "1e-3", "--eval-every", "50", "--json"}
	succeed(t, whole.args(long...)...)
	for signal, code := range map[os.Signal]int{os.Interrupt: 130, syscall.SIGTERM: 143} {
		o := interrupt(t, signal, parts.args(append(long, "--overwrite")...))
		o.want(t, code, "stopped after step", "checkpoint", "--resume")
		if strings.Contains(strings.SplitAfter(o.stderr, "continue with")[1], "--overwrite") {
			t.Errorf("the advice would overwrite the run:\n%s", o.stderr)
		}
		first := decode[trainReport](t, o)
		if !first.Interrupted || first.Steps < 1 || first.Steps >= 240 {
			t.Errorf("%+v", first)
		}
	}
	r := decode[trainReport](t, succeed(t, parts.args(append(long, "--resume")...)...))
	if r.Interrupted || r.Steps != 240 {
		t.Errorf("%+v", r)
	}
	sameFiles(t, whole.out, parts.out, "model/model.onnx", "model/model.safetensors", "model/config.json",
		"checkpoints/step-240/model.safetensors", "checkpoints/step-240/moments.safetensors", "config.json")
	a, evalsA := metrics(t, whole.out)
	b, evalsB := metrics(t, parts.out)
	if !maps.Equal(a, b) || fmt.Sprint(evalsA) != fmt.Sprint(evalsB) {
		t.Errorf("metrics.jsonl differ: %d and %d steps,\n%v\n%v", len(a), len(b), evalsA, evalsB)
	}
	// a finished run that is resumed has nothing left to do
	if r := decode[trainReport](t, succeed(t, parts.args(append(long, "--resume")...)...)); r.Steps != 240 || r.Seconds != 0 || len(r.Best) == 0 {
		t.Errorf("%+v", r)
	}
}

// A new regression head starts at the mean of the targets, so that training begins with their variance, whatever
// their size; --head-init cosine starts at 0.
func TestCentredHead(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	var b strings.Builder
	b.WriteString("text\tlabel\n")
	for i := range 20 {
		fmt.Fprintf(&b, "the day was %s\t%d\n", words[i%3], 300+i%4) // mean 301.5, variance 1.25
	}
	write(t, f.train, []byte(b.String()))
	first := func(head string) float64 {
		g := f
		g.out += head
		args := g.withoutDev("--regression", "--head-init", head, "--batch-size", "20", "--max-steps", "1")
		o := succeed(t, args...)
		if said := "classifier.bias starts at 301.5, the mean of 20 training targets"; strings.Contains(o.stderr, said) != (head == "random") {
			t.Errorf("--head-init %s says\n%s", head, o.stderr)
		}
		losses, _ := metrics(t, g.out)
		return losses[1]
	}
	if loss := first("random"); math.Abs(loss-1.25) > 0.5 {
		t.Errorf("the first loss is %v", loss)
	}
	if loss := first("cosine"); loss < 300*300*0.9 {
		t.Errorf("the first loss of a head without bias is %v", loss)
	}
}

func TestCosineHead(t *testing.T) {
	needLibrary(t)
	f := newFixture(t)
	write(t, f.train, bytes.ReplaceAll(read(t, f.train), []byte("\tfair"), []byte("\tgood"))) // 2 classes: a new head
	o := succeed(t, f.withoutDev("--head-init", "cosine", "--lr", "1e-30", "--weight-decay", "0", "--max-steps", "1")...)
	o.want(t, exitDone, "classifier.weight, classifier.bias: not in the checkpoint", "--head-init cosine")
	file, err := safetensors.Open(filepath.Join(f.out, "model", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, _ := file.Tensor("classifier.weight")
	got, err := w.Float32s(nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := range w.Shape[0] {
		for j := range w.Shape[1] {
			if want := 0.02 * math.Cos(float64(1+7*k+j)); math.Abs(float64(got[k*w.Shape[1]+j])-want) > 1e-8 {
				t.Fatalf("w[%d][%d] is %v, want %v", k, j, got[k*w.Shape[1]+j], want)
			}
		}
	}
	bias, _ := file.Tensor("classifier.bias")
	if b, err := bias.Float32s(nil); err != nil || slices.ContainsFunc(b, func(x float32) bool { return math.Abs(float64(x)) > 1e-20 }) {
		t.Errorf("bias %v, %v", b, err)
	}
}
