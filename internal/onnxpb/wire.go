package onnxpb

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message on the wire: bytes of a length-delimited one, varint of the others.
type field struct {
	number protowire.Number
	kind   protowire.Type
	varint uint64
	bytes  []byte
}

// walk calls visit for each field of a message, in order.
func walk(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.varint = uint64(v)
		case protowire.Fixed64Type:
			f.varint, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("field %d: %w", number, protowire.ParseError(n))
		}
		b = b[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

func (f field) mismatch() error {
	return fmt.Errorf("field %d has wire type %d", f.number, f.kind)
}

// message walks the field's content, naming it in errors.
func (f field) message(what string, visit func(field) error) error {
	if f.kind != protowire.BytesType {
		return f.mismatch()
	}
	if err := walk(f.bytes, visit); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (f field) int(to *int64) error {
	if f.kind != protowire.VarintType {
		return f.mismatch()
	}
	*to = int64(f.varint)
	return nil
}

func (f field) string(to *string) error {
	if f.kind != protowire.BytesType {
		return f.mismatch()
	}
	*to = string(f.bytes)
	return nil
}

func (f field) strings(to *[]string) error {
	var s string
	err := f.string(&s)
	*to = append(*to, s)
	return err
}

// ints visits a repeated varint field, packed or not.
func (f field) ints(visit func(uint64)) error {
	if f.kind == protowire.VarintType {
		visit(f.varint)
		return nil
	}
	if f.kind != protowire.BytesType {
		return f.mismatch()
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		visit(v)
		b = b[n:]
	}
	return nil
}

// floats visits a repeated float field, packed or not, as bit patterns.
func (f field) floats(visit func(uint32)) error {
	switch {
	case f.kind == protowire.Fixed32Type:
		visit(uint32(f.varint))
	case f.kind != protowire.BytesType || len(f.bytes)%4 != 0:
		return f.mismatch()
	default:
		for b := f.bytes; len(b) > 0; b = b[4:] {
			visit(binary.LittleEndian.Uint32(b))
		}
	}
	return nil
}

// doubles visits a repeated double field, packed or not, as bit patterns.
func (f field) doubles(visit func(uint64)) error {
	switch {
	case f.kind == protowire.Fixed64Type:
		visit(f.varint)
	case f.kind != protowire.BytesType || len(f.bytes)%8 != 0:
		return f.mismatch()
	default:
		for b := f.bytes; len(b) > 0; b = b[8:] {
			visit(binary.LittleEndian.Uint64(b))
		}
	}
	return nil
}
