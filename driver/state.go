package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// state is what a run needs besides tensors, and what tells whether a checkpoint is of this run. Order, noise, masks
// and schedule are functions of (seed, step), so that all their counters follow from the step; they are recorded to be
// compared with what the resumed run makes of its own options and data.
type state struct {
	Format    int                `json:"format"`
	Step      int                `json:"step"` // updates done
	Position  position           `json:"position"`
	EvalDue   bool               `json:"eval_due,omitempty"`  // the evaluation of this step was interrupted
	Metrics   map[string]float64 `json:"metrics,omitempty"`   // of the last evaluation
	Best      map[string]float64 `json:"best,omitempty"`      // of the best evaluation so far
	BestStep  int                `json:"best_step,omitempty"` // when that was
	SinceBest int                `json:"since_best"`          // evaluations since then
	Totals    totals             `json:"totals"`
	Journal   mark               `json:"metrics_file"`           // what metrics.jsonl held
	Config    map[string]any     `json:"config"`                 // of the run, with the hashes of data, tokenizer and model
	Graph     string             `json:"graph_sha256,omitempty"` // of what the engine runs, where it says
}

// position is where a run stands in each of its sequences.
type position struct {
	Seed          uint64 `json:"permutation_seed"` // of the order of examples, and of noise and masks
	Examples      int    `json:"examples"`
	StepsPerEpoch int    `json:"steps_per_epoch"`
	Epoch         int    `json:"epoch"`           // passes completed
	Cursor        int    `json:"cursor"`          // updates done of the epoch's permutation
	Noise         int    `json:"noise_counter"`   // step that the next noise is keyed by
	Dropout       int    `json:"dropout_counter"` // and the next masks
	Accumulated   int    `json:"accumulated"`     // micro-batches of an unfinished update: none, checkpoints lie between updates
	Schedule      int    `json:"schedule_step"`
	Warmup        int    `json:"warmup"`
	Steps         int    `json:"steps"` // of the whole run
}

// totals are counts over the whole run, resumptions included.
type totals struct {
	Examples int `json:"examples"` // trained on, repetitions counted
	Skipped  int `json:"skipped"`  // updates left out because something was not finite
}

// position is where the run stands after step updates.
func (t *trainer) position(step int) position {
	p := t.plan
	return position{
		Seed: t.options.Seed, Examples: p.Examples, StepsPerEpoch: p.StepsPerEpoch, Epoch: step / p.StepsPerEpoch, Cursor: step % p.StepsPerEpoch,
		Noise: step, Dropout: step, Schedule: step, Warmup: p.Warmup, Steps: p.Steps,
	}
}

// admit refuses a checkpoint that this run would not continue to the bytes of the run that wrote it.
func (t *trainer) admit(s state) error {
	before, err1 := plain(s.Position)
	now, err2 := plain(t.position(s.Step))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	before["graph_sha256"], now["graph_sha256"] = s.Graph, t.state.Graph
	return t.options.Run.refuse(append(differences(s.Config, t.options.Run.config), differences(before, now)...))
}

// parseState reads a state.json.
func parseState(data []byte) (state, error) {
	var s state
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return state{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return state{}, errors.New("more follows the state")
	}
	if s.Format != checkpointFormat {
		return state{}, fmt.Errorf("its format is %d; this program reads format %d", s.Format, checkpointFormat)
	}
	if s.Step < 1 {
		return state{}, fmt.Errorf("it is of step %d; steps count from 1", s.Step)
	}
	return s, nil
}
