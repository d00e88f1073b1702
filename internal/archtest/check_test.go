package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

// noticeSources lists every source directory, because go test repeats a cached
// result while the files that the test itself looked at are unchanged, and it
// does not see what go list looks at.
func noticeSources(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains([]string{"bin", "runs", "testdata"}, e.Name()) {
			noticeSources(t, filepath.Join(dir, e.Name()))
		}
	}
}

// goList reports the module's packages and all that they import.
func goList(t *testing.T) []Package {
	t.Helper()
	noticeSources(t, root)
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,CgoFiles,Imports", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // or the engines would not be seen
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var list []Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("output of go list: %v", err)
		}
		list = append(list, p)
	}
}

func TestArrows(t *testing.T) {
	packages := goList(t)
	if !slices.ContainsFunc(packages, func(p Package) bool { return p.ImportPath == module+"/internal/archtest" }) {
		t.Fatalf("go list does not show this package among %d: is the module still %s?", len(packages), module)
	}
	for _, v := range Check(packages, Rules) {
		t.Errorf("%v", v)
	}
}

// pkg is a package of this module ("./x") or of another that imports the others.
func pkg(path string, imports ...string) Package {
	abs := func(s string) string { return strings.Replace(s, "./", module+"/", 1) }
	p := Package{ImportPath: abs(path)}
	for _, s := range imports {
		p.Imports = append(p.Imports, abs(s))
	}
	return p
}

func cgo(p Package) Package {
	p.CgoFiles = []string{"x.go"}
	return p
}

// allowed is a module that keeps to the design.
var allowed = []Package{
	cgo(Package{ImportPath: "net", Standard: true}),
	cgo(pkg(runtime)),
	pkg("./internal/rng", "net"),
	pkg("./graphs", "./internal/rng"),
	pkg("./graphs/eval", "./graphs"),
	pkg("./tokenize"),
	pkg("./tasks", "./tokenize", "./internal/rng", "net"),
	pkg("./driver", "./graphs", "./driver/loss"),
	pkg("./driver/loss"),
	pkg("./driver/stock", "./driver", runtime),
	cgo(pkg("./driver/trainapi", "./driver")),
	pkg("./export", "./graphs"),
	pkg("./cmd/r3f-ort", "./driver/stock", "./tasks", "./cmd/r3f-ort/verbs"),
	pkg("./cmd/r3f-ort/verbs"),
	pkg("./graphsother", "./driver"), // a name that only begins like another
}

func TestCheckerPassesTheDesign(t *testing.T) {
	for _, v := range Check(allowed, Rules) {
		t.Errorf("%v", v)
	}
}

// Each rule, broken once on top of the allowed module, is reported with its chain.
func TestCheckerSeesEveryViolation(t *testing.T) {
	broken := make([]int, len(Rules))
	for _, c := range []struct {
		add   []Package // packages that replace or extend the allowed ones
		chain string
	}{
		{[]Package{pkg("./tasks", "./graphs")}, "tasks > graphs"},
		{[]Package{pkg("./tasks/glue", "./internal/x"), pkg("./internal/x", "./driver/loss")}, "tasks/glue > internal/x > driver/loss"},
		{[]Package{pkg("./tokenize", "./driver")}, "tokenize > driver"},
		{[]Package{pkg("./tokenize", "./tasks")}, "tokenize > tasks"},
		{[]Package{pkg("./graphs/eval", "./driver/loss")}, "graphs/eval > driver/loss"},
		{[]Package{pkg("./graphs", runtime)}, "graphs > " + runtime},
		{[]Package{pkg("./driver/stock", "./tasks")}, "driver/stock > tasks"},
		{[]Package{pkg("./driver", "./driver/stock")}, "driver > driver/stock > " + runtime},
		{[]Package{pkg("./export", "example.org/c"), cgo(pkg("example.org/c"))}, "export > example.org/c"},
		{[]Package{cgo(pkg("./export"))}, "export > C"},
		{[]Package{pkg("./export", "./cmd/r3f-ort/verbs")}, "export > cmd/r3f-ort/verbs"},
		{[]Package{pkg("./internal/rng", "./tokenize")}, "internal/rng > tokenize"},
	} {
		packages := slices.DeleteFunc(slices.Clone(allowed), func(p Package) bool {
			return slices.ContainsFunc(c.add, func(q Package) bool { return q.ImportPath == p.ImportPath })
		})
		seen := false
		for _, v := range Check(append(packages, c.add...), Rules) {
			chain := strings.ReplaceAll(strings.Join(v.Chain, " > "), module+"/", "")
			if chain == c.chain {
				seen = true
				broken[slices.IndexFunc(Rules, func(r Rule) bool { return r.Why == v.Rule.Why })]++
			}
		}
		if !seen {
			t.Errorf("not reported: %s", c.chain)
		}
	}
	for i, n := range broken {
		if n == 0 {
			t.Errorf("no case here breaks the rule: %s", Rules[i].Why)
		}
	}
}
