package stock_test

import (
	"context"
	"fmt"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// Two steps of R3F on a BERT read from a Hugging Face directory. It needs the ONNX Runtime library, so it is compiled
// with the tests and not run.
func Example() {
	model, err := graphs.Load("testdata/golden/tiny-bert-3", 3, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := stock.New(model, stock.Options{Threads: 2, Dropout: 0.1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	examples := func(yield func(driver.Example, error) bool) {
		for i := range 32 {
			x := driver.Example{ID: fmt.Sprint("line ", i+1), InputIDs: []int64{1, int64(5 + i), int64(40 + i), 2}, Label: i % 3}
			if !yield(x, nil) {
				return
			}
		}
	}
	result, err := driver.Train(context.Background(), engine, examples, driver.Options{Method: "r3f", MaxSteps: 2, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("steps:", result.Steps, "R3F term above 0:", result.Last.R3F > 0)
}
