package eval

import (
	"fmt"
	"math"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// axisOf turns a possibly negative axis into an index.
func axisOf(axis int64, rank int) (int, error) {
	if axis < 0 {
		axis += int64(rank)
	}
	if axis < 0 || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside a tensor of %d dimensions", axis, rank)
	}
	return int(axis), nil
}

// axesOf is axisOf for a tensor of axes.
func axesOf(axes *Tensor, rank int) (map[int]bool, error) {
	out := map[int]bool{}
	for _, a := range axes.Data {
		k, err := axisOf(int64(a), rank)
		if err != nil {
			return nil, err
		}
		out[k] = true
	}
	return out, nil
}

// layerNormalization over the last dimension: μ = mean x, r = 1/√(mean (x−μ)² + ε), y = (x−μ)·r·γ + β; the
// outputs are y, μ, r.
func layerNormalization(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x, gamma := in[0], in[1]
	last := len(x.Shape) - 1
	stats := append(append([]int{}, x.Shape[:last]...), 1)
	y, mean, inverse := zeros(x.Shape), zeros(stats), zeros(stats)
	for row, l := range lanes(x.Shape, last) {
		values := l.of(x.Data)
		mu, variance := 0.0, 0.0
		for _, v := range values {
			mu += v / float64(l.length)
		}
		for _, v := range values {
			variance += (v - mu) * (v - mu) / float64(l.length)
		}
		r := 1 / math.Sqrt(variance+n.Attrs.Float("epsilon", 1e-5))
		for i, v := range values {
			values[i] = (v - mu) * r * gamma.Data[i]
			if len(in) > 2 && in[2] != nil {
				values[i] += in[2].Data[i]
			}
		}
		l.put(y.Data, values)
		mean.Data[row], inverse.Data[row] = mu, r
	}
	return []Tensor{y, mean, inverse}, nil
}

// softmax is exp(x[i]) / Σⱼ exp(x[j]) along axis, the largest x subtracted first so that nothing overflows.
func softmax(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	out, err := logSoftmax(n, in)
	if err != nil {
		return nil, err
	}
	return unary(math.Exp)(n, []*Tensor{&out[0]})
}

// logSoftmax is x[i] − log Σⱼ exp(x[j]) along axis.
func logSoftmax(n *graphs.Node, in []*Tensor) ([]Tensor, error) {
	x := in[0]
	axis, err := axisOf(n.Attrs.Int("axis", -1), len(x.Shape))
	if err != nil {
		return nil, err
	}
	y := zeros(x.Shape)
	for _, l := range lanes(x.Shape, axis) {
		values := l.of(x.Data)
		largest := math.Inf(-1)
		for _, v := range values {
			largest = max(largest, v)
		}
		sum := 0.0
		for _, v := range values {
			sum += math.Exp(v - largest)
		}
		for i, v := range values {
			values[i] = v - largest - math.Log(sum)
		}
		l.put(y.Data, values)
	}
	return one(y)
}
