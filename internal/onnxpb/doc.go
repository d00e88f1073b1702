// Package onnxpb writes and reads ONNX models in the protocol-buffer wire format, with the messages and fields that
// exported encoders use. The bytes written are deterministic: equal models give equal files. What is read may come
// from anywhere: [Read] and [Directory] bound what they allocate by the size of the files and stay in the model's
// directory.
//
// Source: the ONNX intermediate representation, version 9 (field numbers of ModelProto, GraphProto, NodeProto,
// AttributeProto, TensorProto and ValueInfoProto).
package onnxpb
