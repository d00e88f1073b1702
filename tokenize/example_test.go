package tokenize_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/tokenize"
)

func Example() {
	tok, err := tokenize.Load("testdata/uncased") // a model directory
	if err != nil {
		fmt.Println(err)
		return
	}
	second := "The encoder drifts."
	enc, err := tok.Encode("Noise, noise!", &second, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(enc.IDs)
	fmt.Println(enc.TypeIDs)
	fmt.Println(enc.AttentionMask, enc.Truncated)
	// Output:
	// [2 5 31 5 3 11 9 14 10 3]
	// [0 0 0 0 0 1 1 1 1 1]
	// [1 1 1 1 1 1 1 1 1 1] true
}
