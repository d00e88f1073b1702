package driver

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// keeper is an engine with state of its own: how many updates it has made.
type keeper struct {
	*Toy
	made int
}

func (k *keeper) Update(u Update) error {
	k.made++
	return k.Toy.Update(u)
}

func (k *keeper) SaveState(dir string) error {
	err := os.Mkdir(filepath.Join(dir, "below"), 0o755)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "below", "made"), []byte(strconv.Itoa(k.made)), 0o644), os.WriteFile(filepath.Join(dir, "x"), nil, 0o644))
}

func (k *keeper) LoadState(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "below", "made"))
	if err == nil {
		k.made, err = strconv.Atoi(string(data))
	}
	return err
}

// An engine's own state is part of a checkpoint: restored with it, and guarded by its manifest.
func TestEngineState(t *testing.T) {
	dir := t.TempDir()
	o := Options{BatchSize: 16, MaxSteps: 6, CheckpointEvery: 2, Keep: 9}
	o.Run = openRun(t, dir, Create, nil)
	if _, err := Train(t.Context(), &keeper{Toy: NewToy(3, 0)}, sequence(ToyExamples(200, 1)), o); err != nil {
		t.Fatal(err)
	}
	e := &keeper{Toy: NewToy(3, 0)}
	if s, _, err := load(dir, e); err != nil || s.Step != 6 || e.made != 6 {
		t.Errorf("step %d, %d updates, %v", s.Step, e.made, err)
	}
	write(t, filepath.Join(o.Run.checkpoint(6), engineFiles, "below", "made"), "7")
	if s, skipped, err := load(dir, e); err != nil || s.Step != 4 || e.made != 4 || len(skipped) != 1 || !mentions(skipped[0], "engine/below/made") {
		t.Errorf("damaged: step %d, %d updates, skipped %v, %v", s.Step, e.made, skipped, err)
	}
	if err := os.Remove(filepath.Join(o.Run.checkpoint(4), engineFiles, "x")); err != nil {
		t.Fatal(err)
	}
	if s, _, err := load(dir, e); err != nil || s.Step != 2 || e.made != 2 {
		t.Errorf("missing: step %d, %d updates, %v", s.Step, e.made, err)
	}
}
