package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// edited returns the tokenizer.json of a variant with the value at a path such
// as "model.vocab" replaced by a JSON value, or removed for "".
func edited(t testing.TB, variant, path, value string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", variant, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return edit(t, data, strings.Split(path, "."), value)
}

func edit(t testing.TB, data []byte, path []string, value string) []byte {
	t.Helper()
	if len(path) == 0 {
		return []byte(value)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	fields[path[0]] = edit(t, fields[path[0]], path[1:], value)
	if len(fields[path[0]]) == 0 {
		delete(fields, path[0])
	}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMalformed(t *testing.T) {
	token := `{"id":5,"content":"x","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}`
	as := func(old, new string) string { return "[" + strings.Replace(token, old, new, 1) + "]" }
	template := `[{"Sequence":{"id":"A","type_id":0}}]`
	for _, test := range []struct {
		path, value string
		field       string // the error names
	}{
		{"version", `"2.0"`, "version"},
		{"model", ``, "model"},
		{"model", `null`, "model"},
		{"model", `[]`, "model"},
		{"model.type", `7`, "model.type"},
		{"model.vocab", ``, "model.vocab"},
		{"model.vocab", `[["a",0.5]]`, "model.vocab"},
		{"model.vocab", `{"a":"b"}`, "model.vocab"},
		{"model.vocab", `{"[UNK]":0,"a":-1}`, "model.vocab"},
		{"model.vocab", `{"[UNK]":0,"":2147483647}`, "model.vocab"},
		{"model.vocab", `{"[UNK]":0,"a":1.5}`, "model.vocab"},
		{"model.unk_token", ``, "model.unk_token"},
		{"model.unk_token", `"[NONE]"`, "model.unk_token"},
		{"model.max_input_chars_per_word", `-1`, "model.max_input_chars_per_word"},
		{"model.continuing_subword_prefix", `{}`, "model.continuing_subword_prefix"},
		{"normalizer", `7`, "normalizer"},
		{"normalizer.type", ``, "normalizer.type"},
		{"normalizer.lowercase", ``, "normalizer.lowercase"},
		{"normalizer.strip_accents", `"yes"`, "normalizer.strip_accents"},
		{"pre_tokenizer", `"BertPreTokenizer"`, "pre_tokenizer"},
		{"post_processor.single", `7`, "post_processor.single"},
		{"post_processor.single", `[{}]`, "post_processor.single"},
		{"post_processor.single", `[{"SpecialToken":{"id":"[BOS]","type_id":0}}]`, "post_processor.single"},
		{"post_processor.single", `[{"Sequence":{"id":"B","type_id":0}}]`, "post_processor.single"},
		{"post_processor.pair", `[{"Sequence":{"id":"C","type_id":0}}]`, "post_processor.pair"},
		{"post_processor.pair", template[:len(template)-1] + `,{"Sequence":{"id":"","type_id":0}}]`, "post_processor.pair"},
		{"post_processor.special_tokens", `{"[CLS]":{"ids":[99999]},"[SEP]":{"ids":[3]}}`, "post_processor"},
		{"post_processor.special_tokens", `{"[CLS]":{"ids":[-1]},"[SEP]":{"ids":[3]}}`, "post_processor.special_tokens.ids"},
		{"post_processor", `{"type":"BertProcessing","sep":["[SEP]",3],"cls":"[CLS]"}`, "post_processor.cls"},
		{"post_processor", `{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]","2"]}`, "post_processor"},
		{"post_processor", `{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",99999]}`, "post_processor"},
		{"added_tokens", `{}`, "added_tokens"},
		{"added_tokens", `[7]`, "added_tokens[0]"},
		{"added_tokens", as(`"lstrip":false,`, ``), "added_tokens[0].lstrip"},
		{"added_tokens", as(`"x"`, `""`), "added_tokens[0].content"},
		{"added_tokens", as(`5`, `4000`), "added_tokens[0].id"},
		{"added_tokens", `[` + strings.Replace(token, `"id":5,"content":"x"`, `"id":1,"content":"[UNK]"`, 1) + `,` +
			strings.Replace(token, `"id":5,"content":"x"`, `"id":1,"content":"[UNK]"`, 1) + `]`, "added_tokens[1].content"},
		{"padding", `{"pad_token":"[FILL]"}`, "padding.pad_token"},
		{"padding", `{}`, "padding.pad_token"},
	} {
		t.Run(test.path+"="+test.value, func(t *testing.T) {
			_, err := parse("tokenizer.json", edited(t, "uncased", test.path, test.value))
			wrong, ok := errors.AsType[*FileError](err)
			if !ok {
				t.Fatalf("error %v, want a FileError", err)
			}
			if wrong.File != "tokenizer.json" || wrong.Field != test.field {
				t.Errorf("error %q names field %q, want %q", err, wrong.Field, test.field)
			}
			if errors.Is(err, ErrUnsupportedModel) {
				t.Errorf("error %q is taken for an unsupported type", err)
			}
		})
	}
}

// Hugging Face tokenizers picks one of two such tokens by chance, and splits
// text everywhere at one that normalizes to nothing.
func TestNormalizedTokensDiffer(t *testing.T) {
	token := `{"id":%d,"content":%q,"single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}`
	data := edited(t, "uncased", "model.vocab", `{"[UNK]":0,"[CLS]":2,"[SEP]":3}`)
	for _, test := range []struct{ second, want string }{
		{"\u0301", "normalizes to nothing"},
		{"NOISE", `"NOISE" normalizes to "noise", as added token 3 does`},
	} {
		added := fmt.Sprintf("["+token+","+token+"]", 3, "Noise", 4, test.second)
		_, err := parse("tokenizer.json", edit(t, data, []string{"added_tokens"}, added))
		if wrong, ok := errors.AsType[*FileError](err); !ok || wrong.Field != "added_tokens[1].content" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("token %+q: error %v, want one that says %s", test.second, err, test.want)
		}
	}
}

func TestNotJSON(t *testing.T) {
	for data, want := range map[string]string{
		"":                     "tokenizer.json: not JSON: line 1, column 0",
		"{\"a\": 1,\n\"b\" 2}": "tokenizer.json: not JSON: line 2, column 5",
		"{\"a\": \"\xff\"}":    "tokenizer.json: not UTF-8",
		"[]":                   "tokenizer.json: want an object, have array",
		"null":                 "tokenizer.json: field model: missing",
	} {
		if _, err := parse("tokenizer.json", []byte(data)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", data, err, want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	bert := `{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]}`
	for _, test := range []struct{ path, value, names string }{
		{"model.type", `"WordLevel"`, `field model.type: "WordLevel"`},
		{"model", `{"vocab":{},"unk_token":"[UNK]"}`, `field model.type: "WordLevel"`},
		{"normalizer.type", `"Fold"`, `field normalizer.type: "Fold"`},
		{"normalizer", `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Fold"}]}`, `field normalizer.normalizers[1].type: "Fold"`},
		{"normalizer", `{"type":"Replace","pattern":{"Regex":"(?<a"},"content":""}`, `field normalizer.pattern.Regex`},
		{"pre_tokenizer.type", `"UnicodeScripts"`, `field pre_tokenizer.type: "UnicodeScripts"`},
		{"post_processor.type", `"Frame"`, `field post_processor.type: "Frame"`},
		{"post_processor", `{"type":"Sequence","processors":[` + bert + `,` + bert + `]}`, `field post_processor`},
	} {
		_, err := parse("tokenizer.json", edited(t, "uncased", test.path, test.value))
		if !errors.Is(err, ErrUnsupportedModel) || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s = %s: error %v, want ErrUnsupportedModel naming %s", test.path, test.value, err, test.names)
		}
	}
}

// TestLoad checks what is found in a directory.
func TestLoad(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "uncased", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Model struct{ Vocab map[string]int64 }
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	vocab := config.Model.Vocab
	for _, test := range []struct {
		name  string
		files map[string]string // beside tokenizer.json
		pad   string            // token PadID belongs to
		err   string            // or the error's field
	}{
		{"alone", nil, "[PAD]", ""},
		{"config", map[string]string{configFile: `{"pad_token":"[MASK]"}`, specialTokensFile: `{"pad_token":"[SEP]"}`}, "[MASK]", ""},
		{"object", map[string]string{configFile: `{"pad_token":null}`, specialTokensFile: `{"pad_token":{"content":"[SEP]"}}`, "vocab.txt": "", "model.bin": ""}, "[SEP]", ""},
		{"not in vocabulary", map[string]string{configFile: `{"pad_token":"<fill>"}`}, "", "pad_token"},
		{"not a token", map[string]string{configFile: `{"pad_token":7}`}, "", "pad_token"},
		{"no content", map[string]string{specialTokensFile: `{"pad_token":{}}`}, "", "pad_token.content"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "tokenizer.json")
			write(t, file, string(data))
			want := []string{file}
			for _, name := range []string{configFile, specialTokensFile, "vocab.txt", "model.bin"} {
				content, ok := test.files[name]
				if !ok {
					continue
				}
				write(t, filepath.Join(dir, name), content)
				if name != "model.bin" {
					want = append(want, filepath.Join(dir, name))
				}
			}
			for _, path := range []string{dir, file} {
				tok, err := Load(path)
				if test.err != "" {
					if wrong, ok := errors.AsType[*FileError](err); !ok || wrong.Field != test.err {
						t.Errorf("error %v, want one of field %s", err, test.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := tok.Files(); !slices.Equal(got, want) {
					t.Errorf("Files() = %v, want %v", got, want)
				}
				if got := tok.PadID(); got != vocab[test.pad] {
					t.Errorf("PadID() = %d, want %d", got, vocab[test.pad])
				}
				if got := tok.VocabSize(); got != len(vocab) {
					t.Errorf("VocabSize() = %d, want %d", got, len(vocab))
				}
			}
		})
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load of nothing: error %v, want fs.ErrNotExist", err)
		}
	}
}

// TestVocabSize counts added tokens behind the model's.
func TestVocabSize(t *testing.T) {
	var config struct {
		Added []struct{ ID int } `json:"added_tokens"`
	}
	if err := json.Unmarshal(edited(t, "cased", "model.vocab", "{}"), &config); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, token := range config.Added {
		want = max(want, token.ID+1)
	}
	tok := loadVariant(t, "cased")
	if got := tok.VocabSize(); got != want || got == tok.vocabulary.model.size() {
		t.Errorf("VocabSize() = %d, want %d", got, want)
	}
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
