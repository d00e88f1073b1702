package export_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
)

// Write exports a model; here its weights are those it was loaded with.
func Example() {
	dir, err := os.MkdirTemp("", "export")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	m, err := graphs.Load("../testdata/golden/tiny-bert-3", 3, 1)
	if err != nil {
		log.Fatal(err)
	}
	out := filepath.Join(dir, "model")
	err = export.Write(out, m, m.Weights, export.Options{
		Task: "mood", Method: "r3f", BaseModel: "tiny-bert-3", Labels: []string{"bad", "fair", "good"}, MaxLength: 40, Version: "0.1.0",
	})
	if err != nil {
		log.Fatal(err)
	}

	info, err := export.Read(out)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Task, info.Labels, info.MaxLength)
	files, err := os.ReadDir(out)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// mood [bad fair good] 40
	// config.json
	// model.onnx
	// model.safetensors
}

// WriteTraining writes a pretrained model as artifacts of ONNX Runtime's training API.
func ExampleWriteTraining() {
	dir, err := os.MkdirTemp("", "export")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	m, err := graphs.Load("../testdata/golden/tiny-bert-3", 3, 1)
	if err != nil {
		log.Fatal(err)
	}
	out := filepath.Join(dir, "artifacts")
	err = export.WriteTraining(out, m, m.Weights, export.TrainingOptions{TrainingOptions: graphs.TrainingOptions{R3F: true}})
	if err != nil {
		log.Fatal(err)
	}
	files, err := os.ReadDir(out)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// checkpoint
	// config.json
	// eval_model.onnx
	// optimizer_model.onnx
	// r3f.json
	// training_model.onnx
}
