package wire

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is one field of a message on the wire.
type Field struct {
	Number protowire.Number
	Kind   protowire.Type
	Varint uint64 // value of a varint or fixed-size field, as its bits
	Bytes  []byte // content of a length-delimited field, a view of the message
}

// Walk calls visit for each field of a message, in order.
func Walk(b []byte, visit func(Field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := Field{Number: number, Kind: kind}
		switch kind {
		case protowire.VarintType:
			f.Varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.Bytes, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.Varint = uint64(v)
		case protowire.Fixed64Type:
			f.Varint, n = protowire.ConsumeFixed64(b)
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

// Mismatch is the error of a field of another wire type than its message has.
func (f Field) Mismatch() error {
	return fmt.Errorf("field %d has wire type %d", f.Number, f.Kind)
}

// Message walks the field's content, naming it in errors.
func (f Field) Message(what string, visit func(Field) error) error {
	if f.Kind != protowire.BytesType {
		return f.Mismatch()
	}
	if err := Walk(f.Bytes, visit); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// GetInt stores the value of a varint field.
func (f Field) GetInt(to *int64) error {
	if f.Kind != protowire.VarintType {
		return f.Mismatch()
	}
	*to = int64(f.Varint)
	return nil
}

// GetString stores the content of a string field.
func (f Field) GetString(to *string) error {
	if f.Kind != protowire.BytesType {
		return f.Mismatch()
	}
	*to = string(f.Bytes)
	return nil
}

// GetStrings appends the content of a repeated string field.
func (f Field) GetStrings(to *[]string) error {
	var s string
	err := f.GetString(&s)
	*to = append(*to, s)
	return err
}

// Ints visits a repeated varint field, packed or not.
func (f Field) Ints(visit func(uint64)) error {
	if f.Kind == protowire.VarintType {
		visit(f.Varint)
		return nil
	}
	if f.Kind != protowire.BytesType {
		return f.Mismatch()
	}
	for b := f.Bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		visit(v)
		b = b[n:]
	}
	return nil
}

// Floats visits a repeated float field, packed or not, as bit patterns.
func (f Field) Floats(visit func(uint32)) error {
	switch {
	case f.Kind == protowire.Fixed32Type:
		visit(uint32(f.Varint))
	case f.Kind != protowire.BytesType || len(f.Bytes)%4 != 0:
		return f.Mismatch()
	default:
		for b := f.Bytes; len(b) > 0; b = b[4:] {
			visit(binary.LittleEndian.Uint32(b))
		}
	}
	return nil
}

// Doubles visits a repeated double field, packed or not, as bit patterns.
func (f Field) Doubles(visit func(uint64)) error {
	switch {
	case f.Kind == protowire.Fixed64Type:
		visit(f.Varint)
	case f.Kind != protowire.BytesType || len(f.Bytes)%8 != 0:
		return f.Mismatch()
	default:
		for b := f.Bytes; len(b) > 0; b = b[8:] {
			visit(binary.LittleEndian.Uint64(b))
		}
	}
	return nil
}
