// Package tokenize turns text into the token ids, token type ids and attention
// mask a text encoder reads, from the tokenizer files of a Hugging Face model
// directory. Its outputs are those of Hugging Face tokenizers 0.23.
//
//	tok, err := tokenize.Load("models/minilm")
//	enc, err := tok.Encode("A sentence.", nil, 128)
//
// A text passes five steps: added tokens are cut out (added.go), the rest is
// normalized (normalize.go, normalizers.go, normalform.go, precompiled.go) and
// cut into words (pretokenize.go, split.go, bytelevel.go, metaspace.go), every
// word becomes ids (wordpiece.go, bpe.go, unigram.go), and sequences are truncated
// and set into the template with its special tokens (truncate.go, template.go).
// Which component types a tokenizer.json may name stands in components.go: a new
// type is one line there and one constructor. Which tokenizers are known without
// a tokenizer.json stands in family.go: a new one is one line there and one
// function in familybuild.go.
//
// # SentencePiece models of type BPE
//
// Without a tokenizer.json the class of the tokenizer, not the model_type of the
// .model file, says which model reads its pieces, as in transformers 5.23:
//
//   - LlamaTokenizer merges. Every way to cut a piece in two pieces is a merge;
//     earlier pieces come first, which is the order of their scores.
//   - The other classes are Unigram, also with the pieces of a BPE model, whose
//     scores are ranks and no logarithms of probabilities: "▁the" comes out as
//     "▁t", "he" where these have the greater sum. Bytes are not fallen back on.
//
// Nor are add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces and
// byte_fallback of the .model file read, but add_prefix_space, legacy,
// add_bos_token and add_eos_token of tokenizer_config.json. SentencePiece itself
// therefore cuts some texts otherwise: it drops the spaces at both ends and all
// but one of many, where LlamaTokenizer keeps them. Models that SentencePiece
// cut texts for are best given with a tokenizer.json that does the same.
//
// # What is taken from github.com/sugarme/tokenizer, and what is corrected
//
// The vocabulary of WordPiece is the library's. Its pipeline is not used: with
// strip_accents corrected, version 0.3.0 gave the ids of Hugging Face tokenizers
// for 844 of 1257 reference texts of MiniLM, panicked on three, and encoded 230
// of them a second, where one core does tens of thousands here. Nor are its models,
// although they are nearly right once they are given the right words:
//
//	model      reference texts right   random texts right    cost of a new word
//	WordPiece  1257 of 1257            –                     8 times that here
//	BPE        1253 of 1257            488 of 500 (RoBERTa)  3 times (its source: quadratic in the length)
//	Unigram    1257 of 1257            497 of 500 (XLM-R)    83 times
//
// The corrections (TestCorrections and the goldens have a case for each):
//
//  1. strip_accents null is read as false; it must follow lowercase (normalize.go).
//  2. Accents stay on composed characters, and punctuation, marks and controls
//     are of other Unicode versions (normalize.go, unicode.go).
//  3. Offsets, which ids do not need, panic on odd Unicode (normalize.go).
//  4. Special tokens in a text come out in the order of their ids, not of their
//     places (added.go).
//  5. Pairs are truncated to wrong lengths (truncate.go).
//  6. The truncation and padding of the file apply to every text; here the
//     caller alone says the length, and nothing is padded (load.go).
//  7. continuing_subword_prefix is not read (wordpiece.go).
//  8. A model without "type", as in bert-base-uncased, may be taken for BPE
//     (components.go).
//  9. A long word takes milliseconds (wordpiece.go; TestLongWords).
//  10. A malformed file ends in a panic or log.Fatal: here everything is checked
//     first, and errors name file and field (section.go; TestMalformed and the
//     fuzz targets).
//  11. BPE merges equal pairs in no fixed order, puts the prefix of inner pieces
//     on the first, and panics on a character it does not know (bpe.go).
//  12. Unigram knows no token beyond 20 bytes, adds a bonus for length to the
//     scores and, as its source reads, writes every word in bytes with
//     byte_fallback (unigram.go).
//  13. The type ids of RoBERTa's pairs are 0 and 1 instead of all 0 (template.go).
package tokenize
