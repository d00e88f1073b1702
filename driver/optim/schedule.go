package optim

import (
	"fmt"
	"math"
	"strings"
)

// Schedule names how the learning rate goes from its peak to its end after warm-up.
type Schedule string

// The schedules, of the share r of the updates after warm-up that are still to come.
const (
	Polynomial Schedule = "polynomial" // r, the polynomial of power 1 ending at 0 that RoBERTa and R3F use
	Linear     Schedule = "linear"     // r, under the name that transformers uses
	Cosine     Schedule = "cosine"     // (1 − cos πr)/2
	Constant   Schedule = "constant"   // 1
)

var schedules = [...]struct {
	name   Schedule
	factor func(r float64) float64
}{
	{Polynomial, func(r float64) float64 { return r }},
	{Linear, func(r float64) float64 { return r }},
	{Cosine, func(r float64) float64 { return (1 - math.Cos(math.Pi*r)) / 2 }},
	{Constant, func(float64) float64 { return 1 }},
}

// ParseSchedule returns the schedule of that name, or an error that lists the names.
func ParseSchedule(name string) (Schedule, error) {
	var names []string
	for _, s := range schedules {
		if string(s.name) == name {
			return s.name, nil
		}
		names = append(names, string(s.name))
	}
	return "", fmt.Errorf("unknown schedule %q; choose one of %s", name, strings.Join(names, ", "))
}

// Factor returns the share of the peak learning rate, in [0, 1], that update step of total uses, counted from 1, with
// warmup as from [WarmupSteps]:
//
//	step < warmup   step/warmup
//	otherwise       the schedule at r = max(0, total − step)/max(1, total − warmup)
//
// A Schedule that is not one of the constants panics.
//
// Source: testdata/golden/r3f_reference.py, schedule, called there with step+1 for steps from 0.
func (s Schedule) Factor(step, total, warmup int) float64 {
	for _, known := range schedules {
		if known.name != s {
			continue
		}
		if step < warmup {
			return float64(step) / float64(max(1, warmup))
		}
		return known.factor(float64(max(0, total-step)) / float64(max(1, total-warmup)))
	}
	panic(fmt.Sprintf("optim: unknown schedule %q; make it with ParseSchedule", s))
}

// WarmupSteps returns the number of warm-up updates that v means in a run of total: below 1, v is a share of total,
// rounded down; from 1, it is the number itself and must be whole.
func WarmupSteps(v float64, total int) (int, error) {
	switch {
	case v >= 0 && v < 1:
		return int(v * float64(total)), nil
	case v >= 1 && v <= math.MaxInt32 && v == math.Trunc(v):
		return int(v), nil
	}
	return 0, fmt.Errorf("warm-up is %v; give a share of all updates, at least 0 and below 1, or a whole number of updates", v)
}
