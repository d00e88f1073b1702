// Package eval runs a graph in plain float64: the oracle that gradients, passes, the cut and the emitted ONNX are
// tested against.
//
// Every operator is one function that loops over indices as its definition in the ai.onnx specification does.
// Nothing is fused, reordered, threaded or rounded to float32, so a result is a matter of reading one formula.
// Use it for tests, not for speed: the forward pass of a BERT of 8 channels takes about a millisecond.
//
// [Run] reads the batch size B and the token count T off the feeds and holds every tensor it computes against
// the graph's symbolic shape, so a wrong shape function or a wrong run-time shape vector is an error here and
// not a mystery in the runtime.
package eval
