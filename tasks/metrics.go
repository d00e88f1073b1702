package tasks

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Prediction is a model's answer to one example.
type Prediction struct {
	Label int     // the predicted class; 0 in regression
	Score float64 // the predicted number in regression; the winning class's logit in classification
}

// FromLogits reads a prediction off one row of logits [K]: with K = 1 the regression value, else the class with the
// largest logit, the first of equals. A NaN anywhere (or no logit at all) makes the Score NaN, which [Evaluate] reports.
func FromLogits[F float32 | float64](logits []F) Prediction {
	if len(logits) == 0 {
		return Prediction{Score: math.NaN()}
	}
	best := 0
	for k, v := range logits {
		if v != v {
			return Prediction{Score: math.NaN()}
		}
		if v > logits[best] {
			best = k
		}
	}
	return Prediction{Label: best, Score: float64(logits[best])}
}

// Metrics lists the names [Evaluate] knows. All metrics are better when larger; n examples, class k of K:
//
//   - accuracy: share of correct labels.
//   - f1: 2·tp / (2·tp + fp + fn) of class 1, for two classes (as GLUE scores MRPC); 0 where class 1 is neither predicted
//     nor true. An error with labels above 1.
//   - macro_f1: mean of f1 over the classes that are predicted or true at least once.
//   - matthews: R_K = (c·n − Σ_k p_k·t_k) / √((n² − Σ_k p_k²)·(n² − Σ_k t_k²)), c correct, p_k predicted, t_k true counts;
//     for two classes Matthews' φ. 0 where all predictions or all labels are one class.
//     Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient".
//   - pearson: Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)²·Σ(y−ȳ)²); 0 where predictions or targets are constant.
//   - spearman: pearson of the ranks, ties sharing their mean rank.
func Metrics() []string {
	return []string{"accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman"}
}

// Evaluate scores predictions against the examples in the same order. The result holds each named metric.
//
// Errors: no examples, unlabelled examples and unknown metrics match [ErrData]; a prediction that is not finite matches
// [ErrNotFinite]; lengths that differ, a negative label and f1 of more than two classes are the caller's mistake.
func Evaluate(metrics []string, examples []Example, predictions []Prediction) (map[string]float64, error) {
	if len(examples) != len(predictions) {
		return nil, fmt.Errorf("evaluating: %d predictions for %d examples; give one for each", len(predictions), len(examples))
	}
	if len(examples) == 0 {
		return nil, fmt.Errorf("evaluating: there are no examples; metrics need one at least: %w", ErrData)
	}
	for i, e := range examples {
		p := predictions[i]
		switch {
		case math.IsNaN(p.Score) || math.IsInf(p.Score, 0):
			return nil, fmt.Errorf("evaluating %s: the model answers %v; lower the learning rate or take an earlier checkpoint: %w", e.ID, p.Score, ErrNotFinite)
		case e.Label < 0:
			return nil, fmt.Errorf("evaluating %s: the example has no label; evaluate on the dev split, and use predict for unlabelled data: %w", e.ID, ErrData)
		case p.Label < 0:
			return nil, fmt.Errorf("evaluating %s: predicted class %d; classes begin at 0", e.ID, p.Label)
		}
	}
	scores := make(map[string]float64, len(metrics))
	for _, name := range metrics {
		var err error
		if scores[name], err = score(name, examples, predictions); err != nil {
			return nil, fmt.Errorf("evaluating %s: %w", name, err)
		}
	}
	return scores, nil
}

func score(metric string, examples []Example, predictions []Prediction) (float64, error) {
	switch metric {
	case "pearson", "spearman":
		x, y := make([]float64, len(examples)), make([]float64, len(examples))
		for i, e := range examples {
			x[i], y[i] = predictions[i].Score, e.Target
		}
		if metric == "spearman" {
			x, y = ranks(x), ranks(y)
		}
		return correlation(x, y), nil
	}
	c := count(examples, predictions)
	switch metric {
	case "accuracy":
		return c.correct / c.n, nil
	case "f1":
		if len(c.class) > 2 {
			return 0, fmt.Errorf("class %d occurs, f1 is for two; use macro_f1", len(c.class)-1)
		}
		if len(c.class) < 2 {
			return 0, nil
		}
		return c.class[1].f1(), nil
	case "macro_f1":
		return c.macroF1(), nil
	case "matthews":
		return c.matthews(), nil
	}
	return 0, fmt.Errorf("no such metric; there are %s: %w", list(Metrics()), ErrData)
}

// counts of a confusion matrix: all that the class metrics need of it.
type counts struct {
	n, correct float64
	class      []classCounts
}

type classCounts struct{ correct, predicted, actual float64 }

func count(examples []Example, predictions []Prediction) counts {
	c := counts{n: float64(len(examples))}
	for i, e := range examples {
		p := predictions[i].Label
		for len(c.class) <= max(p, e.Label) {
			c.class = append(c.class, classCounts{})
		}
		c.class[p].predicted++
		c.class[e.Label].actual++
		if p == e.Label {
			c.class[p].correct++
			c.correct++
		}
	}
	return c
}

func (k classCounts) f1() float64 {
	if k.predicted+k.actual == 0 {
		return 0
	}
	return 2 * k.correct / (k.predicted + k.actual)
}

func (c counts) macroF1() float64 {
	var sum, classes float64
	for _, k := range c.class {
		if k.predicted+k.actual > 0 {
			sum += k.f1()
			classes++
		}
	}
	return sum / classes
}

func (c counts) matthews() float64 {
	covariance, predicted, actual := c.correct*c.n, c.n*c.n, c.n*c.n
	for _, k := range c.class {
		covariance -= k.predicted * k.actual
		predicted -= k.predicted * k.predicted
		actual -= k.actual * k.actual
	}
	if predicted == 0 || actual == 0 {
		return 0
	}
	return covariance / math.Sqrt(predicted) / math.Sqrt(actual)
}

// correlation is Pearson's r, finite and within [-1, 1] for all finite x and y, 0 where either is constant.
func correlation(x, y []float64) float64 {
	if slices.Min(x) == slices.Max(x) || slices.Min(y) == slices.Max(y) {
		return 0
	}
	r := stat.Correlation(scaled(x), scaled(y), nil)
	if math.IsNaN(r) { // differences lost in rounding: as good as constant
		return 0
	}
	return max(-1, min(1, r))
}

// scaled multiplies by the power of two that brings the largest magnitude to [0.5, 1), so that no square overflows or
// vanishes; r does not change.
func scaled(x []float64) []float64 {
	_, exponent := math.Frexp(max(slices.Max(x), -slices.Min(x)))
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Ldexp(v, -exponent)
	}
	return out
}

// ranks gives each value its place in ascending order; equal values share the mean of their places.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	rank := make([]float64, len(x))
	for lo := 0; lo < len(order); {
		hi := lo + 1
		for hi < len(order) && x[order[hi]] == x[order[lo]] {
			hi++
		}
		for _, i := range order[lo:hi] {
			rank[i] = float64(lo+hi-1) / 2
		}
		lo = hi
	}
	return rank
}
