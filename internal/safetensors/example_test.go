package safetensors_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

func Example() {
	weights := safetensors.FromFloat32s("classifier.weight", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	var file bytes.Buffer
	if err := safetensors.Write(&file, []safetensors.Tensor{weights}, map[string]string{"format": "pt"}); err != nil {
		log.Fatal(err)
	}
	f, err := safetensors.Parse(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		v, err := t.Float32s(nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t, v)
	}
	// Output: tensor "classifier.weight" F32 [2 3] [1 2 3 4 5 6]
}
