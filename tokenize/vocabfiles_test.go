package tokenize

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// pieceModel writes a SentencePiece model of one piece and a model type.
func pieceModel(piece string, kind uint64) string {
	p := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), piece)
	trainer := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), kind)
	m := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), p)
	return string(protowire.AppendBytes(protowire.AppendTag(m, 2, protowire.BytesType), trainer))
}

// TestFilesRefused checks what is said of vocabularies that cannot be read.
func TestFilesRefused(t *testing.T) {
	const words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n"
	const ids = `{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"<mask>":4,"a":5}`
	t5, albert := `{"model_type":"t5"}`, `{"model_type":"albert"}`
	for _, test := range []struct {
		name        string
		files       map[string]string
		says        string
		unsupported bool
	}{
		{"no unknown token", map[string]string{"vocab.txt": "a\nb\n"}, `vocab.txt: field unk_token: "[UNK]" is not in the vocabulary`, false},
		{"not UTF-8", map[string]string{"vocab.txt": "a\n\xff\n"}, "vocab.txt: field line 2: not UTF-8", false},
		{"id taken", map[string]string{"vocab.txt": words, addedTokensFile: `{"b":9}`}, `"b" has id 9 here, but its place in the vocabulary is 6`, false},
		{"no id", map[string]string{"vocab.txt": words, configFile: `{"added_tokens_decoder":{"x":{"content":"b"}}}`}, "added_tokens_decoder.x: want a token id", false},
		{"no content", map[string]string{"vocab.txt": words, configFile: `{"cls_token":{}}`}, "cls_token.content: missing", false},
		{"wrong setting", map[string]string{"vocab.txt": words, configFile: `{"do_lower_case":"no"}`}, "do_lower_case: want true or false", false},
		{"wrong kind", map[string]string{"vocab.txt": words, "config.json": t5}, "T5Tokenizer is read from a *.model file, not from vocab.txt", false},
		{"unknown class", map[string]string{"vocab.txt": words, configFile: `{"tokenizer_class":"FunnelTokenizer"}`}, `"FunnelTokenizer"`, true},
		{"unknown type", map[string]string{"spiece.model": pieceModel("a", 1), "config.json": `{"model_type":"funnel"}`}, "neither model_type of config.json nor the name spiece.model says", false},
		{"two models", map[string]string{"a.model": "", "b.model": ""}, "holds a.model, b.model; name the one to read", false},
		{"merge of strangers", map[string]string{"vocab.json": ids, "merges.txt": "#version: 0.2\na b\n"}, `merges: number 0, ["a" "b"]`, false},
		{"no merge", map[string]string{"vocab.json": ids, "merges.txt": "#version: 0.2\na\n"}, `merges.txt: field line 2: "a": want two tokens`, false},
		{"no vocabulary", map[string]string{"vocab.json": `[]`, "merges.txt": ""}, "vocab.json: want an object", false},
		{"not protobuf", map[string]string{"spiece.model": "\xff", "config.json": t5}, "not a SentencePiece model", false},
		{"no pieces", map[string]string{"spiece.model": "", "config.json": t5}, "it has no pieces", false},
		{"piece not UTF-8", map[string]string{"spiece.model": pieceModel("\xff", 1), "config.json": t5}, "pieces[0]", false},
		{"model of words", map[string]string{"spiece.model": pieceModel("a", 3), "config.json": t5}, "spiece.model: field trainer_spec.model_type: 3", true},
		{"model of characters", map[string]string{"tokenizer.model": pieceModel("a", 4), "config.json": `{"model_type":"llama"}`}, "tokenizer.model: field trainer_spec.model_type: 4", true},
		{"too few pieces", map[string]string{"spiece.model": pieceModel("a", 1), "config.json": albert}, "the unknown token has id 1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range test.files {
				write(t, filepath.Join(dir, name), content)
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), test.says) || errors.Is(err, ErrUnsupportedModel) != test.unsupported {
				t.Errorf("error %v, want one that says %s", err, test.says)
			}
		})
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "vocab.json"), ids)
	if _, err := Load(filepath.Join(dir, "vocab.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one of the absent merges.txt", err)
	}
}

// TestFilesOfFamily checks that all files of a tokenizer are named, the one that
// was read first, and that such a file may be loaded by its own name.
func TestFilesOfFamily(t *testing.T) {
	dir := filepath.Join(goldens, "files-roberta-prefix")
	for _, path := range []string{dir, filepath.Join(dir, "vocab.json")} {
		tok, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, file := range tok.Files() {
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
			names = append(names, filepath.Base(file))
		}
		if want := []string{"vocab.json", configFile, specialTokensFile, "merges.txt"}; !slices.Equal(names, want) {
			t.Errorf("files %v, want %v", names, want)
		}
		if id, ok := tok.vocabulary.id("<pad>"); !ok || id != tok.PadID() {
			t.Errorf("PadID() = %d, want %d", tok.PadID(), id)
		}
	}
}

// TestTranslate checks which expressions are refused: those that would mean
// something else here.
func TestTranslate(t *testing.T) {
	for expr, ok := range map[string]bool{
		`\s+(?!\S)|[^\r\n\p{L}\p{N}]?\p{L}+|\bx\b`: true, `[]a]|[^]]`: true, `a\`: false,
		`[a[bc]]`: false, `[a-z&&[^x]]`: false, `[\W]`: false, `[\P{L}]`: false, `\h`: false, `\Bx`: false, `(`: false,
	} {
		if _, err := compilePattern(expr); (err == nil) != ok {
			t.Errorf("%s: error %v", expr, err)
		}
	}
}
