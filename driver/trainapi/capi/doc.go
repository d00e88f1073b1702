// Package capi binds the training C API of ONNX Runtime, as training-enabled builds of 1.19 and later have it:
// checkpoints, training sessions, their steps, parameters and exports.
//
// Nothing of ONNX Runtime is vendored or linked: the library is loaded at run time, its symbols kept to itself, so
// that another ONNX Runtime can live in the same process; its functions are called by their slot in the API's
// tables (api.h). Every status becomes a Go error, an [Error] that says what was being done.
//
// What is opened or loaded must be closed, the session before its checkpoint and both before their library. Nothing
// here is safe for concurrent use, but for different sessions on one library.
package capi
