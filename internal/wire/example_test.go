package wire_test

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/r3f-ort/r3f-ort/internal/wire"
)

func ExampleWalk() {
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "noise")
	message = protowire.AppendVarint(protowire.AppendTag(message, 2, protowire.VarintType), 384)
	err := wire.Walk(message, func(f wire.Field) error {
		switch f.Number {
		case 1:
			fmt.Printf("%s\n", f.Bytes)
		case 2:
			fmt.Println(f.Varint)
		}
		return nil
	})
	fmt.Println(err)
	fmt.Println(wire.Walk(message[:3], func(wire.Field) error { return nil }))
	// Output:
	// noise
	// 384
	// <nil>
	// field 1: unexpected EOF
}
