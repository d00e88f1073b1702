// Package onnxpb writes ONNX models in the protocol-buffer wire format, with the messages and fields that
// exported encoders use. The bytes are deterministic: equal models give equal files.
//
// Source: the ONNX intermediate representation, version 9 (field numbers of ModelProto, GraphProto, NodeProto,
// AttributeProto, TensorProto and ValueInfoProto).
package onnxpb
