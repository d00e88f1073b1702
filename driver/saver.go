package driver

import (
	"fmt"
	"time"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// Checkpoints counts what a process wrote, and the time it took.
type Checkpoints struct {
	Written    int     `json:"written"`
	Failed     int     `json:"failed"`
	Blocked    float64 `json:"blocked"`    // seconds that training waited
	Background float64 `json:"background"` // seconds of writing beside the training
}

// saver writes a run's checkpoints, one at a time, each in two parts: training waits for the first.
type saver struct {
	begun   int        // step of the checkpoint begun last, 0 for none
	saved   int        // step of the newest good checkpoint, 0 for none
	at      time.Time  // when the last was begun, or training began
	running chan error // the second part of the checkpoint begun last, or nil
	seconds float64    // that it took, once running has yielded
}

// due reports whether a checkpoint is to follow the step that is done.
func (t *trainer) due(epochEnd bool) bool {
	o, done := t.options, t.state.Step
	return epochEnd || done == t.state.BestStep || o.CheckpointEvery > 0 && done%o.CheckpointEvery == 0 ||
		o.CheckpointInterval > 0 && time.Since(t.at) >= o.CheckpointInterval
}

// checkpoint begins to save the run where it has a directory, unless that was the last thing done.
func (t *trainer) checkpoint() error {
	if t.options.Run == nil || t.begun == t.state.Step {
		return nil
	}
	if err := t.settle(); err != nil {
		return err
	}
	begin := time.Now()
	t.begun, t.at = t.state.Step, begin
	c, err := t.options.Run.begin(t.engine, t.state)
	t.result.Checkpoints.Blocked += time.Since(begin).Seconds()
	if err != nil {
		return t.tolerate(err)
	}
	running, keep := make(chan error, 1), t.options.Keep
	t.running = running
	go func() {
		begin := time.Now()
		err := c.commit(keep)
		t.seconds = time.Since(begin).Seconds()
		running <- err
	}()
	return nil
}

// settle waits for the checkpoint that is being written.
func (t *trainer) settle() error {
	if t.running == nil {
		return nil
	}
	begin := time.Now()
	err := <-t.running
	t.running = nil
	r := &t.result.Checkpoints
	r.Blocked += time.Since(begin).Seconds()
	r.Background += t.seconds
	if err != nil {
		return t.tolerate(err)
	}
	r.Written++
	t.saved = t.begun
	return nil
}

// glance settles a checkpoint that is written already.
func (t *trainer) glance() error {
	if len(t.running) == 0 {
		return nil
	}
	return t.settle()
}

// tolerate is what becomes of an error in writing to the run directory: the run's end, or a note where the options
// say to go on and the fault is the system's.
func (t *trainer) tolerate(err error) error {
	t.result.Checkpoints.Failed++
	if t.options.OnCheckpointError != Continue || !durable.FromSystem(err) {
		return err
	}
	last := "no checkpoint was written yet"
	if t.saved > 0 {
		last = "the last good checkpoint is " + t.options.Run.checkpoint(t.saved)
	}
	t.note(fmt.Sprintf("%v; going on, %s", err, last))
	return nil
}

// note tells a person something.
func (t *trainer) note(message string) {
	if t.options.OnNote != nil {
		t.options.OnNote(message)
	}
}
