package driver

import "fmt"

// Restore reads the newest checkpoint of the run directory dir that verifies into the engine, ready to be exported:
// with R4F's head normalised where the options say so. It returns the checkpoint's step.
func Restore(e Engine, dir string, options Options) (int, error) {
	o, err := options.withDefaults()
	if err != nil {
		return 0, err
	}
	s, _, err := (&Run{Dir: dir}).load(e)
	if err != nil {
		return 0, err
	}
	if s.Step == 0 {
		return 0, fmt.Errorf("restoring %w %s: it holds no checkpoint", ErrRun, dir)
	}
	head, err := newSpectralHead(e, o)
	if err != nil {
		return 0, err
	}
	return s.Step, head.normalise()
}
