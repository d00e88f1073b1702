package optim_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/r3f-ort/r3f-ort/driver/optim"
)

var names = []optim.Schedule{optim.Polynomial, optim.Linear, optim.Cosine, optim.Constant}

func TestScheduleEqualsReference(t *testing.T) {
	for _, c := range readGolden(t).Schedules {
		for i, linear := range c.Linear {
			step := i + 1
			for _, s := range []optim.Schedule{optim.Linear, optim.Polynomial} {
				if got := s.Factor(step, c.Total, c.Warmup); got != linear {
					t.Errorf("%s(%d, %d, %d) = %v, want %v", s, step, c.Total, c.Warmup, got, linear)
				}
			}
			if c.Warmup >= c.Total { // transformers' cosine then ends at 1, ours at 0 as the others do
				continue
			}
			if got := optim.Cosine.Factor(step, c.Total, c.Warmup); math.Abs(got-c.Cosine[i]) > 1e-14 {
				t.Errorf("cosine(%d, %d, %d) = %v, want %v", step, c.Total, c.Warmup, got, c.Cosine[i])
			}
		}
	}
}

// In [0, 1]; rising to warm-up's end, where it is 1; falling from there; 0 from total on, but for constant.
func TestScheduleProperties(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		total := 2 + r.IntN(200)
		warmup := r.IntN(total)
		for _, s := range names {
			last := 0.0
			for step := 1; step <= total+3; step++ {
				f := s.Factor(step, total, warmup)
				switch {
				case f < 0 || f > 1:
					t.Fatalf("seed %d: %s(%d, %d, %d) = %v", seed, s, step, total, warmup, f)
				case step <= warmup && f <= last:
					t.Fatalf("seed %d: %s(%d, %d, %d) = %v does not rise from %v in warm-up", seed, s, step, total, warmup, f, last)
				case step == warmup && f != 1:
					t.Fatalf("seed %d: %s(%d, %d, %d) = %v at the end of warm-up", seed, s, step, total, warmup, f)
				case step > max(1, warmup) && f > last:
					t.Fatalf("seed %d: %s(%d, %d, %d) = %v rises from %v", seed, s, step, total, warmup, f, last)
				case step >= total && s != optim.Constant && f != 0:
					t.Fatalf("seed %d: %s(%d, %d, %d) = %v at the end", seed, s, step, total, warmup, f)
				case step > warmup && s == optim.Constant && f != 1:
					t.Fatalf("seed %d: %s(%d, %d, %d) = %v", seed, s, step, total, warmup, f)
				}
				last = f
			}
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range names {
		f.Add(string(s))
	}
	f.Add("")
	f.Add("Linear")
	f.Fuzz(func(t *testing.T, name string) {
		s, err := optim.ParseSchedule(name)
		if err == nil {
			if string(s) != name || s.Factor(1, 2, 0) < 0 {
				t.Errorf("%q parsed as %q", name, s)
			}
			return
		}
		for _, known := range names {
			if name == string(known) || !strings.Contains(err.Error(), string(known)) {
				t.Errorf("%q: error %q", name, err)
			}
		}
	})
}

func TestWarmupSteps(t *testing.T) {
	for _, c := range readGolden(t).Warmup {
		if got, err := optim.WarmupSteps(c.Share, c.Total); err != nil || got != c.Steps {
			t.Errorf("%v of %d: %d, %v; want %d", c.Share, c.Total, got, err, c.Steps)
		}
	}
	for _, n := range []int{1, 2, 187, 5000} {
		if got, err := optim.WarmupSteps(float64(n), 3120); err != nil || got != n {
			t.Errorf("%d updates: %d, %v", n, got, err)
		}
	}
	for _, v := range []float64{-0.1, -1, 1.5, 1e300, math.NaN(), math.Inf(1)} {
		if got, err := optim.WarmupSteps(v, 100); err == nil {
			t.Errorf("%v: %d, no error", v, got)
		}
	}
}

func FuzzWarmupSteps(f *testing.F) {
	f.Add(0.06, 100)
	f.Add(-1.0, 1)
	f.Fuzz(func(t *testing.T, v float64, total int) {
		total = min(max(total, 0), 1<<30)
		n, err := optim.WarmupSteps(v, total)
		if err == nil && (n < 0 || v < 1 && n > total || v >= 1 && float64(n) != v) {
			t.Errorf("WarmupSteps(%v, %d) = %d", v, total, n)
		}
	})
}
