package tokenize

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCorrections has a case for each fault of the library that doc.go lists:
// a tokenizer and a text of testdata that show it. What is right is in the
// goldens, computed by Hugging Face tokenizers.
func TestCorrections(t *testing.T) {
	pair := func(c golden) bool { return c.Pair != nil && *c.Truncated }
	whole := func(c golden) bool { return c.MaxLength == nil && len(c.IDs) > 6 }
	any := func(golden) bool { return true }
	for _, test := range []struct {
		name    string
		variant string
		text    string // empty for any
		where   func(golden) bool
	}{
		{"1 strip_accents null with lowercase", "uncased", "CAFÉ naïve Über STRASSE straße", any},
		{"1 strip_accents null without lowercase", "cased", "CAFÉ naïve Über STRASSE straße", any},
		{"2 composed accents", "stripped", "CAFÉ naïve Über STRASSE straße", any},
		{"3 panic on odd Unicode", "uncased", "İstanbul Ễ 각 ①", any},
		{"4 order of special tokens", "uncased", "[CLS] noise [SEP] drift [MASK][MASK]. [sep] [ SEP ]", any},
		{"5 truncation of pairs", "uncased", "", pair},
		{"6 truncation of the file", "uncased", "the model drifts and the encoder collapses", whole},
		{"7 continuing_subword_prefix", "cased", "the model drifts and the encoder collapses", any},
		{"8 model without type", "cased", "noise", any},
	} {
		t.Run(test.name, func(t *testing.T) {
			tok := loadVariant(t, test.variant)
			var cases []golden
			for _, c := range readGoldens(t, filepath.Join("testdata", test.variant, "golden.jsonl")) {
				if (test.text == "" || c.Text == test.text) && test.where(c) {
					cases = append(cases, c)
				}
			}
			if len(cases) == 0 {
				t.Fatal("the goldens have no such case")
			}
			testGoldens(t, tok, cases)
		})
	}
}

// The library needs 3 ms for a word of 100 letters; without the corrections of
// wordpiece.go this takes 30 s.
func TestLongWords(t *testing.T) {
	tok := loadVariant(t, "uncased")
	var text strings.Builder
	for i := range 10000 {
		for k := range 100 {
			text.WriteByte("abint"[(i>>(k%14)+k*i)%5])
		}
		text.WriteByte(' ')
	}
	start := time.Now()
	if _, err := tok.Encode(text.String(), nil, 0); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("10000 words of 100 letters took %v", took)
	}
}

// A word of a million letters costs no more than its length, or little more:
// quadratic work would take hours.
func TestEndlessWords(t *testing.T) {
	word := strings.Repeat("noisetrain", 100_000)
	for _, name := range []string{"roberta", "llama", "bpe-affixes", "xlm-roberta", "unigram-bytes", "deberta-v3", "mpnet"} {
		tok, err := Load(filepath.Join(goldens, name))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := tok.Encode(word, nil, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		took := time.Since(start)
		t.Logf("%s: %v", name, took)
		if took > 30*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}
