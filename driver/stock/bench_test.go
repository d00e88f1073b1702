package stock_test

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// BenchmarkR3FStep is one R3F update of MiniLM on 16 examples of 128 tokens with dropout 0.1.
func BenchmarkR3FStep(b *testing.B) {
	needLibrary(b)
	const model = "../../.r3f/models/minilm"
	if _, err := os.Stat(model); err != nil {
		b.Skipf("no MiniLM: %v; run make setup", err)
	}
	m, err := graphs.Load(model, 2, 1)
	if err != nil {
		b.Fatal(err)
	}
	e, err := stock.New(m, stock.Options{Dropout: 0.1})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	r := rand.New(rand.NewPCG(1, 2))
	examples := func(yield func(driver.Example, error) bool) {
		for i := range 16 {
			x := driver.Example{ID: "random", Label: i % 2}
			for range 128 {
				x.InputIDs = append(x.InputIDs, 1000+r.Int64N(29000))
			}
			if !yield(x, nil) {
				return
			}
		}
	}
	result, err := driver.Train(context.Background(), e, examples, driver.Options{MaxSteps: b.N + 1, OnStep: func(s driver.StepRecord) error {
		if s.Step == 1 {
			b.ResetTimer()
		}
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	p := result.Profile
	n := float64(result.Steps)
	for name, v := range map[string]float64{"forward": p.Forward, "backward": p.Backward, "wait": p.Wait, "loss": p.Loss, "update": p.Update} {
		b.ReportMetric(1000*v/n, name+"-ms")
	}
}
