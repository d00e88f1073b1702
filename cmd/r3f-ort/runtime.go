package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

func runtimeCommand() *cli.Command {
	return &cli.Command{
		Name:  "runtime",
		Usage: "show or install the ONNX Runtime library",
		Description: `The program loads a stock ONNX Runtime library: the one that --ort-library or R3F_ORT_LIBRARY names, else that of
.r3f/lib in the working directory or in the project around it, else that of the user's cache.

Example:
   r3f-ort runtime info`,
		Subcommands: []*cli.Command{{
			Name:  "info",
			Usage: "show which library is used",
			Description: `Loads the library and prints its path, version, execution providers, the threads it will compute with, and
whether there is a library with the training API (make setup-training), on which --engine training-api runs.
Exits with 3 where there is none, or one that is too old.

Example:
   r3f-ort runtime info --json`,
			Flags:  []cli.Flag{threadsFlag(), libraryFlag(), jsonFlag()},
			Action: runtimeInfo,
		}, {
			Name:  "install",
			Usage: "fetch the pinned library into .r3f/lib",
			Description: `Runs the project's set-up script, as make setup does: the library, the MiniLM model and the program, hashes checked.
Outside a checkout of the project it says how to get the library.

Example:
   r3f-ort runtime install`,
			Action: runtimeInstall,
		}},
	}
}

// libraryReport is what runtime info --json prints.
type libraryReport struct {
	Path      string   `json:"path"`
	Version   string   `json:"version"`
	Minimum   string   `json:"minimum"` // oldest version that works
	Providers []string `json:"providers"`
	Threads   int      `json:"threads"`

	Training trainingLibrary `json:"training"`
}

// trainingLibrary says whether --engine training-api can run.
type trainingLibrary struct {
	Available bool     `json:"available"`
	Path      string   `json:"path,omitempty"`
	Version   string   `json:"version,omitempty"`
	Providers []string `json:"providers,omitempty"`
	Problem   string   `json:"problem,omitempty"` // why it is not available
}

// findTraining looks for a library with the training API, as the training engine does.
func findTraining(flag string) trainingLibrary {
	r := trainingLibrary{}
	err := func() (err error) {
		if r.Path, err = ortlib.FindTraining(flag); err != nil {
			return err
		}
		library, err := capi.Open(r.Path)
		if err != nil {
			return err
		}
		r.Version = library.Version
		r.Providers, err = library.Providers()
		return errors.Join(err, library.Close())
	}()
	if r.Available = err == nil; !r.Available {
		r.Problem = err.Error()
	}
	return r
}

// String is the report in a line.
func (r trainingLibrary) String() string {
	if !r.Available {
		return "not available: " + r.Problem
	}
	return fmt.Sprintf("%s, version %s, providers %s", r.Path, r.Version, strings.Join(r.Providers, ", "))
}

func runtimeInfo(c *cli.Context) (err error) {
	library, err := stock.OpenLibrary(c.String("ort-library"))
	if err != nil {
		if t := findTraining(c.String("ort-library")); t.Available {
			return fmt.Errorf("the stock engine cannot run (the training engine can, on %s): %w", t, err)
		}
		return err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	r := libraryReport{Path: library.Path, Version: library.Version, Minimum: ortlib.MinStock.String(), Threads: int(c.Uint("threads")),
		Training: findTraining(c.String("ort-library"))}
	if r.Threads == 0 {
		r.Threads = runtime.NumCPU()
	}
	devices, err := ort.GetEpDevices()
	if err != nil {
		return environmentf("asking %s for its execution providers: %w", library.Path, err)
	}
	for _, d := range devices {
		if name := d.EpName(); !slices.Contains(r.Providers, name) {
			r.Providers = append(r.Providers, name)
		}
	}
	if c.Bool("json") {
		return writeResult(c.App.Writer, r)
	}
	_, err = fmt.Fprintf(c.App.Writer, "library    %s\nversion    %s (%s or newer is needed)\nproviders  %s\nthreads    %d\ntraining   %s\n",
		r.Path, r.Version, r.Minimum, strings.Join(r.Providers, ", "), r.Threads, r.Training)
	return err
}

func runtimeInstall(c *cli.Context) error {
	script, ok := setupScript()
	if !ok {
		return environmentf("there is no scripts/setup.sh here or above: run this in a checkout of r3f-ort, or put the library of "+
			"ONNX Runtime %s or newer (%s of its release archive) into .r3f/lib, or name it in %s", ortlib.MinStock, "lib/libonnxruntime.*", ortlib.EnvVar)
	}
	cmd := exec.CommandContext(c.Context, "bash", script)
	cmd.Stdout, cmd.Stderr = c.App.ErrWriter, c.App.ErrWriter
	if err := cmd.Run(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitFailed {
			return fmt.Errorf("%s failed: %w", script, err)
		}
		return environmentf("%s failed: %w", script, err)
	}
	return nil
}

// setupScript finds the project's set-up script in the working directory or above it.
func setupScript() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		script := filepath.Join(dir, "scripts", "setup.sh")
		_, noScript := os.Stat(script)
		_, noModule := os.Stat(filepath.Join(dir, "go.mod"))
		if noScript == nil && noModule == nil {
			return script, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
