package main

import "math"

// A point is a value at a moment.
type point struct{ x, y float64 }

// A trend is the slope of a line through points, and how far the true slope may be from it: the
// half of its interval of 95 % confidence.
type trend struct{ slope, half float64 }

// blocks is how many means stand for all points. Samples that follow each other closely are
// alike, which the error of a slope through all of them would take for certainty.
const blocks = 10

// fit returns the trend of points that are sorted by x, by least squares of the means of their
// blocks. Without enough points it is not known at all.
func fit(points []point) trend {
	n := min(blocks, len(points))
	if n < 4 {
		return trend{0, math.Inf(1)}
	}
	means := make([]point, n)
	for i := range means {
		block := points[len(points)*i/n : len(points)*(i+1)/n]
		for _, p := range block {
			means[i].x += p.x / float64(len(block))
			means[i].y += p.y / float64(len(block))
		}
	}
	var x, y float64
	for _, p := range means {
		x, y = x+p.x/float64(n), y+p.y/float64(n)
	}
	var xx, xy float64
	for _, p := range means {
		xx, xy = xx+(p.x-x)*(p.x-x), xy+(p.x-x)*(p.y-y)
	}
	slope, rest := xy/xx, 0.
	for _, p := range means {
		d := p.y - y - slope*(p.x-x)
		rest += d * d
	}
	return trend{slope, student[n-2] * math.Sqrt(rest/float64(n-2)/xx)}
}

// student holds the quantiles 0.975 of Student's distribution, by its degrees of freedom.
var student = [...]float64{math.Inf(1), 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306}

// mean returns the mean of the values.
func mean(points []point) (y float64) {
	for _, p := range points {
		y += p.y / float64(len(points))
	}
	return y
}

// grows reports whether the slope is greater than limit, beyond the doubt of the samples.
func (t trend) grows(limit float64) bool { return t.slope-t.half > limit }

// resolves reports whether the samples could tell a slope of limit from none.
func (t trend) resolves(limit float64) bool { return t.half < limit }
