// Package artifacts describes a directory of training artifacts, as ONNX Runtime's training API loads them, and
// reads and writes its manifest:
//
//	training_model.onnx   forward, loss and backward: gradients are summed into accumulation buffers
//	eval_model.onnx       forward and loss
//	optimizer_model.onnx  the update of all parameters
//	checkpoint            the parameters, and after training the optimiser's state
//	r3f.json              the manifest: what each input and output means
//
// The first four are those of onnxruntime.training.artifacts. The graphs call their inputs and outputs what they
// like; the manifest says which of them carry the token ids, the noise, the labels, the loss and so on.
package artifacts
