// Package loss computes the task losses and regularisers of fine-tuning and their gradients with respect to the
// logits, in float64, and the spectral normalisation that R4F applies to the weights of the head.
//
// It is the part of a step between the forward and the backward graph: logits in, loss and ∂L/∂logits out, so a
// method is a line in the table of [Methods] and needs no graph of its own. With B examples, K classes, clean logits
// a, noised logits b, p = softmax(a), q = softmax(b), labels y and λ = [Objective.Lambda]:
//
//	cross-entropy   T(a) = (1/B)·Σ_b −log p[b,y_b]
//	squared error   T(a) = (1/B)·Σ_b (a_b − y_b)²                       (regression, K = 1)
//	symmetric KL    S = (1/B)·Σ_b Σ_k (p−q)·(log p − log q) = KL(p‖q) + KL(q‖p)
//
//	standard        L = T(a)
//	r3f, r4f        L = T(a) + λ·S                  Aghajanyan et al. 2020, arXiv 2008.03156
//	rdrop           L = T(a) + T(b) + λ·S/2         Liang et al. 2021, arXiv 2106.14448; λ is its α
//
// Regression has no distributions to compare. The published R3F code drops the term there, and so do we unless
// [Objective.RegressionTerm] asks for λ·(1/B)·Σ_b (a_b − b_b)² instead.
//
// B is always the batch of the whole optimiser step, so losses and gradients of its micro-batches add up to those of
// the whole.
package loss
