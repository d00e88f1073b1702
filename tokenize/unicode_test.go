package tokenize

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// column is what a component makes of a text that has every code point for "{}",
// the texts of a block of 4096 code points one after the other.
type column struct {
	Text string   `json:"text"`
	CRC  []string `json:"crc"` // CRC-32 per block, of those that have characters
}

// TestEveryCodePoint compares what normalizers and pre-tokenizers make of every
// code point with Hugging Face tokenizers (testdata/generate.py).
func TestEveryCodePoint(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "unicode.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]column
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	split := func(expr string) split {
		p, err := compilePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		return split{p, isolated, false}
	}
	normalized := map[string]normalizer{
		"clean_text":           bertNormalizer{cleanText: true},
		"handle_chinese_chars": bertNormalizer{spaceIdeographs: true},
		"strip_accents":        bertNormalizer{stripAccents: true},
		"lowercase":            bertNormalizer{lowercase: true},
		"order":                bertNormalizer{stripAccents: true},
		"nfc":                  normalForm{composed: true},
		"nfd":                  normalForm{},
		"nfkc":                 normalForm{composed: true, compatible: true},
		"nfkd":                 normalForm{compatible: true},
		"marks":                stripAccents,
		"lower":                lowercase{},
		"nmt":                  nmt,
		"strip":                strip{true, true},
		"clusters":             clusters(t),
	}
	cut := map[string]preTokenizer{
		"words":       bertPreTokenizer{},
		"byte_level":  byteLevel{cut: true},
		"whitespace":  whitespace{},
		"white_split": whitespaceSplit,
		"digits":      characters{isNumeric, contiguous},
		"punctuation": characters{isPunctuation, contiguous},
		"expression":  split(`\w+|[^\w\s]+|\s+`),
		"classes":     split(`\d+|\p{L}+|[\w]+|\W+`),
	}
	if len(want) != len(normalized)+len(cut) {
		t.Errorf("unicode.json has %d columns, this test %d", len(want), len(normalized)+len(cut))
	}
	for name, n := range normalized {
		want[name].check(t, name, func(dst, text []byte) []byte {
			dst, err := n.appendNormalized(dst, text)
			if err != nil {
				t.Error(err)
			}
			return dst
		})
	}
	s := newScratch()
	for name, p := range cut {
		want[name].check(t, name, func(dst, text []byte) []byte {
			s.arena = s.arena[:0]
			words, err := p.appendWords(s.words[:0], word{text: text}, s)
			if err != nil {
				t.Error(err)
			}
			for i, w := range words {
				if i > 0 {
					dst = append(dst, ' ')
				}
				dst = append(dst, w.text...)
			}
			s.words = words
			return dst
		})
	}
}

func (c column) check(t *testing.T, name string, f func(dst, text []byte) []byte) {
	t.Helper()
	var starts []rune
	for start := rune(0); start < 0x34000; start += 4096 {
		starts = append(starts, start)
	}
	starts = append(starts, 0xE0000, 0x10F000)
	if len(c.CRC) != len(starts) {
		t.Fatalf("%s has %d blocks, want %d", name, len(c.CRC), len(starts))
	}
	var text, out []byte
	for i, start := range starts {
		text = text[:0]
		for r := start; r < start+4096; r++ {
			if r < 0xD800 || 0xDFFF < r {
				text = append(text, strings.ReplaceAll(c.Text, "{}", string(r))...)
			}
		}
		out = f(out[:0], text)
		if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(out)); sum != c.CRC[i] {
			t.Errorf("%s of %q: block from U+%04X: checksum %s, want %s", name, c.Text, start, sum, c.CRC[i])
		}
	}
}

// clusters returns the character map of generate.py: "o" for "º", "A" for "a".
func clusters(t *testing.T) *precompiled {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "clusters.map"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := parseCharacterMap(section{}, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
