package tasks

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// tsvRecords splits lines at tabs and nothing else.
func tsvRecords(path string, r io.Reader, header []string) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		names, named := header, 0
		for l, err := range lines(path, r) {
			if err != nil {
				yield(record{}, err)
				return
			}
			if l.text == "" {
				continue
			}
			fields := strings.Split(l.text, "\t")
			if names == nil {
				names, named = fields, l.number
				continue
			}
			if !yield(record{l.number, named, names, texts(fields)}, nil) {
				return
			}
		}
	}
}

// line is one line of text without its end, and its 1-based number.
type line struct {
	number int
	text   string
}

// lines splits at LF, drops one CR before it and a byte-order mark at the start, and checks that all is UTF-8.
func lines(path string, r io.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		in := skipBOM(r)
		for number := 1; ; number++ {
			text, err := in.ReadString('\n')
			if err != nil && err != io.EOF {
				yield(line{}, unreadable(path, err))
				return
			}
			if bad := invalidUTF8(text); bad >= 0 {
				yield(line{}, notUTF8(path, number, "", text, bad))
				return
			}
			text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
			if !yield(line{number, text}, nil) || err == io.EOF {
				return
			}
		}
	}
}

func skipBOM(r io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(r, 1<<16)
	bom := []byte("\ufeff")
	if head, _ := in.Peek(len(bom)); bytes.Equal(head, bom) {
		in.Discard(len(bom))
	}
	return in
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(s string) int {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return i
		}
	}
	return -1
}

// notUTF8 shows the bytes around s[at].
func notUTF8(path string, number int, column, s string, at int) error {
	return &DataError{File: path, Line: number, Column: column, Value: s[max(0, at-20):min(len(s), at+20)],
		Problem: fmt.Sprintf("byte 0x%02X is not UTF-8", s[at]), Next: "convert the file to UTF-8"}
}

func unreadable(path string, err error) error {
	return &DataError{File: path, Problem: cause(err), Err: err, Next: "check that it is a file you may read"}
}
