package artifacts_test

import (
	"fmt"
	"os"

	"github.com/r3f-ort/r3f-ort/driver/artifacts"
)

// The manifest of official artifacts whose export called its inputs after the roles.
func Example() {
	dir, err := os.MkdirTemp("", "artifacts")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	m := artifacts.Manifest{
		Format:    1,
		Inputs:    artifacts.Inputs{InputIDs: "input_ids", AttentionMask: "attention_mask", Noise: "noise", Labels: "labels", Lambda: "lambda"},
		Outputs:   artifacts.Outputs{Loss: "loss", Logits: "logits", NoisedLogits: "noised"},
		Model:     artifacts.Model{Classes: 2, HiddenSize: 384, VocabSize: 30522, MaxTokens: 512},
		Tokenizer: ".",
	}
	if err := m.Write(dir); err != nil {
		fmt.Println(err)
		return
	}
	back, err := artifacts.ReadManifest(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Inputs.Noise, back.Outputs.NoisedLogits, back.Model.Classes)
	// Output: noise noised 2
}
