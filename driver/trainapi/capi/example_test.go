package capi_test

import (
	"fmt"

	"github.com/r3f-ort/r3f-ort/driver/trainapi/capi"
	"github.com/r3f-ort/r3f-ort/internal/ortlib"
)

// A checkpoint is read, given a property, and closed again.
func Example() {
	path, err := ortlib.FindTraining("")
	if err != nil {
		fmt.Println("run make setup-training:", err)
		return
	}
	library, err := capi.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer library.Close()
	checkpoint, err := library.LoadCheckpoint("../../../testdata/golden/training-api/checkpoint")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer checkpoint.Close()
	if err := checkpoint.SetProperty("epoch", int64(3)); err != nil {
		fmt.Println(err)
		return
	}
	shape, err := checkpoint.ParameterShape("m.classifier.weight")
	if err != nil {
		fmt.Println(err)
		return
	}
	epoch, err := checkpoint.Property("epoch")
	fmt.Println(shape, epoch, err)
}
