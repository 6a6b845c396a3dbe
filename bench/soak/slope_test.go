package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	line := func(slope, noise float64) (points []point) {
		for x := range 100 {
			points = append(points, point{float64(x), 50 + slope*float64(x) + noise*random.NormFloat64()})
		}
		return points
	}
	for _, c := range []struct {
		name            string
		points          []point
		want            float64
		grows, resolves bool // a slope of 1
	}{
		{"flat", line(0, 0), 0, false, true},
		{"a line", line(2, 0), 2, true, true},
		{"a line that falls", line(-2, 0), -2, false, true},
		{"noise", line(0, 5), 0, false, true},
		{"growth in noise", line(2, 5), 2, true, true},
		{"growth that the noise hides", line(0.5, 300), 0.5, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := fit(c.points)
			if math.Abs(got.slope-c.want) > got.half+1e-9 {
				t.Errorf("the slope is %.3f ± %.3f, without %v", got.slope, got.half, c.want)
			}
			if got.grows(1) != c.grows || got.resolves(1) != c.resolves {
				t.Errorf("%.3f ± %.3f: grows %v, resolves %v", got.slope, got.half, got.grows(1), got.resolves(1))
			}
		})
	}
	if got := fit(line(2, 0)[:3]); got.grows(1) || got.resolves(1) {
		t.Errorf("three points: %+v", got)
	}
}

// Of the intervals of a slope that is known, about 95 % contain it.
func TestFitConfidence(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	inside := 0
	for range 1000 {
		var points []point
		for x := range 40 {
			points = append(points, point{float64(x), 3*float64(x) + random.NormFloat64()})
		}
		if got := fit(points); math.Abs(got.slope-3) <= got.half {
			inside++
		}
	}
	if inside < 920 || inside > 980 {
		t.Errorf("%d of 1,000 intervals contain the slope", inside)
	}
}
