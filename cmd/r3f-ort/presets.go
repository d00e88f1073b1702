package main

import (
	"strconv"
	"strings"

	"github.com/r3f-ort/r3f-ort/tasks"
)

// paperTasks are the settings of the R3F paper for GLUE with RoBERTa-large, the same for R3F and R4F. λ, one of 0.1,
// 0.5, 1 and 5, and the noise, normal or uniform, were chosen for each task and are left open.
//
// Source: Aghajanyan et al. 2020, arXiv 2008.03156, table of task specific hyper-parameters.
var paperTasks = []struct {
	task             string
	lr               string
	updates, batches int
}{
	{"mnli", "5e-6", 123873, 8},
	{"qnli", "5e-6", 33112, 8},
	{"qqp", "5e-6", 113272, 32},
	{"sst-2", "5e-6", 20935, 32},
	{"rte", "1e-5", 3120, 8},
	{"mrpc", "1e-5", 2296, 16},
	{"cola", "1e-5", 5336, 16},
}

// presetValues returns a preset's settings for a task.
func presetValues(preset, task string) ([]setting, error) {
	if t, err := tasks.Lookup(task); err == nil {
		task = t.Name
	}
	switch preset {
	case "":
		return nil, nil
	case "fairseq-rte": // the command of the published code's README
		return []setting{
			{name: "batch-size", value: "8"}, {name: "max-steps", value: "3120"}, {name: "warmup", value: "187"},
			{name: "lr", value: "1e-5"}, {name: "weight-decay", value: "0.1"}, {name: "noise", value: "uniform"}, {name: "lambda", value: "0.7"},
		}, nil
	case "paper":
		var names []string
		for _, p := range paperTasks {
			if p.task == task {
				return []setting{
					{name: "lr", value: p.lr}, {name: "max-steps", value: strconv.Itoa(p.updates)}, {name: "batch-size", value: strconv.Itoa(p.batches)},
				}, nil
			}
			names = append(names, p.task)
		}
		return nil, usagef("preset paper has no settings for task %q; it has them for %s", task, strings.Join(names, ", "))
	}
	return nil, usagef("unknown preset %q; choose paper or fairseq-rte", preset)
}
