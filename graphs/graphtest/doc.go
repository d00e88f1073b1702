// Package graphtest holds small graphs around one operator each: every operator of the table in every form that its
// definition knows, every pair of shapes that broadcast, every attribute.
//
// Two tests walk [Cases]. In package graphs each gradient rule is compared with finite differences; in
// driver/stock the graph and its gradients in ONNX Runtime are compared with the evaluator. A case is therefore
// written once: a builder call and generators of operands.
package graphtest
