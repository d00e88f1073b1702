package trainapi_test

import (
	"context"
	"fmt"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/trainapi"
)

// Official artifacts fine-tune like any engine's model.
func Example() {
	engine, err := trainapi.New("../../testdata/golden/training-api", trainapi.Options{Threads: 1})
	if err != nil {
		fmt.Println("run make setup-training:", err)
		return
	}
	defer engine.Close()
	examples := func(yield func(driver.Example, error) bool) {
		for i := range 8 {
			if !yield(driver.Example{ID: fmt.Sprint(i), InputIDs: []int64{2, int64(10 + i), 3}, Label: i % 3}, nil) {
				return
			}
		}
	}
	result, err := driver.Train(context.Background(), engine, examples, driver.Options{Method: "r3f", BatchSize: 4, Epochs: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Steps, "steps, the loss inside the graph and outside agree:", result.Last.Loss-result.Last.GraphLoss < 1e-5)
}
