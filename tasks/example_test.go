package tasks_test

import (
	"errors"
	"fmt"

	"github.com/r3f-ort/r3f-ort/tasks"
)

// Reading data of one's own: labels are found, rows come one by one, answers are scored.
func Example() {
	task, err := tasks.FromFiles("testdata/reviews.csv", "testdata/reviews.csv", tasks.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(task.Labels, task.Metrics)

	data, err := task.Load("", tasks.Dev)
	if err != nil {
		fmt.Println(err)
		return
	}
	var predictions []tasks.Prediction
	for _, e := range data.Examples {
		fmt.Printf("%s %d %s\n", e.ID, e.Label, e.Text)
		logits := []float32{0.3, float32(len(e.Text)) / 100} // a model that calls long texts good
		predictions = append(predictions, tasks.FromLogits(logits))
	}
	scores, err := tasks.Evaluate(task.Metrics, data.Examples, predictions)
	fmt.Println(scores, err)
	// Output:
	// [bad good] [accuracy f1]
	// testdata/reviews.csv:2 1 The kettle boils fast, and the lid "clicks" shut.
	// testdata/reviews.csv:3 0 It leaked on the first day.
	// testdata/reviews.csv:4 1 Quiet, light, cheap.
	// testdata/reviews.csv:5 0 The handle broke after a week.
	// map[accuracy:0.75 f1:0.6666666666666666] <nil>
}

func ExampleLookup() {
	task, _ := tasks.Lookup("STSB")
	fmt.Println(task.Name, task.Regression(), task.NumLabels(), task.Metrics)

	_, err := tasks.Lookup("colla")
	fmt.Println(errors.Is(err, tasks.ErrData), err)
	// Output:
	// sts-b true 1 [pearson spearman]
	// true unknown task "colla": did you mean cola? known tasks are rte, mrpc, cola, sst-2, sts-b, qnli; for data of your own give --train FILE --dev FILE instead
}
