package optim

import (
	"fmt"
	"math"
)

// AdamW holds the constants of Adam with decoupled weight decay. The zero AdamW means
//
//	AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.01}
//
// as RoBERTa and R3F fine-tune; once any field is set, all count as they are.
//
// For the gradient g times [Step.Scale], and update t = 1, 2, …:
//
//	m ← β₁·m + (1−β₁)·g
//	v ← β₂·v + (1−β₂)·g²
//	p ← p·(1 − lr·decay) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
//
// Source: Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2, with decay multiplied by the learning rate as in
// torch.optim.AdamW, whose results it reproduces to a few units in the last place.
// Differs: both bias corrections are folded into lr and ε.
type AdamW struct {
	Beta1, Beta2 float64 // decay of the moments, in [0, 1)
	Eps          float64 // ε, above 0
	WeightDecay  float64 // at least 0
}

// Step says how a tensor is updated.
type Step struct {
	T     int     // number of the update, from 1
	LR    float64 // learning rate
	Scale float32 // factor of the gradient, as from ClipScale; 0 means 1
	Decay bool    // whether the tensor's weights decay: usually not those of biases and of LayerNorm
}

// Validate reports a constant outside its range.
func (a AdamW) Validate() error {
	a = a.OrDefault()
	for _, c := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"beta1", a.Beta1, a.Beta1 >= 0 && a.Beta1 < 1, "at least 0 and below 1"},
		{"beta2", a.Beta2, a.Beta2 >= 0 && a.Beta2 < 1, "at least 0 and below 1"},
		{"epsilon", a.Eps, a.Eps > 0 && !math.IsInf(a.Eps, 0), "above 0"},
		{"weight decay", a.WeightDecay, a.WeightDecay >= 0 && !math.IsInf(a.WeightDecay, 0), "at least 0"},
	} {
		if !c.ok {
			return fmt.Errorf("AdamW: %s is %v; give a number %s", c.name, c.value, c.want)
		}
	}
	return nil
}

// OrDefault returns a, or what the zero AdamW stands for.
func (a AdamW) OrDefault() AdamW {
	if a == (AdamW{}) {
		return AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.01}
	}
	return a
}

// Apply updates the parameters p with gradient g and moments m and v, in place and in parallel. All four have the same
// length, or Apply panics; moments start as zeros.
func (a AdamW) Apply(p, g, m, v []float32, s Step) {
	if len(g) != len(p) || len(m) != len(p) || len(v) != len(p) {
		panic(fmt.Sprintf("optim: AdamW of %d parameters with %d gradients and %d and %d moments", len(p), len(g), len(m), len(v)))
	}
	u := a.update(s)
	parallel(len(p), piece, func(_, lo, hi int) { u.apply(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi]) })
}

// update holds the constants of the elementwise update
//
//	m ← β₁·m + c₁·g   v ← β₂·v + c₂·g²   p ← keep·p − rate·m/(√v + ε)
//
// where with r = √(1−β₂ᵗ), rate is lr·r/(1−β₁ᵗ) and ε is that of AdamW times r.
type update struct {
	scale, beta1, c1, beta2, c2, keep, rate, eps float32
}

func (a AdamW) update(s Step) update {
	if s.T < 1 {
		panic(fmt.Sprintf("optim: AdamW update number %d; count from 1", s.T))
	}
	a = a.OrDefault()
	root := math.Sqrt(1 - math.Pow(a.Beta2, float64(s.T)))
	u := update{
		scale: s.Scale,
		beta1: float32(a.Beta1), c1: float32(1 - a.Beta1),
		beta2: float32(a.Beta2), c2: float32(1 - a.Beta2),
		keep: 1,
		rate: float32(s.LR * root / (1 - math.Pow(a.Beta1, float64(s.T)))),
		eps:  float32(a.Eps * root),
	}
	if s.Scale == 0 {
		u.scale = 1
	}
	if s.Decay {
		u.keep = float32(1 - s.LR*a.WeightDecay)
	}
	return u
}

// apply updates a piece of a tensor. The conversions of products keep compilers from fusing them with sums.
func (u update) apply(p, g, m, v []float32) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i := range p {
		gi := u.scale * g[i]
		mi := float32(u.beta1*m[i]) + float32(u.c1*gi)
		vi := float32(u.beta2*v[i]) + float32(float32(u.c2*gi)*gi)
		m[i], v[i] = mi, vi
		p[i] = float32(u.keep*p[i]) - float32(u.rate*mi)/(float32(math.Sqrt(float64(vi)))+u.eps)
	}
}

// decay is apply where the gradient and both moments are 0, to the bit.
func (u update) decay(p []float32) {
	if u.keep == 1 {
		return
	}
	for i := range p {
		p[i] *= u.keep
	}
}
