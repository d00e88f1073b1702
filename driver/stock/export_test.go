package stock

// LiveValues is how many of ONNX Runtime's tensors the engine holds besides its parameters.
func (e *Engine) LiveValues() int { return len(e.values) }
