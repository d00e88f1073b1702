// Package stock is the Engine on any stock build of ONNX Runtime, through github.com/yalue/onnxruntime_go.
//
// A model becomes two sessions: forward computes the logits and the activations that the backward pass needs,
// backward turns ∂L/∂logits into gradients. Parameters, gradients, moments and saved activations live outside
// the Go heap in memory that both Go and ONNX Runtime read and write: nothing is copied between the two graphs
// or between the optimiser and the graphs.
package stock
