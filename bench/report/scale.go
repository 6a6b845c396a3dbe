package main

import "math"

// A scale maps values onto a line, logarithmically.
type scale struct {
	least, greatest float64 // logarithms
	from, to        float64
}

const exact = 1e-9 // the precision of logarithms

func scaleOf(curves []curve, value func(point) float64) scale {
	s := scale{least: math.Inf(1), greatest: math.Inf(-1)}
	for _, c := range curves {
		for _, p := range c.points {
			v := logarithm(value(p))
			s.least, s.greatest = min(s.least, v), max(s.greatest, v)
		}
	}
	if s.least == s.greatest {
		s.greatest++
	}
	return s
}

// logarithm returns the decimal logarithm of v. It takes zero for a very small value.
func logarithm(v float64) float64 { return math.Log10(max(v, 1e-9)) }

// widen moves both ends to 1, 2 or 5 times a power of ten.
func (s *scale) widen() {
	least, greatest := math.Floor(s.least), math.Ceil(s.greatest)
	for e := least; e < greatest; e++ {
		for _, factor := range []float64{2, 5} {
			switch v := e + math.Log10(factor); {
			case v <= s.least+exact:
				least = max(least, v)
			case v >= s.greatest-exact:
				greatest = min(greatest, v)
			}
		}
	}
	s.least, s.greatest = least, greatest
}

// between moves both ends to the nearest of some marks, which rise, and returns those that lie between.
// Without any, or if they don't reach as far, nothing moves.
func (s *scale) between(marks []float64) []float64 {
	first, last := -1, -1
	for i, v := range marks {
		if logarithm(v) <= s.least+exact {
			first = i
		}
		if last < 0 && logarithm(v) >= s.greatest-exact {
			last = i
		}
	}
	if first < 0 || last <= first {
		return nil
	}
	s.least, s.greatest = logarithm(marks[first]), logarithm(marks[last])
	return marks[first : last+1]
}

func (s *scale) at(v float64) float64 {
	return s.from + (s.to-s.from)*(logarithm(v)-s.least)/(s.greatest-s.least)
}

// marks returns the values at which lines of the grid are drawn. They are the
// powers of ten, and, if those are few, also 2 and 5 times the powers of ten.
func (s *scale) marks() (all []float64) {
	factors := []float64{1, 2, 5}
	if s.greatest-s.least > 3 {
		factors = factors[:1]
	}
	for e := math.Floor(s.least); e <= s.greatest; e++ {
		for _, f := range factors {
			if v := math.Log10(f) + e; v >= s.least-exact && v <= s.greatest+exact {
				all = append(all, f*math.Pow(10, e))
			}
		}
	}
	return all
}

// A law is a cost that grows as expected: a fixed part, and a part for each unit.
type law struct{ fixed, each float64 }

func (l law) at(x float64) float64 { return l.fixed + l.each*x }

// fit returns the law that fits the points best, by the least squares of their
// relative errors.
func fit(points []point) law {
	var n, x, xx, y, xy float64
	for _, p := range points {
		w := 1 / (p.y * p.y)
		n, x, xx, y, xy = n+w, x+w*p.x, xx+w*p.x*p.x, y+w*p.y, xy+w*p.x*p.y
	}
	each := (n*xy - x*y) / (n*xx - x*x)
	return law{(y - each*x) / n, each}
}
