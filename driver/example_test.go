package driver_test

import (
	"context"
	"fmt"
	"iter"

	"github.com/r3f-ort/r3f-ort/driver"
)

// openEngine stands for stock.New(model, stock.Options{Dropout: 0.1}): a model of three classes, small enough for an
// example.
func openEngine() driver.Engine { return driver.NewToy(3, 0.1) }

// pipeline stands for any source of encoded, labelled texts: a file, a queue, a database. An error ends the run.
func pipeline() iter.Seq2[driver.Example, error] {
	return func(yield func(driver.Example, error) bool) {
		for _, x := range driver.ToyExamples(240, 1) {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// Fine-tuning with R3F on examples from a pipeline, with dev examples scored after each epoch and hooks.
func ExampleTrain() {
	engine := openEngine()
	defer engine.Close()

	result, err := driver.Train(context.Background(), engine, pipeline(), driver.Options{
		Method:       "r3f",
		LearningRate: 0.03,
		Epochs:       8,
		Seed:         1,

		Dev:     driver.ToyExamples(60, 2),
		Primary: "accuracy",
		Score: func(logits []float32, classes int, dev []driver.Example) (map[string]float64, error) {
			right := 0.0
			for i, x := range dev {
				best := 0
				for k := range classes {
					if logits[i*classes+k] > logits[i*classes+best] {
						best = k
					}
				}
				if best == x.Label {
					right++
				}
			}
			return map[string]float64{"accuracy": right / float64(len(dev))}, nil
		},

		OnStart: func(p driver.Plan) error {
			fmt.Printf("%d examples, %d steps, %d of warm-up\n", p.Examples, p.Steps, p.Warmup)
			return nil
		},
		OnStep: func(r driver.StepRecord) error {
			if r.Step == 1 {
				fmt.Println("R3F term above 0:", r.R3F > 0)
			}
			return nil
		},
		OnBest: func(r driver.EvalRecord) error {
			return nil // the place to export: the engine holds the best model so far
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("steps:", result.Steps)
	fmt.Println("accuracy above 0.8:", result.Best["accuracy"] > 0.8)
	// Output:
	// 240 examples, 120 steps, 7 of warm-up
	// R3F term above 0: true
	// steps: 120
	// accuracy above 0.8: true
}

// Options are checked before anything runs; the error names the option as the command line spells it.
func ExampleOptions_Validate() {
	fmt.Println(driver.Options{Method: "r3f", Noise: "pink"}.Validate())
	// Output:
	// option noise: is "pink"; choose one of uniform, normal
}
