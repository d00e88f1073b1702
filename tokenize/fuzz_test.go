package tokenize

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func FuzzEncode(f *testing.F) {
	toks := tokenizers(f)
	f.Add("The encoder drifts.", "[SEP] a", true, 9)
	f.Add("\u302e\U0001d165 e\u0301 \xff\x00 東京", "İ", true, 0)
	f.Add("a <both>  b\xed\xa0\x80", "", false, 2)
	f.Add("they're 12 noises\u2581\u2581 \n\n x", "<unk><unk>", true, 0)
	f.Fuzz(func(t *testing.T, text, second string, paired bool, maxLength int) {
		var pair *string
		if paired {
			pair = &second
		}
		for name, tok := range toks {
			check(t, tok, text, pair, maxLength)
			if t.Failed() {
				t.Fatal(name)
			}
		}
	})
}

// FuzzLoad checks that no tokenizer.json makes Load, or the tokenizer it gives, panic.
func FuzzLoad(f *testing.F) {
	for _, variant := range variants {
		f.Add(edited(f, variant, "model.vocab", `{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"[MASK]":4,"a":5,"##b":6}`))
	}
	f.Add([]byte(`{"model":{"type":"WordPiece","unk_token":"a","continuing_subword_prefix":"","max_input_chars_per_word":1,"vocab":{"a":0,"":7}},` +
		`"added_tokens":[{"id":2,"content":" ","single_word":true,"lstrip":true,"rstrip":true,"normalized":true}]}`))
	f.Add([]byte(`{"model":{"type":"BPE","unk_token":"b","continuing_subword_prefix":"#","end_of_word_suffix":"$","fuse_unk":true,"byte_fallback":true,"ignore_merges":true,` +
		`"vocab":{"a":0,"#b":1,"ab":2,"<0x00>":3,"b":4},"merges":[["a","#b"]]},"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Replace","pattern":{"Regex":"\\s+(?!\\S)"},"content":"a"}]},` +
		`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"b"},"behavior":"MergedWithNext","invert":true},{"type":"ByteLevel","add_prefix_space":true}]},"post_processor":{"type":"RobertaProcessing","sep":["a",0],"cls":["b",4]}}`))
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":1,"byte_fallback":true,"vocab":[["a",-1],["b",0.5],["ab",-0.1],["▁",-3]]},` +
		`"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAABh"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false},` +
		`"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := parse("tokenizer.json", data)
		if err != nil {
			return
		}
		tryOut(t, tok)
	})
}

// tryOut encodes texts; a tokenizer may refuse them, but in order.
func tryOut(t *testing.T, tok *Tokenizer) {
	t.Helper()
	pair := "a  b [SEP]b"
	for _, text := range []string{"ab [MASK] é a", "\U0001f469\u200d<s>\u0301 ▁ab\xff", ""} {
		if e, err := tok.Encode(text, &pair, 0); err == nil {
			for _, id := range e.IDs {
				if id < 0 || id >= int64(tok.VocabSize()) {
					t.Errorf("id %d of %d", id, tok.VocabSize())
				}
			}
		}
	}
}

// FuzzSentencePiece checks that no .model file makes a family's tokenizer panic.
func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"files-t5/spiece.model", "files-deberta-v2/spm.model", "files-llama/tokenizer.model", "files-llama-bytes/tokenizer.model"} {
		data, err := os.ReadFile(filepath.Join(goldens, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\n\x05\n\x01a\x18\x04\n\x0a\n\x01b\x15\x00\x00\x80\xbf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		pieces, err := parseSentencePiece("m.model", data)
		if err != nil {
			return
		}
		for _, class := range []string{"XLMRobertaTokenizer", "T5Tokenizer", "AlbertTokenizer", "DebertaV2Tokenizer", "LlamaTokenizer"} {
			s := newSettings("")
			s.class = class
			family, err := familyOf(s, "m.model")
			if err != nil {
				t.Fatal(err)
			}
			if tok, err := family.assemble(s, source{at: section{file: "m.model"}, pieces: pieces}); err == nil {
				tryOut(t, tok)
			}
		}
	})
}

// FuzzVocabulary checks that no vocab.txt, and no vocab.json with merges.txt
// and tokenizer_config.json, makes Load or its tokenizer panic.
func FuzzVocabulary(f *testing.F) {
	f.Add([]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"), []byte{}, []byte(`{"do_lower_case":false,"mask_token":{"content":"a","lstrip":true}}`))
	f.Add([]byte(`{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"<mask>":4,"a":5,"b":6,"ab":7}`), []byte("#version: 0.2\na b\n"),
		[]byte(`{"add_prefix_space":true,"added_tokens_decoder":{"8":{"content":" b","normalized":true}},"pad_token":null}`))
	f.Add([]byte(`{"<s>":0}`), []byte("\r\n a"), []byte(`{"tokenizer_class":"RobertaTokenizer"}`))
	f.Fuzz(func(t *testing.T, vocab, merges, config []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, configFile), string(config))
		write(t, filepath.Join(dir, mergesFile), string(merges))
		name := vocabTextFile
		if bytes.HasPrefix(vocab, []byte("{")) {
			name = vocabJSONFile
		}
		write(t, filepath.Join(dir, name), string(vocab))
		if tok, err := Load(dir); err == nil {
			tryOut(t, tok)
		}
	})
}
