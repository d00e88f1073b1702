//go:build !unix

package stock

// Pointer-free heap memory does not move, so ONNX Runtime may hold on to it for as long as the slab lives.
func reserve(n int) ([]byte, error) { return make([]byte, n), nil }

func release([]byte) error { return nil }
