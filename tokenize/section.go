package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// ErrUnsupportedModel is wrapped by the error of [Load] for a well-formed
// tokenizer.json that names a model, normalizer, pre-tokenizer or
// post-processor type this package does not implement. The message names it.
var ErrUnsupportedModel = errors.New("tokenizer type not supported")

// FileError reports what is wrong in a tokenizer file, and where.
type FileError struct {
	File  string // path of the file
	Field string // path of the field inside it, such as "model.vocab"; empty for the whole file
	Err   error
}

func (e *FileError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: field %s: %v", e.File, e.Field, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// section is one JSON value of a tokenizer file with its place, so that every
// complaint about it names file and field.
type section struct {
	file, field string
	raw         json.RawMessage
}

// at returns the value raw that lies under key in s.
func (s section) at(key string, raw json.RawMessage) section {
	field := s.field + "." + key
	if s.field == "" || strings.HasPrefix(key, "[") {
		field = s.field + key
	}
	return section{s.file, field, raw}
}

// null reports whether the value is absent or null.
func (s section) null() bool { return len(s.raw) == 0 || string(s.raw) == "null" }

func (s section) errorf(format string, args ...any) error {
	return &FileError{s.file, s.field, fmt.Errorf(format, args...)}
}

// decode reads the value into target. A value that must be an object names the
// keys it requires.
func (s section) decode(target any, required ...string) error {
	if len(required) > 0 {
		var keys map[string]json.RawMessage
		if err := s.unmarshal(&keys); err != nil {
			return err
		}
		for _, key := range required {
			if _, ok := keys[key]; !ok {
				return s.at(key, nil).errorf("missing")
			}
		}
	}
	return s.unmarshal(target)
}

func (s section) unmarshal(target any) error {
	err := json.Unmarshal(s.raw, target)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field != "" {
			s = s.at(wrong.Field, nil)
		}
		return s.errorf("want %s, have %s", describe(wrong.Type), wrong.Value)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := s.raw[:min(int(wrong.Offset), len(s.raw))]
		line := 1 + bytes.Count(before, []byte("\n"))
		return s.errorf("not JSON: line %d, column %d: %w", line, len(before)-1-bytes.LastIndexByte(before, '\n'), err)
	}
	return err
}

// describe names a Go type the way a reader of JSON does.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number in range"
	}
}

// list returns the elements of an array.
func (s section) list() ([]section, error) {
	var raws []json.RawMessage
	if err := s.decode(&raws); err != nil {
		return nil, err
	}
	sections := make([]section, len(raws))
	for i, raw := range raws {
		sections[i] = s.at(fmt.Sprintf("[%d]", i), raw)
	}
	return sections, nil
}

// typeOf returns the "type" of the component that s describes.
func typeOf(s section) (string, error) {
	var head struct {
		Type *string `json:"type"`
	}
	if err := s.decode(&head); err != nil {
		return "", err
	}
	if head.Type == nil {
		return "", s.at("type", nil).errorf("missing")
	}
	return *head.Type, nil
}

// component builds the part of a tokenizer that s describes with the
// constructor its "type" names.
func component[T any](s section, kinds map[string]func(section) (T, error)) (T, error) {
	name, err := typeOf(s)
	if err != nil {
		var none T
		return none, err
	}
	return build(s, name, kinds)
}

func build[T any](s section, name string, kinds map[string]func(section) (T, error)) (T, error) {
	build, ok := kinds[name]
	if !ok {
		var none T
		return none, s.at("type", nil).errorf("%q: %w; use a tokenizer with one of: %s",
			name, ErrUnsupportedModel, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	return build(s)
}

// maxNesting bounds Sequences within Sequences, which none needs.
const maxNesting = 8

// components builds the parts that s describes: none where it is absent, the
// members of a "Sequence", which lie under key, or the one part it is.
// Sequences within sequences are laid flat.
func components[T any](s section, kinds map[string]func(section) (T, error), key string) ([]T, error) {
	return appendComponents(nil, s, kinds, key, maxNesting)
}

func appendComponents[T any](dst []T, s section, kinds map[string]func(section) (T, error), key string, depth int) ([]T, error) {
	if s.null() {
		return dst, nil
	}
	name, err := typeOf(s)
	if err != nil {
		return nil, err
	}
	if name != "Sequence" {
		part, err := build(s, name, kinds)
		if err != nil {
			return nil, err
		}
		return append(dst, part), nil
	}
	if depth == 0 {
		return nil, s.errorf("more than %d Sequences within each other", maxNesting)
	}
	var fields map[string]json.RawMessage
	if err := s.decode(&fields, key); err != nil {
		return nil, err
	}
	members, err := s.at(key, fields[key]).list()
	if err != nil {
		return nil, err
	}
	for _, member := range members {
		if member.null() {
			return nil, member.errorf("want a component")
		}
		if dst, err = appendComponents(dst, member, kinds, key, depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
