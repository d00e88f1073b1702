package tasks

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// classes and numbers make Evaluate's arguments of plain slices.
func classes(gold, pred []int) ([]Example, []Prediction) {
	e, p := make([]Example, len(gold)), make([]Prediction, len(pred))
	for i := range gold {
		e[i].Label = gold[i]
	}
	for i := range pred {
		p[i].Label = pred[i]
	}
	return e, p
}

func numbers(targets, scores []float64) ([]Example, []Prediction) {
	e, p := make([]Example, len(targets)), make([]Prediction, len(scores))
	for i := range targets {
		e[i].Target = targets[i]
	}
	for i := range scores {
		p[i].Score = scores[i]
	}
	return e, p
}

func evaluate(t *testing.T, metric string, e []Example, p []Prediction) float64 {
	t.Helper()
	scores, err := Evaluate([]string{metric}, e, p)
	if err != nil {
		t.Fatal(err)
	}
	return scores[metric]
}

// TestMetricsEqualOtherPrograms compares with scikit-learn and SciPy (testdata/generate.py).
func TestMetricsEqualOtherPrograms(t *testing.T) {
	for i, c := range readGolden[struct {
		Gold, Pred      []int
		Targets, Scores []float64
		Want            map[string]float64
	}](t, "testdata/metrics.jsonl") {
		e, p := classes(c.Gold, c.Pred)
		if c.Targets != nil {
			e, p = numbers(c.Targets, c.Scores)
		}
		for metric, want := range c.Want {
			if got := evaluate(t, metric, e, p); math.Abs(got-want) > 1e-12 {
				t.Errorf("case %d, %s: %v, want %v", i, metric, got, want)
			}
		}
	}
}

// TestMetricsEqualDefinitions compares with the definitions, written pair by pair, on random input.
func TestMetricsEqualDefinitions(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n, k := 1+rng.IntN(30), 2+rng.IntN(3)
		gold, pred, x, y := make([]int, n), make([]int, n), make([]float64, n), make([]float64, n)
		for i := range n {
			gold[i], pred[i] = rng.IntN(k), rng.IntN(k)
			x[i], y[i] = float64(rng.IntN(6))-2, float64(rng.IntN(6))/2
		}
		e, p := classes(gold, pred)
		check := func(metric string, want float64) {
			t.Helper()
			if got := evaluate(t, metric, e, p); math.Abs(got-want) > 1e-12 {
				t.Errorf("seed %d: %s is %v, by definition %v", seed, metric, got, want)
			}
		}
		// R_K in Gorodkin's form: the correlation of the one-hot vectors, summed over classes.
		var xy, xx, yy, same float64
		for class := range k {
			var a, b []float64
			for i := range n {
				a, b = append(a, indicator(pred[i] == class)), append(b, indicator(gold[i] == class))
			}
			xy, xx, yy = xy+covariance(a, b), xx+covariance(a, a), yy+covariance(b, b)
		}
		for i := range n {
			same += indicator(gold[i] == pred[i])
		}
		check("accuracy", same/float64(n))
		check("matthews", ratio(xy, math.Sqrt(xx*yy)))
		if k == 2 {
			var tp, positive, true1 float64
			for i := range n {
				tp += indicator(gold[i] == 1 && pred[i] == 1)
				positive += indicator(pred[i] == 1)
				true1 += indicator(gold[i] == 1)
			}
			precision, recall := ratio(tp, positive), ratio(tp, true1)
			check("f1", ratio(2*precision*recall, precision+recall))
		}
		e, p = numbers(y, x)
		check("pearson", ratio(covariance(x, y), math.Sqrt(covariance(x, x)*covariance(y, y))))
		rx, ry := slowRanks(x), slowRanks(y)
		check("spearman", ratio(covariance(rx, ry), math.Sqrt(covariance(rx, rx)*covariance(ry, ry))))
	}
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// ratio is a/b, 0 where the (integer-valued or exactly cancelling) denominator vanishes.
func ratio(a, b float64) float64 {
	if math.Abs(b) < 1e-9 {
		return 0
	}
	return a / b
}

// covariance is Σ_{i<j} (x_i−x_j)(y_i−y_j), proportional to the covariance and free of means.
func covariance(x, y []float64) (sum float64) {
	for i := range x {
		for j := range i {
			sum += (x[i] - x[j]) * (y[i] - y[j])
		}
	}
	return sum
}

// slowRanks counts: the number of smaller values plus half of the equal ones.
func slowRanks(x []float64) []float64 {
	r := make([]float64, len(x))
	for i := range x {
		for j := range x {
			r[i] += indicator(x[j] < x[i]) + indicator(x[j] == x[i])/2
		}
	}
	return r
}

func TestDegenerateClasses(t *testing.T) {
	for _, c := range []struct {
		metric     string
		gold, pred []int
		want       float64
	}{
		{"matthews", []int{0, 1, 0, 1}, []int{1, 1, 1, 1}, 0}, // constant predictions
		{"matthews", []int{1, 1, 1}, []int{0, 1, 1}, 0},       // constant labels
		{"matthews", []int{1, 1, 1}, []int{1, 1, 1}, 0},       // both, though all are right
		{"f1", []int{0, 0, 0}, []int{0, 0, 0}, 0},             // no positive anywhere
		{"f1", []int{1, 1}, []int{0, 0}, 0},                   // none predicted
		{"f1", []int{0, 0}, []int{1, 1}, 0},                   // none true
		{"f1", []int{1}, []int{1}, 1},
		{"macro_f1", []int{0, 0, 5}, []int{0, 0, 5}, 1}, // classes 1 to 4 do not occur and do not count
		{"macro_f1", []int{3}, []int{4}, 0},
		{"accuracy", []int{3}, []int{4}, 0},
	} {
		e, p := classes(c.gold, c.pred)
		if got := evaluate(t, c.metric, e, p); got != c.want {
			t.Errorf("%s of %v predicted as %v is %v, want %v", c.metric, c.gold, c.pred, got, c.want)
		}
	}
}

func TestDegenerateCorrelations(t *testing.T) {
	line := []float64{1, 2, 3}
	tenths := []float64{.1, .1, .1} // whose mean is not .1
	for _, metric := range []string{"pearson", "spearman"} {
		for _, c := range []struct {
			x, y []float64
			want float64
		}{
			{tenths, line, 0}, {line, tenths, 0}, {tenths, tenths, 0}, {[]float64{0, 0, 0}, line, 0},
			{[]float64{4}, []float64{4}, 0},
			{line, []float64{1e-310, 2e-310, 3e-310}, 1},  // squares would vanish
			{[]float64{-1e300, -2e300, -3e300}, line, -1}, // squares would overflow
		} {
			e, p := numbers(c.y, c.x)
			if got := evaluate(t, metric, e, p); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("%s of %v and %v is %v, want %v", metric, c.x, c.y, got, c.want)
			}
		}
	}
}

func FuzzCorrelationIsFinite(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, -1.0, 0.5, 7.0)
	f.Add(1.0, 1.0, math.Nextafter(1, 2), 1e308, -1e308, 0.0)
	f.Add(math.MaxFloat64, -math.MaxFloat64, 0.0, math.SmallestNonzeroFloat64, 0.0, 0.0)
	f.Fuzz(func(t *testing.T, a, b, c, x, y, z float64) {
		for _, v := range []float64{a, b, c, x, y, z} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return
			}
		}
		e, p := numbers([]float64{a, b, c, a}, []float64{x, y, z, y})
		for _, metric := range []string{"pearson", "spearman"} {
			if r := evaluate(t, metric, e, p); !(math.Abs(r) <= 1) {
				t.Errorf("%s is %v", metric, r)
			}
		}
	})
}

func TestEvaluateErrors(t *testing.T) {
	one := []Example{{ID: "dev.tsv:7", Label: 1}}
	for name, c := range map[string]struct {
		metric      string
		examples    []Example
		predictions []Prediction
		is          error
		says        string
	}{
		"empty":          {"accuracy", nil, nil, ErrData, "no examples"},
		"lengths":        {"accuracy", one, nil, nil, "0 predictions for 1 examples"},
		"unlabelled":     {"accuracy", []Example{{ID: "test.tsv:2", Label: -1}}, []Prediction{{}}, ErrData, "test.tsv:2"},
		"NaN":            {"pearson", one, []Prediction{{Score: math.NaN()}}, ErrNotFinite, "dev.tsv:7"},
		"infinite":       {"accuracy", one, []Prediction{{Score: math.Inf(-1)}}, ErrNotFinite, "dev.tsv:7"},
		"negative class": {"accuracy", one, []Prediction{{Label: -1}}, nil, "class -1"},
		"unknown metric": {"bleu", one, []Prediction{{}}, ErrData, `"macro_f1"`},
		"f1 of three":    {"f1", one, []Prediction{{Label: 2}}, nil, "use macro_f1"},
	} {
		scores, err := Evaluate([]string{c.metric}, c.examples, c.predictions)
		if err == nil || scores != nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, scores, err)
		}
	}
}

func TestEvaluateKnowsAllItLists(t *testing.T) {
	scores, err := Evaluate(Metrics(), []Example{{}, {Label: 1, Target: 1}}, []Prediction{{}, {Label: 1, Score: 2}})
	if err != nil || len(scores) != len(Metrics()) {
		t.Fatalf("%v, %v", scores, err)
	}
	for name, v := range scores {
		if math.Abs(v-1) > 1e-12 {
			t.Errorf("%s of perfect predictions is %v", name, v)
		}
	}
}

func TestFromLogits(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		logits []float32
		want   Prediction
	}{
		{[]float32{.5, 2, -1}, Prediction{1, 2}},
		{[]float32{3, 3}, Prediction{0, 3}},
		{[]float32{4.25}, Prediction{0, 4.25}},
		{[]float32{-inf, -7}, Prediction{1, -7}},
	} {
		if got := FromLogits(c.logits); got != c.want {
			t.Errorf("FromLogits(%v) = %+v, want %+v", c.logits, got, c.want)
		}
	}
	for _, logits := range [][]float64{{math.NaN(), 1}, {1, math.NaN()}, {math.NaN()}, {}} {
		if got := FromLogits(logits); !math.IsNaN(got.Score) {
			t.Errorf("FromLogits(%v) = %+v, want a NaN score", logits, got)
		}
	}
}
