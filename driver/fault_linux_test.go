package driver

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// On real file systems that are too small, by a page more each, a run stops or continues as it was told, keeps its last
// good checkpoint, and once there is room resumes to the bytes of one that always had it.
func TestFaultSmallFileSystem(t *testing.T) {
	want, _ := reference(t)
	stride, stopped, continued, whole := 4, 0, 0, 0
	if *long {
		stride = 1
	}
	for pages := 6; pages <= 34; pages += stride {
		for _, then := range []CheckpointError{Stop, Continue} {
			mount := t.TempDir()
			if err := unix.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprintf("size=%d", pages*4096)); err != nil {
				t.Skip("mounting is not allowed:", err)
			}
			t.Cleanup(func() { unix.Unmount(mount, unix.MNT_DETACH) })
			dir, notes := filepath.Join(mount, "run"), 0
			r, err := attempt(durable.OS{}, dir, Create, func(o *Options) {
				o.OnCheckpointError = then
				o.OnNote = func(string) { notes++ }
			})
			switch {
			case err != nil && !errors.Is(err, unix.ENOSPC) || then == Continue && err != nil && r != nil && r.Steps != everythingSteps:
				t.Errorf("%d pages, %s: %+v, %v", pages, then, r, err)
			case err != nil:
				stopped++
			case notes > 0:
				continued++
			default:
				whole++
			}
			if err := unix.Mount("tmpfs", mount, "tmpfs", unix.MS_REMOUNT, "size=1m"); err != nil {
				t.Fatal(err)
			}
			mode := Resume
			if r == nil { // not even begun
				mode = Overwrite
			}
			if r, err = attempt(durable.OS{}, dir, mode, nil); err != nil {
				t.Errorf("%d pages, %s: resuming with room: %v", pages, then, err)
				continue
			}
			outcomeOf(t, r, dir).compare(t, fmt.Sprintf("%d pages, %s", pages, then), want)
		}
	}
	if t.Logf("%d stopped, %d continued, %d had room", stopped, continued, whole); stopped == 0 || continued == 0 || whole == 0 {
		t.Error("the sizes do not cover all three")
	}
}
