package tasks

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const shared = "../../shared/data"

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, task := range All() {
		if seen[task.Name] {
			t.Errorf("two tasks are named %s", task.Name)
		}
		seen[task.Name] = true
		if len(task.Metrics) == 0 {
			t.Errorf("%s: no metric selects its best model", task.Name)
		}
		for _, m := range task.Metrics {
			if !slices.Contains(Metrics(), m) {
				t.Errorf("%s: unknown metric %s", task.Name, m)
			}
		}
		if task.Regression() != (task.NumLabels() == 1) {
			t.Errorf("%s: regression %v with %d labels", task.Name, task.Regression(), task.NumLabels())
		}
		if !task.GLUE || len(task.splits()) != 3 {
			t.Errorf("%s: want three GLUE files, have %v", task.Name, task.splits())
		}
	}
}

func TestAllReturnsItsOwnCopy(t *testing.T) {
	All()[0].Labels[0] = "changed"
	if got := All()[0].Labels[0]; got == "changed" {
		t.Error("changing a returned task changes the table")
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"sst-2", "SST-2", "SST2", "sst_2", "Sst 2"} {
		task, err := Lookup(name)
		if err != nil || task.Name != "sst-2" {
			t.Errorf("Lookup(%q) = %q, %v", name, task.Name, err)
		}
	}
	if task, err := Lookup("stsb"); err != nil || task.Name != "sts-b" {
		t.Errorf("Lookup(stsb) = %q, %v", task.Name, err)
	}
}

func TestLookupUnknownOffersNearest(t *testing.T) {
	for name, nearest := range map[string][]string{
		"rtee": {"rte"}, "colla": {"cola"}, "mprc": {"mrpc"}, "qnl": {"qnli"},
		"sst3": {"sst-2"}, "summarisation": nil, "": nil,
	} {
		_, err := Lookup(name)
		var unknown *UnknownTaskError
		if !errors.As(err, &unknown) || !errors.Is(err, ErrData) {
			t.Errorf("Lookup(%q): %v, want an UnknownTaskError that is ErrData", name, err)
			continue
		}
		if !slices.Equal(unknown.Nearest, nearest) {
			t.Errorf("Lookup(%q) offers %v, want %v", name, unknown.Nearest, nearest)
		}
		for _, part := range append([]string{strconv.Quote(name), "rte, mrpc, cola, sst-2, sts-b, qnli", "--train FILE"}, nearest...) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
}

func TestEditsIsADistance(t *testing.T) {
	words := []string{"", "a", "rte", "ret", "mrpc", "qnli", "kitten", "sitting", "sst2"}
	for _, a := range words {
		for _, b := range words {
			d := edits(a, b)
			if d != edits(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a), len(b))-min(len(a), len(b)) {
				t.Errorf("edits(%q, %q) = %d", a, b, d)
			}
			for _, c := range words {
				if edits(a, c)+edits(c, b) < d {
					t.Errorf("edits: the way from %q to %q over %q is shorter than %d", a, b, c, d)
				}
			}
		}
	}
}

// TestOfficialRowsEqualReference compares every row of the official files with the PyTorch reference's reader, by hash.
func TestOfficialRowsEqualReference(t *testing.T) {
	needShared(t)
	for _, g := range readGolden[struct {
		Task, Split, SHA256 string
		Rows                int
	}](t, "testdata/glue.jsonl") {
		task, err := Lookup(g.Task)
		if err != nil {
			t.Fatal(err)
		}
		data, err := task.Load(shared+"/glue", Split(g.Split))
		if err != nil {
			t.Error(err)
			continue
		}
		h := sha256.New()
		for _, e := range data.Examples {
			pair := ""
			if e.Pair != nil {
				pair = *e.Pair
			}
			y := uint64(e.Label)
			if task.Regression() {
				y = math.Float64bits(e.Target)
			}
			fmt.Fprintf(h, "%s\x00%s\x00", e.Text, pair)
			h.Write(binary.LittleEndian.AppendUint64(nil, y))
		}
		if got := hex.EncodeToString(h.Sum(nil)); len(data.Examples) != g.Rows || got != g.SHA256 {
			t.Errorf("%s/%s: %d rows, SHA-256 %s; the reference has %d, %s", g.Task, g.Split, len(data.Examples), got, g.Rows, g.SHA256)
		}
		if len(data.Skipped) > 0 {
			t.Errorf("%s/%s: %d rows left out, first %s", g.Task, g.Split, len(data.Skipped), data.Skipped[0])
		}
	}
}

// TestOfficialCounts compares all three splits with the table in the data's README.
func TestOfficialCounts(t *testing.T) {
	needShared(t)
	readme, err := os.ReadFile(shared + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range All() {
		folder := filepath.Dir(task.Files.Train.Path)
		counts := regexp.MustCompile(`\| glue/` + regexp.QuoteMeta(folder) + ` \| ([\d,]+) / ([\d,]+) / ([\d,]+) \|`).FindSubmatch(readme)
		if counts == nil {
			t.Errorf("the README has no row for %s", folder)
			continue
		}
		for i, split := range []Split{Train, Dev, Test} {
			want, err := strconv.Atoi(strings.ReplaceAll(string(counts[i+1]), ",", ""))
			if err != nil {
				t.Fatal(err)
			}
			data, err := task.Load(shared, split) // the parent of glue/
			if err != nil {
				t.Error(err)
				continue
			}
			unlabelled := 0
			for _, e := range data.Examples {
				if e.Label < 0 {
					unlabelled++
				}
				if (e.Pair != nil) != (task.Columns.Pair != "") || e.Text == "" {
					t.Fatalf("%s: %+v", task.Name, e)
				}
			}
			wantUnlabelled := 0
			if split == Test {
				wantUnlabelled = want
			}
			if len(data.Examples) != want || unlabelled != wantUnlabelled || len(data.Skipped) > 0 {
				t.Errorf("%s %s: %d rows, %d unlabelled, %d skipped; want %d, %d, 0",
					task.Name, split, len(data.Examples), unlabelled, len(data.Skipped), want, wantUnlabelled)
			}
		}
	}
}

func needShared(t *testing.T) {
	if _, err := os.Stat(shared + "/glue"); err != nil {
		t.Skipf("no official GLUE files: %v", err)
	}
}

// readGolden decodes one JSON object a line.
func readGolden[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var v T
		if err := json.Unmarshal(in.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, v)
	}
	if in.Err() != nil || len(out) == 0 || reflect.ValueOf(out[0]).IsZero() {
		t.Fatalf("%s: %d cases, %v", path, len(out), in.Err())
	}
	return out
}
