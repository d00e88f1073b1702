//go:build unix

package durable_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// holdDir names, in a process that the test starts, the directory to lock until its standard input ends.
const holdDir = "DURABLE_TEST_HOLD"

func TestMain(m *testing.M) {
	dir := os.Getenv(holdDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if _, err := durable.Acquire(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	bufio.NewReader(os.Stdin).ReadByte()
}

// A directory that another process has cannot be had; once that process is killed it can, and is said to be stale.
func TestLockOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdDir+"="+dir)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	pid := fmt.Sprintf("process %d on ", cmd.Process.Pid)
	if _, err := durable.Acquire(dir); !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), pid) {
		t.Errorf("error %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := durable.Acquire(dir)
	if err != nil || !strings.Contains(l.Stale, pid) {
		t.Fatalf("after a kill: %+v, %v", l, err)
	}
	if err := errors.Join(l.Release(), l.Release()); err != nil {
		t.Error(err)
	}
}

// A lock that was released leaves nothing, and the next is not called stale.
func TestLockAndRelease(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		l, err := durable.Acquire(dir)
		if err != nil || l.Stale != "" {
			t.Fatalf("%+v, %v", l, err)
		}
		if _, err := durable.Acquire(dir); !errors.Is(err, durable.ErrLocked) {
			t.Errorf("locked twice: %v", err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, durable.LockFile)); err == nil {
			t.Error("the lock file is left")
		}
	}
	if _, err := durable.Acquire(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// Of many that want a directory at once, one has it at a time.
func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	var held atomic.Int32 // atomic, for the race detector does not know file locks
	done := make(chan error)
	for range 8 {
		go func() {
			for got := 0; got < 20; {
				l, err := durable.Acquire(dir)
				if errors.Is(err, durable.ErrLocked) {
					continue
				}
				if err != nil {
					done <- err
					return
				}
				if n := held.Add(1); n != 1 {
					done <- fmt.Errorf("%d hold the lock", n)
					return
				}
				got++
				held.Add(-1)
				l.Release()
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
