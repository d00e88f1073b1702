package tokenize

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// golden is one case computed by Hugging Face tokenizers.
type golden struct {
	Text          string  `json:"text"`
	Pair          *string `json:"pair"`
	MaxLength     *int    `json:"max_length"` // null: no limit
	IDs           []int64 `json:"ids"`
	TypeIDs       []int64 `json:"type_ids"`
	AttentionMask []int64 `json:"attention_mask"`
	Truncated     *bool   `json:"truncated"` // in our own goldens only
}

// variants are the tokenizers of testdata, described in its generate.py.
var variants = []string{"uncased", "cased", "accents", "stripped", "bare"}

func loadVariant(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := Load(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func readGoldens(t testing.TB, file string) []golden {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []golden
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c golden
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s:%d: %v", file, len(cases)+1, err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil || len(cases) == 0 {
		t.Fatalf("%s: %d cases, error %v", file, len(cases), err)
	}
	return cases
}

func testGoldens(t *testing.T, tok *Tokenizer, cases []golden) {
	t.Helper()
	for i, c := range cases {
		maxLength := 0
		if c.MaxLength != nil {
			maxLength = *c.MaxLength
		}
		got, err := tok.Encode(c.Text, c.Pair, maxLength)
		if err != nil {
			t.Errorf("case %d: %v", i+1, err)
			continue
		}
		pair := "none"
		if c.Pair != nil {
			pair = *c.Pair
		}
		if !slices.Equal(got.IDs, c.IDs) || !slices.Equal(got.TypeIDs, c.TypeIDs) || !slices.Equal(got.AttentionMask, c.AttentionMask) {
			t.Errorf("case %d: text %+q, pair %+q, length %d:\n got %v %v %v\nwant %v %v %v", i+1, c.Text, pair, maxLength,
				got.IDs, got.TypeIDs, got.AttentionMask, c.IDs, c.TypeIDs, c.AttentionMask)
		}
		if c.Truncated != nil && got.Truncated != *c.Truncated {
			t.Errorf("case %d: text %+q, pair %+q, length %d: truncated %v, want %v", i+1, c.Text, pair, maxLength, got.Truncated, *c.Truncated)
		}
	}
}

// shared returns the path of a file of the reference data, which lies beside
// the repository where it is present at all.
func shared(t testing.TB, elements ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared", "tokenizers"}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("reference data absent: %v", err)
	}
	return path
}

func TestSharedGoldens(t *testing.T) {
	for _, name := range []string{"minilm", "bert-base-uncased", "roberta-base", "t5"} {
		t.Run(name, func(t *testing.T) {
			file := shared(t, "golden", name+".jsonl")
			tok, err := Load(shared(t, name))
			if err != nil {
				t.Fatal(err)
			}
			cases := readGoldens(t, file)
			testGoldens(t, tok, cases)
			t.Logf("%d cases", len(cases))
		})
	}
}

// TestOwnGoldens compares with Hugging Face tokenizers on small tokenizers of
// our own, which between them exercise every correction named in doc.go.
func TestOwnGoldens(t *testing.T) {
	for _, name := range variants {
		t.Run(name, func(t *testing.T) {
			testGoldens(t, loadVariant(t, name), readGoldens(t, filepath.Join("testdata", name, "golden.jsonl")))
		})
	}
}
