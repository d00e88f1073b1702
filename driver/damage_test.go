package driver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// damage is what disks and people do to a checkpoint's directory; other is that of another checkpoint of the run.
type damage struct {
	name string
	do   func(r *rand.Rand, dir, other string) error
}

// rewritten replaces a random file of a checkpoint by what change makes of it.
func rewritten(change func(r *rand.Rand, data []byte) []byte) func(*rand.Rand, string, string) error {
	return func(r *rand.Rand, dir, _ string) error { return rewrite(filepath.Join(dir, pick(r)), r, change) }
}

func pick(r *rand.Rand) string {
	return []string{weightsFile, momentsFile, stateFile, manifestName}[r.IntN(4)]
}

func rewrite(path string, r *rand.Rand, change func(r *rand.Rand, data []byte) []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(path), os.WriteFile(path, change(r, data), 0o644))
}

func flip(r *rand.Rand, data []byte) []byte {
	data[r.IntN(len(data))] ^= 1 << r.IntN(8)
	return data
}

func tear(r *rand.Rand, data []byte) []byte { return data[:r.IntN(len(data))] }

var damages = []damage{
	{"a flipped bit", rewritten(flip)},
	{"another flipped bit", rewritten(flip)},
	{"a torn file", rewritten(tear)},
	{"another torn file", rewritten(tear)},
	{"more at the end", rewritten(func(r *rand.Rand, data []byte) []byte { return append(data, byte(r.IntN(256))) })},
	{"zeros at the end, as after a loss of power", rewritten(func(r *rand.Rand, data []byte) []byte {
		clear(data[r.IntN(len(data)-1):])
		return data
	})},
	{"a missing file", func(r *rand.Rand, dir, _ string) error { return os.Remove(filepath.Join(dir, pick(r))) }},
	{"a file of another checkpoint", func(r *rand.Rand, dir, other string) error {
		name := pick(r)
		return errors.Join(os.Remove(filepath.Join(dir, name)), os.Link(filepath.Join(other, name), filepath.Join(dir, name)))
	}},
	{"weights and moments exchanged", func(_ *rand.Rand, dir, _ string) error {
		w, m := filepath.Join(dir, weightsFile), filepath.Join(dir, momentsFile)
		return errors.Join(os.Rename(w, w+"x"), os.Rename(m, w), os.Rename(w+"x", m))
	}},
	{"another checkpoint under its name", func(_ *rand.Rand, dir, other string) error {
		return errors.Join(os.RemoveAll(dir), link(other, dir))
	}},
	{"an empty directory", func(_ *rand.Rand, dir, _ string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) }},
	{"a file under its name", func(_ *rand.Rand, dir, _ string) error {
		return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644))
	}},
	{"a link to a file elsewhere", func(r *rand.Rand, dir, _ string) error {
		path := filepath.Join(dir, pick(r))
		return errors.Join(os.Rename(path, dir+".elsewhere"), os.Symlink(dir+".elsewhere", path))
	}},
	{"a link under its name", func(_ *rand.Rand, dir, _ string) error {
		return errors.Join(os.Rename(dir, dir+".elsewhere"), os.Symlink(dir+".elsewhere", dir))
	}},
	{"a directory for a file", func(r *rand.Rand, dir, _ string) error {
		path := filepath.Join(dir, pick(r))
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o755))
	}},
}

// link copies a directory tree by hard links.
func link(from, to string) error {
	return filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rest), 0o755)
		}
		return os.Link(path, filepath.Join(to, rest))
	})
}

// In a thousand cases of damage the newest checkpoints are skipped, with a reason, and the newest sound one is read as it
// was written; where none is left there is an error that names them all.
func TestFaultThousandDamages(t *testing.T) {
	const seed, cases = 31, 1000
	r := rand.New(rand.NewPCG(seed, 0))
	origin, steps, snapshots := stopped(t)
	for ; len(steps) > 3; steps = steps[1:] {
		if err := os.RemoveAll(filepath.Join(origin, checkpointsDir, fmt.Sprint(stepPrefix, steps[0]))); err != nil {
			t.Fatal(err)
		}
	}
	scratch := t.TempDir()
	fallen := 0
	for i := range cases {
		dir := filepath.Join(scratch, fmt.Sprint(i))
		if err := link(origin, dir); err != nil {
			t.Fatal(err)
		}
		at := func(n int) string { return filepath.Join(dir, checkpointsDir, fmt.Sprint(stepPrefix, steps[n])) }
		broken := 1 + r.IntN(len(steps)) // of the newest
		if r.IntN(4) > 0 {
			broken = 1
		}
		what := ""
		for n := range broken {
			d := damages[r.IntN(len(damages))]
			k := len(steps) - 1 - n
			other := filepath.Join(origin, checkpointsDir, fmt.Sprint(stepPrefix, steps[(k+len(steps)-1)%len(steps)]))
			what += d.name + "; "
			if err := d.do(r, at(k), other); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		e := NewToy(3, 0.2)
		before := e.snapshot()
		s, skipped, err := load(dir, e)
		if broken == len(steps) {
			if !errors.Is(err, ErrCheckpoint) || len(skipped) != broken || !slices.Equal(e.snapshot(), before) {
				t.Errorf("seed %d, case %d, %s: state %+v, error %v", seed, i, what, s, err)
			}
			os.RemoveAll(dir)
			continue
		}
		fallen++
		want := steps[len(steps)-1-broken]
		if err != nil || s.Step != want || len(skipped) != broken || !slices.Equal(e.snapshot(), snapshots[want]) {
			t.Errorf("seed %d, case %d, %s: step %d instead of %d, skipped %v, error %v", seed, i, what, s.Step, want, skipped, err)
		}
		for n, err := range skipped {
			if !errors.Is(err, ErrCheckpoint) || !mentions(err, at(len(steps)-1-n)) {
				t.Errorf("seed %d, case %d, %s: skipped %v", seed, i, what, skipped)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if t.Logf("seed %d: %d of %d cases fell back", seed, fallen, cases); fallen < cases/2 {
		t.Error("too few fell back")
	}
}

// Damage anywhere in a run directory ends in the bytes of an undamaged run, or in an error that says what is wrong.
func TestFaultDamagedRun(t *testing.T) {
	const seed = 32
	r := rand.New(rand.NewPCG(seed, 0))
	whole := t.TempDir()
	_, result := resumed(t, whole, Create, everything(Uniform))
	want := outcomeOf(t, result, whole)
	origin, _, _ := stopped(t)
	scratch, ended := t.TempDir(), map[bool]int{}
	for i := range 36 {
		dir := filepath.Join(scratch, fmt.Sprint(i))
		if err := link(origin, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, metricsFile)); err != nil { // it is appended to: a copy of its own
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, metricsFile), read(t, filepath.Join(origin, metricsFile)))
		name := []string{configFile, metricsFile, filepath.Join(checkpointsDir, "step-8", pick(r))}[i%3]
		change := []func(*rand.Rand, []byte) []byte{flip, tear}[r.IntN(2)]
		if err := rewrite(filepath.Join(dir, name), r, change); err != nil {
			t.Fatal(err)
		}
		o := everything(Uniform)
		run, err := OpenRun(dir, Resume, nil)
		if err == nil {
			o.Run, o.Resume = run, true
			result, err = Train(t.Context(), NewToy(3, 0.2), sequence(ToyExamples(100, 1)), o)
			run.Close()
		}
		ended[err == nil]++
		if err == nil {
			outcomeOf(t, result, dir).compare(t, fmt.Sprintf("seed %d, case %d, damaged %s", seed, i, name), want)
		} else if !errors.Is(err, ErrRun) || !mentions(err, dir) {
			t.Errorf("seed %d, case %d, damaged %s: error %v", seed, i, name, err)
		}
	}
	if t.Logf("seed %d: %d resumed, %d refused", seed, ended[true], ended[false]); ended[true] < 12 || ended[false] < 6 {
		t.Error("one of the two ends is hardly tested")
	}
}
