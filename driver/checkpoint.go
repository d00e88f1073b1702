package driver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/r3f-ort/r3f-ort/internal/durable"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// ErrCheckpoint is wrapped by errors about checkpoints that cannot be read or written.
var ErrCheckpoint = errors.New("checkpoint")

// checkpointFormat is the version of the checkpoint layout.
const checkpointFormat = 2

// The files of a checkpoint.
const (
	weightsFile  = "model.safetensors"
	momentsFile  = "moments.safetensors"
	engineFiles  = "engine" // directory of a StateKeeper's files
	stateFile    = "state.json"
	manifestName = "manifest.json"
	stepPrefix   = "step-"
)

// snapshot is a checkpoint on its way: begin has copied everything into files under a temporary name, and the engine
// may go on; commit makes them last and gives them their name, beside the training.
type snapshot struct {
	run       *Run
	state     state
	temporary string
	open      []durable.File // written, not synced
	names     []string       // of all files but the manifest
}

// begin copies the engine's parameters and moments and the state into files. What the kernel has not written to disk
// yet is the copy that the rest is written from: it takes no memory of the process, and none that the system cannot
// take back.
func (r *Run) begin(e Engine, s state) (c *snapshot, err error) {
	final := r.checkpoint(s.Step)
	c = &snapshot{run: r, state: s, temporary: durable.Temporary(final)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing %w %s: %w%s", ErrCheckpoint, final, err, durable.Advice(err)), c.abandon())
		}
	}()
	if err := r.metrics.flush(); err != nil { // a checkpoint promises the lines up to its step
		return c, err
	}
	c.state.Format, c.state.Journal, c.state.Config = checkpointFormat, r.metrics.mark(), r.config
	if err := r.fs.Mkdir(c.temporary); err != nil {
		return c, err
	}
	weights, moments, err := tensorsOf(e)
	if err != nil {
		return c, err
	}
	state, err := encodeJSON(c.state)
	if err != nil {
		return c, err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{weightsFile, func(w io.Writer) error {
			return safetensors.Write(w, weights, map[string]string{"format": "pt"})
		}},
		{momentsFile, func(w io.Writer) error { return safetensors.Write(w, moments, nil) }},
		{stateFile, writeBytes(state)},
	} {
		if err := c.put(f.name, f.write); err != nil {
			return c, err
		}
	}
	return c, c.keep(e)
}

// tensorsOf views the engine's parameters and moments where it lets them be viewed.
func tensorsOf(e Engine) (weights, moments []safetensors.Tensor, err error) {
	for _, p := range e.Spec().Parameters {
		for _, k := range []struct {
			kind   Kind
			prefix string
			into   *[]safetensors.Tensor
		}{{Value, "", &weights}, {FirstMoment, "m.", &moments}, {SecondMoment, "v.", &moments}} {
			if k.kind != Value && e.Spec().OwnMoments {
				continue
			}
			data, err := Tensor(e, k.kind, p)
			if err != nil {
				return nil, nil, err
			}
			*k.into = append(*k.into, safetensors.FromFloat32s(k.prefix+p.Name, p.Shape, data))
		}
	}
	return weights, moments, nil
}

// put writes a file and leaves it open, to be synced by commit.
func (c *snapshot) put(name string, write func(io.Writer) error) error {
	f, err := c.run.fs.Create(filepath.Join(c.temporary, name))
	if err != nil {
		return err
	}
	c.open, c.names = append(c.open, f), append(c.names, name)
	return write(f)
}

// keep lets an engine with state of its own write it.
func (c *snapshot) keep(e Engine) error {
	k, ok := e.(StateKeeper)
	if !ok {
		return nil
	}
	dir := filepath.Join(c.temporary, engineFiles)
	if err := errors.Join(c.run.fs.Mkdir(dir), k.SaveState(dir)); err != nil {
		return err
	}
	names, err := filesBelow(dir)
	for _, name := range names {
		c.names = append(c.names, engineFiles+"/"+name)
	}
	return err
}

// abandon closes and removes what begin has made.
func (c *snapshot) abandon() error {
	for _, f := range c.open {
		f.Close()
	}
	c.open = nil
	if _, err := os.Lstat(c.temporary); err != nil {
		return nil
	}
	return c.run.fs.Remove(c.temporary)
}

// commit makes the checkpoint last: every file is synced, metrics.jsonl with them, the manifest is written last, and
// the directory gets its name. Older checkpoints are removed afterwards: all but the newest, keep of them with this
// one, and that of the best evaluation.
func (c *snapshot) commit(keep int) error {
	final := c.run.checkpoint(c.state.Step)
	err := c.last(final)
	if err == nil {
		err = c.run.prune(c.state.Step, keep, c.state.BestStep)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %w %s: %w%s", ErrCheckpoint, final, err, durable.Advice(err)), c.abandon())
	}
	return nil
}

func (c *snapshot) last(final string) error {
	var errs []error
	for _, f := range c.open {
		errs = append(errs, f.Sync(), f.Close())
	}
	c.open = nil
	fs := c.run.fs
	for _, name := range c.names {
		if strings.HasPrefix(name, engineFiles+"/") {
			errs = append(errs, fs.SyncFile(filepath.Join(c.temporary, name)), fs.SyncDir(filepath.Dir(filepath.Join(c.temporary, name))))
		}
	}
	if err := errors.Join(append(errs, c.run.metrics.sync())...); err != nil {
		return err
	}
	root, err := os.OpenRoot(c.temporary)
	if err != nil {
		return err
	}
	defer root.Close()
	m := manifest{Format: checkpointFormat, Files: map[string]manifestFile{}}
	for _, name := range c.names {
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		if m.Files[name], err = fingerprint(root, name, info.Size()); err != nil {
			return err
		}
	}
	data, err := encodeJSON(m)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(fs, filepath.Join(c.temporary, manifestName), writeBytes(data)); err != nil {
		return err
	}
	return durable.Commit(fs, c.temporary, final)
}

// prune removes all checkpoints but the keep newest up to step and the best. Those after step did not verify when the
// run was resumed: left alone, they would count as the newest.
func (r *Run) prune(step, keep, best int) error {
	steps, err := r.steps()
	if err != nil {
		return err
	}
	at, _ := slices.BinarySearch(steps, step)
	for _, old := range slices.Delete(steps, max(0, at+1-keep), at+1) {
		if old == best {
			continue
		}
		if err := r.fs.Remove(r.checkpoint(old)); err != nil {
			return err
		}
	}
	return nil
}

// steps lists the checkpoints' steps in ascending order.
func (r *Run) steps() ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(r.Dir, checkpointsDir))
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), stepPrefix)); err == nil && e.Name() == filepath.Base(r.checkpoint(n)) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (r *Run) checkpoint(step int) string {
	return filepath.Join(r.Dir, checkpointsDir, stepPrefix+strconv.Itoa(step))
}
