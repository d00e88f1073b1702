package importer_test

import (
	"fmt"
	"log"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/graphs/importer"
)

// An encoder exported for inference becomes a classifier of three labels that can be trained.
func ExampleFile() {
	m, err := importer.File("../../testdata/golden/tiny-bert-3/encoder-opset14.onnx", importer.Options{Labels: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, note := range m.Notes {
		fmt.Println("added:", note)
	}
	fmt.Println("new:", m.Initialised)
	fmt.Println("noise goes to", m.WordEmbedding)
	fmt.Println(m.Checkpoint["onnx::MatMul_364"])

	p, err := m.Compile(graphs.Options{Doubled: true, Dropout: 0.1}, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(p.Masks), "dropout masks,", len(p.Dense), "gradients")
	// Output:
	// added: dropout before the classifier
	// added: dropout on 1 × embeddings
	// added: dropout on 2 × attention probabilities
	// added: dropout on 4 × residual branches
	// new: [bert.pooler.dense.weight bert.pooler.dense.bias classifier.weight classifier.bias]
	// noise goes to bert.embeddings.word_embeddings.weight
	// {bert.encoder.layer.0.attention.self.query.weight true}
	// 8 dropout masks, 41 gradients
}
