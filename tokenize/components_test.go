package tokenize

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const goldens = "testdata/golden"

// TestComponents compares every normalizer and pre-tokenizer alone with Hugging
// Face tokenizers.
func TestComponents(t *testing.T) {
	f, err := os.Open(filepath.Join(goldens, "components.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []string
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var line struct {
			Texts        []string        `json:"texts"` // the first line
			Normalizer   json.RawMessage `json:"normalizer"`
			PreTokenizer json.RawMessage `json:"pre_tokenizer"`
			Outputs      json.RawMessage `json:"outputs"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Texts != nil {
			texts = line.Texts
			continue
		}
		tok := newTokenizer()
		config := section{file: "components.jsonl", raw: line.Normalizer}
		if !config.null() {
			tok.normalizers, err = components(config, normalizers, "normalizers")
		} else {
			config.raw = line.PreTokenizer
			tok.preTokenizers, err = components(config, preTokenizers, "pretokenizers")
		}
		if err != nil {
			t.Errorf("%s: %v", config.raw, err)
			continue
		}
		name, _ := typeOf(config)
		seen[name] = true
		if !(section{raw: line.Normalizer}).null() {
			var want []string
			if err := json.Unmarshal(line.Outputs, &want); err != nil {
				t.Fatal(err)
			}
			for i, text := range texts {
				got, _, err := tok.normalizers.normalize(newScratch(), []byte(text))
				if err != nil || string(got) != want[i] {
					t.Errorf("%.200s of %+q:\n got %+q, %v\nwant %+q", config.raw, text, got, err, want[i])
				}
			}
			continue
		}
		var want [][]string
		if err := json.Unmarshal(line.Outputs, &want); err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			if text == "" {
				continue // no word is empty
			}
			if got := cutWords(t, tok, text); !slices.Equal(got, want[i]) {
				t.Errorf("%.200s of %+q:\n got %+q\nwant %+q", config.raw, text, got, want[i])
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for name := range normalizers {
		if !seen[name] {
			t.Errorf("normalizer %s has no golden", name)
		}
	}
	for name := range preTokenizers {
		if !seen[name] {
			t.Errorf("pre-tokenizer %s has no golden", name)
		}
	}
}

// spy is a model that numbers the words it is given.
type spy struct {
	model
	words []string
}

func (m *spy) appendIDs(dst []int64, word []byte, _ *scratch) ([]int64, error) {
	m.words = append(m.words, string(word))
	return append(dst, int64(len(m.words)-1)), nil
}

// cutWords returns the words that reach the model.
func cutWords(t *testing.T, tok *Tokenizer, text string) []string {
	t.Helper()
	m := &spy{}
	tok.vocabulary = &vocabulary{model: m}
	ids, err := tok.appendWords(nil, newScratch(), word{[]byte(text), true}, 0)
	if err != nil {
		t.Errorf("%+q: %v", text, err)
	}
	var words []string
	for _, id := range ids { // a word met before has the number of then
		words = append(words, m.words[id])
	}
	return words
}
