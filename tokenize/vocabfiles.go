package tokenize

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

const (
	tokenizerFile = "tokenizer.json"
	vocabTextFile = "vocab.txt"
	vocabJSONFile = "vocab.json"
	mergesFile    = "merges.txt"
)

// loadFamily builds a tokenizer from file, a vocabulary whose contents are
// data, and the files beside it.
func loadFamily(file string, data []byte) (*Tokenizer, error) {
	dir, name := filepath.Split(file)
	s, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	f, err := familyOf(s, name)
	if err != nil {
		return nil, err
	}
	from := source{at: section{file: file, raw: data}}
	switch filepath.Ext(name) {
	case ".model":
		from.pieces, err = parseSentencePiece(file, data)
	case ".json":
		merges := filepath.Join(dir, mergesFile)
		var lines []byte
		if lines, err = confine.ReadFile(merges); err != nil {
			return nil, fmt.Errorf("%w; %s needs it", err, file)
		}
		if from.vocab, err = readVocab(from.at); err == nil {
			from.merges, err = parseMerges(merges, lines)
		}
	default:
		from.vocab, err = parseVocab(file, data)
	}
	if err != nil {
		return nil, err
	}
	return f.assemble(s, from)
}

// parseVocab reads a vocab.txt: a token a line, its id the number of the line
// from 0. Of equal tokens the last counts.
func parseVocab(file string, data []byte) (map[string]int32, error) {
	root := section{file: file}
	vocab := map[string]int32{}
	for id, line := range splitLines(data) {
		if id >= math.MaxInt32 {
			return nil, root.errorf("more than %d lines", math.MaxInt32)
		}
		if !utf8.Valid(line) {
			return nil, root.at(fmt.Sprintf("line %d", id+1), nil).errorf("not UTF-8 text")
		}
		vocab[string(bytes.TrimRightFunc(line, unicode.IsSpace))] = int32(id)
	}
	return vocab, nil
}

// parseMerges reads a merges.txt: a pair of tokens a line, with a space between.
func parseMerges(file string, data []byte) ([][2]string, error) {
	root := section{file: file}
	var merges [][2]string
	for i, line := range splitLines(data) {
		if bytes.HasPrefix(line, []byte("#version")) {
			continue
		}
		left, right, ok := strings.Cut(string(line), " ")
		if !ok || strings.Contains(right, " ") || !utf8.Valid(line) {
			return nil, root.at(fmt.Sprintf("line %d", i+1), nil).errorf("%q: want two tokens with a space between", line)
		}
		merges = append(merges, [2]string{left, right})
	}
	return merges, nil
}

// splitLines returns the lines of data without their ends.
func splitLines(data []byte) [][]byte {
	lines := bytes.Split(data, []byte("\n"))
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last] // what follows the last line's end is no line
	}
	for i, line := range lines {
		lines[i] = bytes.TrimSuffix(line, []byte("\r"))
	}
	return lines
}
