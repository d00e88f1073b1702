package driver

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// soundCheckpoint writes a checkpoint of step 7 and returns the run, its directory, manifest and state.
func soundCheckpoint(f *testing.F) (dir string, manifest, state []byte) {
	f.Helper()
	dir = f.TempDir()
	run, err := OpenRun(dir, Create, map[string]any{"seed": 1, "train_sha256": "ab"})
	if err != nil {
		f.Fatal(err)
	}
	e := NewToy(3, 0)
	c, err := run.begin(e, stateOf(7))
	if err == nil {
		err = c.commit(1)
	}
	if err := errors.Join(err, run.Close()); err != nil {
		f.Fatal(err)
	}
	manifest, err1 := os.ReadFile(filepath.Join(run.checkpoint(7), manifestName))
	state, err2 := os.ReadFile(filepath.Join(run.checkpoint(7), stateFile))
	if err := errors.Join(err1, err2); err != nil {
		f.Fatal(err)
	}
	return dir, manifest, state
}

func stateOf(step int) state {
	return state{Step: step, Position: position{Seed: 1}, Best: map[string]float64{"accuracy": 0.5}, BestStep: 3}
}

// Whatever state.json holds, reading it gives a state that can be written and read again, or an error.
func FuzzState(f *testing.F) {
	_, _, sound := soundCheckpoint(f)
	f.Add(sound)
	f.Add([]byte(`{"format":2,"step":-7,"best":null}`))
	f.Add([]byte(`{"format":2,"step":7,"position":{"permutation_seed":1e99}}`))
	f.Add([]byte(`{"format":2,"step":7}{"step":8}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data)
		if err != nil {
			return
		}
		again, err := encodeJSON(s)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", s, err)
		}
		if back, err := parseState(again); err != nil || s.Step < 1 || !reflect.DeepEqual(differences(s.Config, back.Config), []string(nil)) || back.Step != s.Step || back.Position != s.Position {
			t.Errorf("%+v is read back as %+v, %v", s, back, err)
		}
	})
}

// Whatever manifest.json holds, it is read only where it is as it would be written, and names no file elsewhere.
func FuzzManifest(f *testing.F) {
	_, sound, _ := soundCheckpoint(f)
	f.Add(sound)
	f.Add([]byte(`{"format":2,"files":{"../../etc/passwd":{"size":1,"sha256":""}}}`))
	f.Add([]byte(`{"format":2,"files":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		again, err := encodeJSON(m)
		if err != nil || string(again) != string(data) {
			t.Errorf("%q is read, and written as %q, %v", data, again, err)
		}
		for name := range m.Files {
			if !filepath.IsLocal(name) {
				t.Errorf("it names %q", name)
			}
		}
	})
}

// Whatever the two JSON files of a checkpoint hold, loading gives the state that was written, or an error.
func FuzzLoadCheckpoint(f *testing.F) {
	dir, soundManifest, soundState := soundCheckpoint(f)
	f.Add(soundManifest, soundState)
	f.Add(soundManifest, []byte(`{}`))
	f.Add([]byte(`null`), soundState)
	f.Add([]byte(nil), []byte(nil))
	checkpoint := filepath.Join(dir, checkpointsDir, "step-7")
	e := NewToy(3, 0)
	f.Fuzz(func(t *testing.T, manifestJSON, stateJSON []byte) {
		write(t, filepath.Join(checkpoint, stateFile), string(stateJSON))
		write(t, filepath.Join(checkpoint, manifestName), string(manifestJSON))
		s, skipped, err := load(dir, e)
		switch sound := string(manifestJSON) == string(soundManifest) && string(stateJSON) == string(soundState); {
		case err == nil && (!sound || s.Step != 7 || len(skipped) > 0):
			t.Errorf("state %+v of manifest %q and state %q", s, manifestJSON, stateJSON)
		case err != nil && (sound || !errors.Is(err, ErrCheckpoint)):
			t.Errorf("error %v", err)
		}
	})
}
