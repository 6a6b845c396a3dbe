package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyws/parley/bench/draw"
)

// A growth is a chart of cost against growth, both on logarithmic scales.
type growth struct {
	file, title string
	subtitle    string
	x           string // label of the axis of growth
	work        string // the part before the slash in the names of the works
	metric      metric
	octets      bool // the axis of growth counts bytes
	lawful      bool // the expected cost is a fixed part and a part for each; it is drawn too

	// curves are drawn instead of those of work, and marks are the lines of the
	// grid across the axis of cost, beyond which nothing lies.
	curves func(*report) []curve
	marks  []float64
}

const (
	plotLeft, plotRight = 84., 640.
	plotTop, plotBottom = 80., 380.
)

// A point is a figure at a size.
type point struct{ x, y float64 }

// A curve holds the points of one library.
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
	marks := y.between(g.marks)
	if marks == nil {
		y.widen()
		marks = y.marks()
	}
	x.from, x.to, y.from, y.to = plotLeft, plotRight, plotBottom, plotTop
	s := draw.New(g.title, 800, 440)
	s.Text(24, 58, g.subtitle, `fill="`+draw.Faint+`"`)
	s.Text((plotLeft+plotRight)/2, 424, g.x, `text-anchor="middle" fill="`+draw.Faint+`"`)
	for _, v := range marks {
		s.Line(plotLeft, y.at(v), plotRight, y.at(v), draw.Grid)
		s.Text(plotLeft-10, y.at(v)+4, mark(v, g.metric), `text-anchor="end" font-size="12" fill="`+draw.Faint+`"`)
	}
	if g.metric == times {
		s.Line(plotLeft, y.at(1), plotRight, y.at(1), draw.Ink, `stroke-dasharray="4 4"`)
	}
	for _, p := range curves[0].points {
		s.Text(x.at(p.x), plotBottom+22, g.step(p.x), `text-anchor="middle" font-size="12" fill="`+draw.Faint+`"`)
	}
	drawCurves(s, curves, x, y)
	if ours := curves[0]; g.lawful && ours.name == us && len(ours.points) > 2 {
		drawLaw(s, ours.points, x, y)
	}
	return chart{g.file, g.title, s.End()}, true
}

// drawLaw draws the line on which the points would lie if cost grew as expected.
func drawLaw(s *draw.SVG, points []point, x, y scale) {
	l := fit(points)
	var path []string
	for _, p := range points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(l.at(p.x))))
	}
	const dashes = `stroke-dasharray="4 4"`
	s.Printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="1.2" %s/>`, strings.Join(path, " "), draw.Ink, dashes)
	s.Line(plotRight+12, plotBottom-4, plotRight+40, plotBottom-4, draw.Ink, dashes)
	s.Text(plotRight+46, plotBottom, "a fixed part and", `font-size="12" fill="`+draw.Faint+`"`)
	s.Text(plotRight+46, plotBottom+15, "as much for each", `font-size="12" fill="`+draw.Faint+`"`)
}

func drawCurves(s *draw.SVG, curves []curve, x, y scale) {
	names := make([]endLabel, len(curves))
	for i, c := range curves {
		colour := draw.LineColours[i%len(draw.LineColours)]
		var path []string
		for _, p := range c.points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
			s.Printf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x.at(p.x), y.at(p.y), colour)
		}
		s.Printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="2.2" stroke-linejoin="round"/>`, strings.Join(path, " "), colour)
		last := c.points[len(c.points)-1]
		names[i] = endLabel{c.name, x.at(last.x) + 12, y.at(last.y) + 4, colour}
	}
	slices.SortFunc(names, func(a, b endLabel) int { return int(a.y*10) - int(b.y*10) })
	above := plotTop - 18
	for _, n := range names {
		above = max(n.y, above+17)
		s.Text(n.x, above, label(n.name), `font-weight="600" fill="`+n.colour+`"`)
	}
}

// An endLabel is the name of a library at the end of its line.
type endLabel struct {
	name   string
	x, y   float64
	colour string
}

// curves collects the figures of a growth, Parley's first.
func (r *report) curves(g growth) (all []curve) {
	if g.curves != nil {
		return g.curves(r)
	}
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

// step formats the size n on the axis of growth.
func (g growth) step(n float64) string {
	switch {
	case g.octets && n >= 1<<20:
		return fmt.Sprintf("%.0f MB", n/(1<<20))
	case g.octets && n >= 1<<10:
		return fmt.Sprintf("%.0f KB", n/(1<<10))
	case g.octets:
		return fmt.Sprintf("%.0f B", n)
	}
	return thousands(n)
}

// mark formats the figure at a line of the grid.
func mark(v float64, m metric) string {
	s := format(v, m)
	number, unit, _ := strings.Cut(s, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return strings.TrimSpace(number + " " + unit)
}
