// Package trainapi is the Engine on ONNX Runtime's training API, as training-enabled builds of 1.19 have it.
//
// It runs a directory of training artifacts (package artifacts): official ones, made by onnxruntime.training.artifacts
// in Python, or those that r3f-ort exports. The loss is inside their training graph, and AdamW inside their optimiser
// model, so the engine is a driver.Stepper: it takes whole steps, and the driver checks the graph's loss against its
// own objective, computed from the logits. Gradients and moments stay inside ONNX Runtime; they are saved and loaded as
// its checkpoint file.
package trainapi
