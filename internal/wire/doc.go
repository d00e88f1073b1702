// Package wire reads protocol-buffer messages field by field, without a schema: the caller knows the numbers. It is for
// the few messages of ONNX and SentencePiece files, whose content may come from anywhere: nothing is copied, nothing is
// allocated but what the caller keeps, and a truncated or malformed message is an error.
//
// Source: Protocol Buffers, Encoding.
package wire
