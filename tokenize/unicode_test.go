package tokenize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// TestEveryCodePoint compares what normalizer and pre-tokenizer make of every
// code point with Hugging Face tokenizers (testdata/generate.py).
func TestEveryCodePoint(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "unicode.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]string // CRC-32 per block of 4096 code points
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	normalize := func(n normalizer, before, after string) func(rune) []byte {
		return func(c rune) []byte {
			out, err := n.appendNormalized(nil, []byte(before+string(c)+after))
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	cut := func(p preTokenizer, before, after string) func(rune) []byte {
		return func(c rune) []byte {
			words, err := p.appendWords(nil, word{text: []byte(before + string(c) + after)}, newScratch())
			if err != nil {
				t.Fatal(err)
			}
			var texts [][]byte
			for _, w := range words {
				texts = append(texts, w.text)
			}
			return bytes.Join(texts, []byte(" "))
		}
	}
	columns := map[string]func(rune) []byte{
		"clean_text":           normalize(bertNormalizer{cleanText: true}, "a", "b"),
		"handle_chinese_chars": normalize(bertNormalizer{spaceIdeographs: true}, "a", "b"),
		"strip_accents":        normalize(bertNormalizer{stripAccents: true}, "a", "b"),
		"lowercase":            normalize(bertNormalizer{lowercase: true}, "a", "b"),
		"order":                normalize(bertNormalizer{stripAccents: true}, "a\u302e", "\U0001d165b"),
		"words":                cut(bertPreTokenizer{}, "a", "b"),
	}
	if len(want) != len(columns) {
		t.Errorf("unicode.json has %d columns, this test %d", len(want), len(columns))
	}
	for name, column := range columns {
		for block := range rune(0x110000 / 4096) {
			var outputs [][]byte
			for c := block * 4096; c < (block+1)*4096; c++ {
				if c < 0xD800 || c > 0xDFFF {
					outputs = append(outputs, column(c))
				}
			}
			sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(bytes.Join(outputs, []byte("\n"))))
			if sum != want[name][block] {
				t.Errorf("%s: block from U+%04X: checksum %s, want %s", name, block*4096, sum, want[name][block])
			}
		}
	}
}
