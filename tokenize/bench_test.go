package tokenize

import (
	"context"
	"testing"
)

// benchmarkTexts returns MiniLM's tokenizer and its reference texts: sentences
// and paragraphs of natural language, and some odd Unicode.
func benchmarkTexts(b *testing.B) (*Tokenizer, []Text) {
	b.Helper()
	tok, err := Load(shared(b, "minilm"))
	if err != nil {
		b.Fatal(err)
	}
	var texts []Text
	for _, c := range readGoldens(b, shared(b, "golden", "minilm.jsonl")) {
		texts = append(texts, Text{Text: c.Text, Pair: c.Pair})
	}
	return tok, texts
}

func report(b *testing.B, texts, tokens int) {
	b.ReportMetric(float64(texts)/b.Elapsed().Seconds(), "texts/s")
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkEncode(b *testing.B) {
	tok, texts := benchmarkTexts(b)
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
	tok, texts := benchmarkTexts(b)
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
	dir := shared(b, "minilm")
	for b.Loop() {
		if _, err := Load(dir); err != nil {
			b.Fatal(err)
		}
	}
}
