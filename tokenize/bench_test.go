package tokenize

import (
	"bufio"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var (
	benchTokenizer = flag.String("tokenizer", "", "tokenizer to measure; MiniLM's by default")
	benchTexts     = flag.String("bench-texts", "", "file with a text a line; MiniLM's reference texts by default")
)

// benchmark returns a tokenizer and texts. The default texts are sentences and
// paragraphs of natural language, and some odd Unicode.
func benchmark(b *testing.B) (*Tokenizer, []Text) {
	b.Helper()
	dir := *benchTokenizer
	if dir == "" {
		dir = shared(b, "minilm")
	}
	tok, err := Load(dir)
	if err != nil {
		b.Fatal(err)
	}
	var texts []Text
	if *benchTexts == "" {
		for _, c := range readGoldens(b, shared(b, "golden", "minilm.jsonl")) {
			texts = append(texts, Text{Text: c.Text, Pair: c.Pair})
		}
		return tok, texts
	}
	f, err := os.Open(*benchTexts)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		texts = append(texts, Text{Text: lines.Text()})
	}
	return tok, texts
}

func report(b *testing.B, texts, tokens int) {
	b.ReportMetric(float64(texts)/b.Elapsed().Seconds(), "texts/s")
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkEncode(b *testing.B) {
	tok, texts := benchmark(b)
	n, tokens := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		text := texts[n%len(texts)]
		e, err := tok.Encode(text.Text, text.Pair, 0)
		if err != nil {
			b.Fatal(err)
		}
		n++
		tokens += len(e.IDs)
	}
	report(b, n, tokens)
}

func BenchmarkEncodeAll(b *testing.B) {
	tok, texts := benchmark(b)
	n, tokens := 0, 0
	for b.Loop() {
		encodings, err := tok.EncodeAll(context.Background(), texts, 0)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range encodings {
			tokens += len(e.IDs)
		}
		n += len(texts)
	}
	report(b, n, tokens)
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"minilm", "roberta-base", "t5", filepath.Join("xlm-roberta", "sentencepiece.bpe.rebuilt.model")} {
		b.Run(name, func(b *testing.B) {
			dir := shared(b, name)
			for b.Loop() {
				if _, err := Load(dir); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
