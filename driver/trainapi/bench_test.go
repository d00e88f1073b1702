package trainapi

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/r3f-ort/r3f-ort/driver"
)

// BenchmarkStep is a training step on one thread: TrainStep, Update and ZeroGradients, the same work that
// scripts/training/step.py does on the same artifacts from Python. It reports processor time too, which other load on
// the machine hardly changes. R3F_ORT_ARTIFACTS names other artifacts, R3F_ORT_SIZE another batch than 16.
func BenchmarkStep(b *testing.B) {
	dir := official
	if other := os.Getenv("R3F_ORT_ARTIFACTS"); other != "" {
		dir = other
	}
	batch := &driver.Batch{Variant: driver.Doubled, Size: 16, Tokens: 32}
	if size, err := strconv.Atoi(os.Getenv("R3F_ORT_SIZE")); err == nil {
		batch.Size = size
	}
	e := open(b, dir)
	spec := e.Spec()
	r := rand.New(rand.NewPCG(1, 1))
	g := driver.Goal{Lambda: 1, Share: 1, Labels: make([]int, batch.Size), Targets: make([]float64, batch.Size)}
	for range batch.Size * batch.Tokens {
		batch.InputIDs = append(batch.InputIDs, int64(spec.VocabSize/2)+r.Int64N(int64(spec.VocabSize/2)))
		batch.AttentionMask, batch.TypeIDs = append(batch.AttentionMask, 1), append(batch.TypeIDs, 0)
	}
	batch.Noise = make([]float32, batch.Size*batch.Tokens*spec.EmbeddingSize)
	sizes, err := e.MaskSizes(driver.Doubled, batch.Size, batch.Tokens)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range sizes {
		batch.Masks = append(batch.Masks, make([]uint8, n))
	}
	step := func() {
		if _, _, err := e.TrainStep(b.Context(), batch, g); err != nil {
			b.Fatal(err)
		}
		if err := e.Update(driver.Update{LearningRate: 2e-5, Scale: 1, Step: 1}); err != nil {
			b.Fatal(err)
		}
		if err := e.ZeroGradients(); err != nil {
			b.Fatal(err)
		}
	}
	step()
	begin := processorTime(b)
	for b.Loop() {
		step()
	}
	b.ReportMetric((processorTime(b)-begin).Seconds()/float64(b.N), "cpu-s/op")
}

// processorTime is what the process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
