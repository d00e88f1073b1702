package tokenize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// check encodes and says whether what holds of every encoding does.
func check(t *testing.T, tok *Tokenizer, text string, pair *string, maxLength int) {
	t.Helper()
	e, err := tok.Encode(text, pair, maxLength)
	if err != nil {
		template := tok.templates.single
		if pair != nil {
			template = tok.templates.pair
		}
		if 0 <= maxLength && (maxLength == 0 || maxLength >= specials(template)) {
			t.Errorf("length %d: %v", maxLength, err)
		}
		return
	}
	n := len(e.IDs)
	if len(e.TypeIDs) != n || len(e.AttentionMask) != n {
		t.Errorf("lengths %d, %d, %d differ", n, len(e.TypeIDs), len(e.AttentionMask))
	}
	if maxLength > 0 && n > maxLength {
		t.Errorf("%d tokens, want at most %d", n, maxLength)
	}
	if e.Truncated && n != maxLength {
		t.Errorf("truncated to %d tokens where %d are allowed", n, maxLength)
	}
	for i, id := range e.IDs {
		if id < 0 || id >= int64(tok.VocabSize()) || e.AttentionMask[i] != 1 {
			t.Errorf("token %d: id %d of %d, mask %d", i, id, tok.VocabSize(), e.AttentionMask[i])
		}
	}
}

// TestLongestFirst compares with the lengths Hugging Face tokenizers keeps.
func TestLongestFirst(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "truncation.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][5]int // two lengths, budget, two lengths kept
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 10*10*14 {
		t.Errorf("%d rows, want 1400", len(rows))
	}
	for _, row := range rows {
		if n1, n2 := longestFirst(row[0], row[1], row[2]); n1 != row[3] || n2 != row[4] {
			t.Errorf("longestFirst(%d, %d, %d) = %d, %d, want %d, %d", row[0], row[1], row[2], n1, n2, row[3], row[4])
		}
	}
}

func TestLengthWithoutRoom(t *testing.T) {
	tok := loadVariant(t, "uncased")
	pair := "noise"
	for _, test := range []struct {
		pair *string
		max  int
		ok   bool
	}{{nil, 0, true}, {nil, -1, false}, {nil, 1, false}, {nil, 2, true}, {&pair, 2, false}, {&pair, 3, true}} {
		e, err := tok.Encode("noise", test.pair, test.max)
		if (err == nil) != test.ok {
			t.Errorf("pair %v, length %d: error %v", test.pair != nil, test.max, err)
		}
		if err == nil && e.Truncated != (test.max > 0) {
			t.Errorf("pair %v, length %d: truncated %v", test.pair != nil, test.max, e.Truncated)
		}
	}
}

// TestInvalidUTF8 checks that bytes that are no text count as U+FFFD.
func TestInvalidUTF8(t *testing.T) {
	for _, name := range []string{"uncased", "bare"} {
		tok := loadVariant(t, name)
		got, err := tok.Encode("noise\xff\xfe \xc3a", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tok.Encode("noise\ufffd \ufffda", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestWordMemory checks that words met before, and more words than are
// remembered, do not change what comes out.
func TestWordMemory(t *testing.T) {
	tok := loadVariant(t, "uncased")
	s := newScratch()
	draw := rand.New(rand.NewPCG(1, 2))
	again := newScratch()
	for range maxWords + 5000 {
		word := fmt.Sprint("noise", draw.IntN(3*maxWords), strings.Repeat("a", draw.IntN(8)))
		got, err := tok.appendIDs(nil, s, word)
		if err != nil {
			t.Fatal(err)
		}
		clear(again.memory)
		fresh, err := tok.appendIDs(nil, again, word)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, fresh) {
			t.Fatalf("word %q: %v, want %v", word, got, fresh)
		}
		if len(s.memory) > maxWords {
			t.Fatalf("%d words remembered, want at most %d", len(s.memory), maxWords)
		}
	}
}

func TestEncodeAll(t *testing.T) {
	tok := loadVariant(t, "uncased")
	var texts []Text
	for _, c := range readGoldens(t, filepath.Join("testdata", "uncased", "golden.jsonl")) {
		texts = append(texts, Text{Text: c.Text, Pair: c.Pair})
	}
	for len(texts) < 3000 {
		texts = append(texts, texts...)
	}
	for _, n := range []int{0, 1, 63, 65, len(texts)} {
		got, err := tok.EncodeAll(context.Background(), texts[:n], 9)
		if err != nil || len(got) != n {
			t.Fatalf("%d texts: %d encodings, error %v", n, len(got), err)
		}
		for i, text := range texts[:n] {
			want, err := tok.Encode(text.Text, text.Pair, 9)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got[i], want) {
				t.Fatalf("text %d of %d: %v, want %v", i, n, got[i], want)
			}
		}
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if _, err := tok.EncodeAll(ctx, texts, 0); !errors.Is(err, reason) {
		t.Errorf("ended context: error %v, want its cause", err)
	}
	if _, err := tok.EncodeAll(context.Background(), texts[:10], 1); err == nil || !strings.Contains(err.Error(), "text 0: maximum length 1") {
		t.Errorf("no room: error %v, want one naming text and length", err)
	}
}
