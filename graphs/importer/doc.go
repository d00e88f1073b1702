// Package importer turns encoders that PyTorch or Optimum exported to ONNX into models that package graphs trains: one
// function, [File].
//
// # What it does
//
// The file is translated node by node (table.go lists the operators) into the operators of package graphs, for the
// batch size B and the token count T as the only unknowns:
//
//   - Shape arithmetic is evaluated. A tensor of sizes, positions or masks of nothing is known at import as literals
//     and affine functions of the index with coefficients in B and T (content.go), so Shape, Gather, Concat, Range,
//     Expand and their like disappear, and Reshape and Slice get symbolic targets.
//   - What only stretches is not computed: a value is kept in its compact form and broadcast when it is read, so a
//     mask that was expanded to [B, 1, T, T] stays [B, 1, 1, T].
//   - Decomposed LayerNormalization and Gelu become the one operator they are (fuse.go), additive masks
//     (1 − mask)·lowest, scales of queries and keys one multiplication behind the product.
//
// Then the word embedding is found by its use, a head of the wanted number of labels is put on (head.go), and the
// dropout sites that an export for inference lacks are restored (dropout.go). What was added is in the model's Notes.
//
// Parameters keep the exporter's names. Where the file tells what transformers calls them, the model's Checkpoint says
// so, for linear layers whose transposed weight the exporter folded, too.
//
// # What it refuses
//
// Files may come from anywhere: nothing panics, external data stays in the file's directory, and memory is bounded by
// the size of the files. Control flow, quantised and half-precision models, fused attention and fixed batch sizes are
// refused with what to do instead; an error about a node is a [NodeError] that names it.
package importer
