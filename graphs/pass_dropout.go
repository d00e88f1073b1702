package graphs

import "fmt"

// MaskPrefix begins the name of a dropout site's mask input, uint8: 1 keeps, 0 drops. The site's number follows.
const MaskPrefix = "dropout."

// passDropout replaces every Dropout marker by x·mask/(1−p), the mask fed as bytes, or removes it for p = 0.
//
// Source: Srivastava et al. 2014, JMLR 15, with the scaling at training time (inverted dropout).
func passDropout(g *Graph, _ *Model, o Options) (*Graph, error) {
	if !(o.Dropout >= 0 && o.Dropout < 1) {
		return nil, fmt.Errorf("dropout %v is no probability below 1", o.Dropout)
	}
	r := newRewriter(g)
	sites := 0
	for _, n := range g.Nodes {
		if n.Op != "Dropout" {
			r.replace(n, r.copy(n))
			continue
		}
		x := r.of(n.Inputs[0])
		if o.Dropout > 0 {
			mask := r.Input(MaskPrefix+itoa(sites), Uint8, x.Shape...)
			sites++
			x = r.Mul(x, r.Op("DequantizeLinear", nil, mask, r.Scalar(1/(1-o.Dropout))))
		}
		r.to[n.Outputs[0]] = x
	}
	return r.finish(g)
}
