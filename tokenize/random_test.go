package tokenize

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	randomTexts = flag.Int("texts", 4000, "texts that TestRandomTexts encodes")
	randomSeed  = flag.Uint64("seed", 0, "seed of TestRandomTexts; 0 for one from the clock")
)

// tokenizers returns all small tokenizers, and the real ones that are there.
func tokenizers(t testing.TB) map[string]*Tokenizer {
	t.Helper()
	toks := map[string]*Tokenizer{}
	for _, name := range variants {
		toks[name] = loadVariant(t, name)
	}
	dirs, err := os.ReadDir(goldens)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(goldens, dir.Name(), "golden.jsonl")); err != nil {
			continue
		}
		tok, err := Load(filepath.Join(goldens, dir.Name()))
		if err != nil {
			t.Fatal(err)
		}
		toks["golden/"+dir.Name()] = tok
	}
	return toks
}

// TestRandomTexts encodes random texts. A million: go test -run TestRandomTexts -texts 1000000.
func TestRandomTexts(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d texts, -seed %d", *randomTexts, seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	toks := tokenizers(t)
	for _, name := range []string{"minilm", "roberta-base", "t5"} {
		if _, err := os.Stat(filepath.Join("..", "..", "shared", "tokenizers", name)); err == nil && *randomTexts > 100000 {
			tok, err := Load(shared(t, name))
			if err != nil {
				t.Fatal(err)
			}
			toks[name] = tok
		}
	}
	var names []string
	for name := range toks {
		names = append(names, name)
	}
	for i := range *randomTexts {
		name := names[i%len(names)]
		text := randomText(draw)
		var pair *string
		if draw.IntN(4) == 0 {
			second := randomText(draw)
			pair = &second
		}
		check(t, toks[name], text, pair, draw.IntN(20))
		if t.Failed() {
			t.Fatalf("%s, text %d: %+q", name, i, text)
		}
	}
}

// randomText returns what no person writes: characters of all planes, bytes
// that are no text, encoded surrogates, piles of marks, special tokens, words
// without end.
func randomText(draw *rand.Rand) string {
	pieces := []string{" ", "  ", "\t", "\r\n", "noise", "Café", "e\u0301", "İ", "ﬁ", "▁", "<s>", "</s>", "<mask>", "[SEP]", "[MASK]", "<unk>", "<left>", "<both>", "'s", "...",
		"\xff", "\xc3", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\x00", "\u0301", "\u200d", "👩‍🚀", "🇩🇪", "각", "\u1100\u1161\u11a8", "東京", "क्ष"}
	var b strings.Builder
	for range draw.IntN(14) {
		switch draw.IntN(8) {
		case 0, 1, 2:
			b.WriteString(pieces[draw.IntN(len(pieces))])
		case 3:
			b.WriteByte(byte(draw.IntN(256)))
		case 4:
			b.WriteRune(rune(draw.IntN(0x110000)))
		case 5:
			b.WriteRune(rune(draw.IntN(0x3000)))
		case 6:
			b.WriteByte(byte(' ' + draw.IntN(95)))
		case 7:
			n := 1 + draw.IntN(40)
			if draw.IntN(300) == 0 {
				n = 3000
			}
			b.WriteString(strings.Repeat(pieces[draw.IntN(len(pieces))], n))
		}
	}
	return b.String()
}
