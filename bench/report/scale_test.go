package main

import (
	"math"
	"testing"
)

func TestScale(t *testing.T) {
	for _, c := range []struct{ least, greatest, from, to float64 }{
		{5.5, 38, 5, 50},
		{7, 1250, 5, 2000},
		{1, 10, 1, 10},
		{20, 20, 20, 200},
		{0.13, 0.17, 0.1, 0.2},
	} {
		s := scaleOf([]curve{{points: []point{{y: c.least}, {y: c.greatest}}}}, func(p point) float64 { return p.y })
		s.widen()
		from, to := math.Pow(10, s.least), math.Pow(10, s.greatest)
		if math.Abs(from/c.from-1) > 1e-6 || math.Abs(to/c.to-1) > 1e-6 {
			t.Errorf("%v to %v is drawn from %v to %v, want %v to %v", c.least, c.greatest, from, to, c.from, c.to)
		}
		if n := len(s.marks()); n < 2 || n > 12 {
			t.Errorf("%v to %v has %d marks", c.least, c.greatest, n)
		}
	}
}

func TestScaleBetween(t *testing.T) {
	marks := []float64{0.5, 0.7, 1, 2}
	for _, c := range []struct{ least, greatest, from, to float64 }{
		{0.8, 0.9, 0.7, 1},
		{0.7, 1.1, 0.7, 2},
		{0.4, 0.9, 0.4, 0.9},
		{0.8, 3, 0.8, 3},
	} {
		s := scale{least: math.Log10(c.least), greatest: math.Log10(c.greatest)}
		got := s.between(marks)
		if from, to := math.Pow(10, s.least), math.Pow(10, s.greatest); math.Abs(from/c.from-1) > 1e-6 || math.Abs(to/c.to-1) > 1e-6 {
			t.Errorf("%v to %v is drawn from %v to %v, want %v to %v", c.least, c.greatest, from, to, c.from, c.to)
		}
		if moved := c.from != c.least || c.to != c.greatest; moved != (got != nil) {
			t.Errorf("%v to %v has the marks %v", c.least, c.greatest, got)
		}
	}
}

func TestFit(t *testing.T) {
	want := law{fixed: 8, each: 0.25}
	var points []point
	for x := 1.; x <= 1e6; x *= 10 {
		points = append(points, point{x, want.at(x)})
	}
	got := fit(points)
	if math.Abs(got.fixed/want.fixed-1) > 1e-6 || math.Abs(got.each/want.each-1) > 1e-6 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
