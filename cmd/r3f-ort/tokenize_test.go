package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/tokenize"
)

// TestTokenize prints what Encode returns, line for line, from standard input and from files.
func TestTokenize(t *testing.T) {
	dir := filepath.Join("..", "..", "tokenize", "testdata", "golden", "roberta")
	tok, err := tokenize.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var input, want strings.Builder
	var whole int
	for i := range 700 { // more than a chunk
		text, pair, length := fmt.Sprintf("noise %d drifts", i), "a <mask> model", 5+i%9
		e, err := tok.Encode(text, &pair, length)
		if err != nil {
			t.Fatal(err)
		}
		line := func(e tokenize.Encoding) {
			data, err := json.Marshal(map[string][]int64{"ids": e.IDs, "type_ids": e.TypeIDs, "attention_mask": e.AttentionMask})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&want, "%s\n", data)
		}
		line(e)
		fmt.Fprintf(&input, "{\"text\": %q, \"pair\": %q, \"max_length\": %d}\n\n", text, pair, length)
		if e, err = tok.Encode(text, nil, 7); err != nil {
			t.Fatal(err)
		}
		line(e)
		whole += len(e.IDs)
		fmt.Fprintf(&input, "{\"text\": %q, \"max_length\": null}\n", text)
	}
	if whole == 0 {
		t.Fatal("no tokens")
	}
	same := func(got string) {
		t.Helper()
		lines, wanted := strings.Split(got, "\n"), strings.Split(want.String(), "\n")
		if len(lines) != len(wanted) {
			t.Fatalf("%d lines, want %d", len(lines), len(wanted))
		}
		for i := range wanted {
			var a, b map[string][]int64
			if wanted[i] != "" && (json.Unmarshal([]byte(lines[i]), &a) != nil || json.Unmarshal([]byte(wanted[i]), &b) != nil) || fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("line %d: %s, want %s", i+1, lines[i], wanted[i])
			}
		}
	}
	cmd := command(t, "tokenize", "--tokenizer", dir, "--max-length", "7")
	cmd.Stdin = strings.NewReader(input.String())
	o := finish(t, cmd)
	o.want(t, exitDone)
	same(o.stdout)

	file := filepath.Join(t.TempDir(), "texts.jsonl")
	first, second, _ := strings.Cut(input.String(), "\n\n")
	if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	rest := file + ".rest"
	if err := os.WriteFile(rest, []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	same(succeed(t, "tokenize", "--tokenizer", dir, "--max-length", "7", "--input", file, "--input", rest).stdout)
}

func TestTokenizeErrors(t *testing.T) {
	dir := filepath.Join("..", "..", "tokenize", "testdata", "golden", "roberta")
	for _, test := range []struct {
		input string
		names []string
	}{
		{"{\"text\": \"a\"}\n{\"text\": 7}\n", []string{"standard input, line 2"}},
		{"{\"text\": \"a\"}\n\n{\"text\": \"a\", \"max_length\": 1}\n", []string{"standard input, line 3", "maximum length 1"}},
		{"{\"text\": \"a\", \"max_length\": -2}\n", []string{"line 1", "max_length is -2"}},
	} {
		cmd := command(t, "tokenize", "--tokenizer", dir)
		cmd.Stdin = strings.NewReader(test.input)
		finish(t, cmd).want(t, exitUsage, test.names...)
	}
	r3f(t, "tokenize").want(t, exitUsage, "--tokenizer")
	r3f(t, "tokenize", "--tokenizer", t.TempDir()).want(t, exitUsage, "tokenizer.json")
	r3f(t, "tokenize", "--tokenizer", dir, "--input", "none.jsonl").want(t, exitUsage, "none.jsonl")
}
