// Package graphs builds text encoders as graphs of ai.onnx operators, differentiates them, and writes the two
// ONNX files that fine-tuning needs: one for the forward pass, one for the backward pass. It knows no runtime;
// any ONNX Runtime with opset 20 can run what it writes.
//
// # From a directory to two graphs
//
//	m, err := graphs.Load("models/minilm", 2, seed)                         // config.json, model.safetensors
//	p, err := m.Compile(graphs.Options{Doubled: true, Dropout: 0.1}, false) // p.Forward, p.Backward
//	bytes, err := p.Forward.ONNX(nil, nil)
//
// The caller runs Forward, turns the logits into ∂L/∂logits in whatever way its loss asks for, and runs Backward
// on that and on the saved activations. The loss is no part of the graphs, which is why every method of
// fine-tuning runs on the same two.
//
// # The parts
//
//   - A [Graph] is a straight-line program: [Node] values in order over [Value] inputs, parameters and constants,
//     all compared by identity. Shapes are symbolic in the batch size B and the token count T ([Dim], [Shape]).
//     Parameters are named and declared here; their numbers live outside.
//   - A [Builder] appends operators and infers their shapes. Its first error sticks.
//   - The operator table (ops.go) holds for each operator its shape function, its gradient rule, and how a
//     selection of rows moves through it. An operator has a rule, is declared non-differentiable, or is an
//     error that names it: [UnknownOpError], [NoGradientError].
//   - [Builder.Differentiate] is reverse-mode differentiation by these rules, written into the same graph.
//   - [Model.Prepare] runs the passes in a listed order with [Check] after each: the last layer for the [CLS]
//     row alone, the noise input and the doubled batch, dropout masks, relative shifts, Gemm, constant folding,
//     dead code.
//   - [Model.Compile] prepares, differentiates and cuts. What the backward pass reads of the forward pass is
//     saved, except views and integer arithmetic, which are repeated.
//   - [Model.Report] says what would be trained.
//   - [Graph.String] prints, [Graph.ONNX] serialises; both depend on nothing but the graph.
//
// # Conventions
//
// Shapes in comments use B batch, T tokens, C width, H heads, D = C/H, E embedding width (C
// in most families), V vocabulary, K classes. The gradient of x is dx. Operators are those of ai.onnx opset 20,
// plus three markers of our own: StopGradient, written as Identity, and Dropout and RelativeShift, which passes
// replace.
//
// What is true of a graph is tested with package graphs/eval, which runs it in float64.
package graphs
