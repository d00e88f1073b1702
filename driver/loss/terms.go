package loss

import "math"

// Each term below returns its value for one example and adds weight times the value's gradient to the gradient rows,
// of which any may be nil.

// crossEntropy is −log p[label] for p = softmax(a).
//
//	da_k = p_k − [k = label]
func crossEntropy(a []float32, label int, weight float64, da []float32) float64 {
	p := newSoftmax(a)
	for k := range da {
		g := math.Exp(p.log(k))
		if k == label {
			g = math.Expm1(p.log(k)) // p − 1, to full precision where p is near 1
		}
		da[k] += float32(weight * g)
	}
	return -p.log(label)
}

// squaredError is (x − y)²; dx and dy have one element.
//
//	dx = 2(x − y)   dy = −dx
func squaredError(x, y, weight float64, dx, dy []float32) float64 {
	e := x - y
	if dx != nil {
		dx[0] += float32(weight * 2 * e)
	}
	if dy != nil {
		dy[0] -= float32(weight * 2 * e)
	}
	return e * e
}

// symmetricKL is Σ_k (p−q)(log p − log q) = KL(p‖q) + KL(q‖p) for p = softmax(a), q = softmax(b).
//
// With δ = log p − log q, Σ_k p_k = Σ_k q_k = 1 and ∂log p_k/∂a_j = [k = j] − p_j:
//
//	da_j = (p−q)_j + p_j·(δ_j − KL(p‖q))
//	db_j = (q−p)_j − q_j·(δ_j + KL(q‖p))
//
// p − q is computed as p·(1 − e^−δ) or q·(e^δ − 1), whichever exponent is negative: precise for the tiny δ of R3F,
// of the sign of δ, so that the value is never negative, and exactly symmetric in a and b.
func symmetricKL(a, b []float32, weight float64, da, db []float32) float64 {
	p, q := newSoftmax(a), newSoftmax(b)
	var value, pq, qp float64
	for k := range a {
		pk, qk, difference, delta := compare(p, q, k)
		value += difference * delta
		pq += pk * delta
		qp -= qk * delta
	}
	for k := range a {
		pk, qk, difference, delta := compare(p, q, k)
		if da != nil {
			da[k] += float32(weight * (difference + pk*(delta-pq)))
		}
		if db != nil {
			db[k] -= float32(weight * (difference + qk*(delta+qp)))
		}
	}
	return value
}

// compare returns p_k, q_k, p_k − q_k and log p_k − log q_k.
func compare(p, q softmax, k int) (pk, qk, difference, delta float64) {
	pk, qk = math.Exp(p.log(k)), math.Exp(q.log(k))
	delta = p.shifted(k) - q.shifted(k) - (p.logSum - q.logSum)
	if delta > 0 {
		return pk, qk, -pk * math.Expm1(-delta), delta
	}
	return pk, qk, qk * math.Expm1(delta), delta
}

// softmax is the distribution of a row of logits, shifted so that the largest is 0: no exponential overflows, and
// adding a constant to the row changes nothing.
type softmax struct {
	logits      []float32
	max, logSum float64 // logSum = log Σ_k e^(logit_k − max)
}

func newSoftmax(logits []float32) softmax {
	s := softmax{logits: logits, max: math.Inf(-1)}
	for _, v := range logits {
		s.max = max(s.max, float64(v))
	}
	sum := 0.0
	for k := range logits {
		sum += math.Exp(s.shifted(k))
	}
	s.logSum = math.Log(sum)
	return s
}

// shifted returns logit k minus the largest logit.
func (s softmax) shifted(k int) float64 { return float64(s.logits[k]) - s.max }

// log returns log p_k.
func (s softmax) log(k int) float64 { return s.shifted(k) - s.logSum }
