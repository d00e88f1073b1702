// Package safetensors reads and writes the safetensors file format.
//
// A file is an 8-byte little-endian header length N, N bytes of JSON, and the
// tensor data:
//
//	{"__metadata__": {"k": "v"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
//
// Offsets count from the end of the header; tensors are dense, row-major and
// little-endian. The reader is strict: offsets must be in range, must fit the
// shape, and must cover the data without overlap or hole, names must be unique,
// and nothing may follow the data. It memory-maps the file where the system
// can, so that opening reads the header only and tensors are views.
//
// The writer's bytes depend on its arguments only and are those of the official
// library for the same tensors (order, spacing and padding included).
//
// Source: https://github.com/huggingface/safetensors, safetensors/src/tensor.rs.
package safetensors
