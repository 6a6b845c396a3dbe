package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A growth is a chart of cost against growth, both on logarithmic scales.
type growth struct {
	file, title, x string
	work           string // what comes before the slash in the names of the works
	metric         metric
	unit           string
}

const (
	plotLeft, plotRight = 84., 640.
	plotTop, plotBottom = 76., 380.
)

// A point is a figure at a size.
type point struct{ x, y float64 }

// A curve is what one library did.
type curve struct {
	name   string
	points []point
}

func (r *report) lines(g growth) (chart, bool) {
	curves := r.curves(g)
	if len(curves) == 0 {
		return chart{}, false
	}
	x, y := scaleOf(curves, func(p point) float64 { return p.x }), scaleOf(curves, func(p point) float64 { return p.y })
	x.from, x.to, y.from, y.to = plotLeft, plotRight, plotBottom, plotTop
	s := newSVG(g.title, 800, 440)
	s.text(24, 56, g.unit, `fill="`+faint+`"`)
	s.text((plotLeft+plotRight)/2, 424, g.x, `text-anchor="middle" fill="`+faint+`"`)
	for _, v := range y.decades() {
		s.line(plotLeft, y.at(v), plotRight, y.at(v), grid)
		s.text(plotLeft-10, y.at(v)+4, short(v), `text-anchor="end" font-size="12" fill="`+faint+`"`)
	}
	for _, p := range curves[0].points {
		s.text(x.at(p.x), plotBottom+22, short(p.x), `text-anchor="middle" font-size="12" fill="`+faint+`"`)
	}
	drawCurves(s, curves, x, y)
	return chart{g.file, g.title, s.end()}, true
}

func drawCurves(s *svg, curves []curve, x, y scale) {
	names := make([]endLabel, len(curves))
	for i, c := range curves {
		colour := lineColours[i%len(lineColours)]
		var path []string
		for _, p := range c.points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
			s.printf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x.at(p.x), y.at(p.y), colour)
		}
		s.printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="2.2" stroke-linejoin="round"/>`, strings.Join(path, " "), colour)
		names[i] = endLabel{c.name, y.at(c.points[len(c.points)-1].y) + 4, colour}
	}
	slices.SortFunc(names, func(a, b endLabel) int { return int(a.y*10) - int(b.y*10) })
	above := plotTop - 18
	for _, n := range names {
		above = max(n.y, above+17)
		s.text(plotRight+12, above, label(n.name), `font-weight="600" fill="`+n.colour+`"`)
	}
}

// An endLabel is a name at the end of its line.
type endLabel struct {
	name   string
	y      float64
	colour string
}

// curves collects the figures of a growth, ours first.
func (r *report) curves(g growth) (all []curve) {
	for k := range r.figures {
		kind, size, ok := strings.Cut(k.work, "/")
		x, err := strconv.ParseFloat(size, 64)
		if !ok || err != nil || kind != g.work || k.metric != g.metric {
			continue
		}
		f, _ := r.figure(k.work, k.lib, k.metric)
		i := slices.IndexFunc(all, func(c curve) bool { return c.name == k.lib })
		if i < 0 {
			i = len(all)
			all = append(all, curve{name: k.lib})
		}
		all[i].points = append(all[i].points, point{x, f.median})
	}
	for _, c := range all {
		slices.SortFunc(c.points, func(a, b point) int { return int(a.x - b.x) })
	}
	slices.SortFunc(all, func(a, b curve) int {
		if (a.name == us) != (b.name == us) {
			return map[bool]int{true: -1, false: 1}[a.name == us]
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}

// A scale maps values onto a line, logarithmically.
type scale struct {
	least, greatest float64 // logarithms
	from, to        float64
}

func scaleOf(curves []curve, value func(point) float64) scale {
	s := scale{least: math.Inf(1), greatest: math.Inf(-1)}
	for _, c := range curves {
		for _, p := range c.points {
			v := math.Log10(max(value(p), 1e-9))
			s.least, s.greatest = min(s.least, v), max(s.greatest, v)
		}
	}
	if s.greatest-s.least < 0.3 {
		s.least, s.greatest = s.least-0.15, s.greatest+0.15
	}
	return s
}

func (s scale) at(v float64) float64 {
	return s.from + (s.to-s.from)*(math.Log10(max(v, 1e-9))-s.least)/(s.greatest-s.least)
}

// decades returns the values at which lines of the grid are drawn.
func (s scale) decades() (all []float64) {
	for _, factors := range [][]float64{{1}, {1, 2, 5}} {
		all = nil
		for e := math.Floor(s.least); e <= s.greatest; e++ {
			for _, f := range factors {
				if v := math.Log10(f) + e; v >= s.least && v <= s.greatest {
					all = append(all, f*math.Pow(10, e))
				}
			}
		}
		if len(all) >= 3 {
			break
		}
	}
	return all
}

// short writes a number in little room.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(math.Round(v/1e4)/100, 'g', 3, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(math.Round(v/1e2)/10, 'g', 3, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
