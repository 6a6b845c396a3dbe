package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/parleyws/parley/bench/draw"
)

// A panel shows some values over time.
type panel struct {
	title  string
	curves []curve
}

// A curve is a value of each sample for which ok is true.
type curve struct {
	name  string
	value func(sample) (v float64, ok bool)
}

func always(f func(sample) float64) func(sample) (float64, bool) {
	return func(m sample) (float64, bool) { return f(m), true }
}

func atRest(f func(sample) float64) func(sample) (float64, bool) {
	return func(m sample) (float64, bool) { return f(m), m.atRest() }
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

var panels = []panel{
	{"memory of the server, MiB", []curve{
		{"resident", always(func(m sample) float64 { return mega(m.Resident) })},
		{"at rest", atRest(func(m sample) float64 { return mega(m.Resident) })},
		{"live heap", atRest(func(m sample) float64 { return mega(int(m.Heap)) })},
	}},
	{"goroutines and descriptors of the server", []curve{
		{"goroutines", always(func(m sample) float64 { return float64(m.Goroutines) })},
		{"descriptors", always(func(m sample) float64 { return float64(m.Descriptors) })},
	}},
	{"time from when a message was to be sent until it had come, p50, ms", []curve{
		{"p50", always(func(m sample) float64 { return milliseconds(m.P50) })},
	}},
	{"the same, p99, ms", []curve{
		{"p99", always(func(m sample) float64 { return milliseconds(m.P99) })},
	}},
	{"messages lost and doubled on healthy connections, so far", []curve{
		{"lost", always(func(m sample) float64 { return float64(m.Healthy.Lost) })},
		{"doubled", always(func(m sample) float64 { return float64(m.Healthy.Doubled) })},
	}},
}

const (
	chartLeft, chartRight = 84., 820.
	panelTop              = 76. // of the first panel's title
	panelStep             = 170.
	panelHeight           = 116.
)

// chart draws all panels below each other. The phases with stopped readers are shaded.
func chart(title string, samples []sample) string {
	s := draw.New(title, 940, panelTop+panelStep*float64(len(panels))+20)
	s.Text(24, 56, "shaded: one in ten does not read; the points are samples when nothing is under way, after a collection of garbage", `fill="`+draw.Faint+`"`)
	first, last := samples[0].At, samples[len(samples)-1].At
	x := func(at time.Duration) float64 {
		return chartLeft + (chartRight-chartLeft)*float64(at-first)/float64(max(last-first, 1))
	}
	for i, p := range panels {
		p.draw(s, samples, panelTop+panelStep*float64(i)+8, x)
	}
	y := panelTop + panelStep*float64(len(panels)) + 6
	s.Text((chartLeft+chartRight)/2, y, "minutes", `text-anchor="middle" fill="`+draw.Faint+`"`)
	return s.End()
}

func (p panel) draw(s *draw.SVG, samples []sample, top float64, x func(time.Duration) float64) {
	bottom := top + 12 + panelHeight
	s.Text(chartLeft, top, p.title, `font-weight="600"`)
	for i := 1; i < len(samples); i++ {
		if m := samples[i]; activity(m.Phase) == stopping {
			from := x(samples[i-1].At)
			s.Printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity="0.5"/>`, from, top+12, x(m.At)-from, panelHeight, draw.Limit)
		}
	}
	step := p.step(samples)
	y := func(v float64) float64 { return bottom - panelHeight*v/(4*step) }
	for i := range 5 {
		v := step * float64(i)
		s.Line(chartLeft, y(v), chartRight, y(v), draw.Grid)
		s.Text(chartLeft-10, y(v)+4, fmt.Sprintf("%g", v), `text-anchor="end" font-size="12" fill="`+draw.Faint+`"`)
	}
	minutes := max(1, math.Ceil((samples[len(samples)-1].At-samples[0].At).Minutes()/10))
	for at := time.Duration(0); at <= samples[len(samples)-1].At; at += time.Duration(minutes) * time.Minute {
		if at >= samples[0].At {
			s.Text(x(at), bottom+16, fmt.Sprintf("%.0f", at.Minutes()), `text-anchor="middle" font-size="12" fill="`+draw.Faint+`"`)
		}
	}
	above := math.Inf(1)
	for i, c := range p.curves {
		colour := draw.LineColours[i%len(draw.LineColours)]
		var path []string
		end := bottom
		for _, m := range samples {
			v, ok := c.value(m)
			if !ok {
				continue
			}
			end = y(v)
			path = append(path, fmt.Sprintf("%.1f,%.1f", x(m.At), end))
			if m.atRest() {
				s.Printf(`<circle cx="%.1f" cy="%.1f" r="1.8" fill="%s"/>`, x(m.At), end, colour)
			}
		}
		s.Printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="1.4" stroke-linejoin="round"/>`, strings.Join(path, " "), colour)
		if math.Abs(end-above) < 15 {
			end = above + 15
		}
		above = end
		s.Text(chartRight+10, end+4, c.name, `font-weight="600" fill="`+colour+`"`)
	}
}

// step returns the distance of the lines of the grid, of which there are four above zero: 1, 2,
// 2.5 or 5 times a power of ten.
func (p panel) step(samples []sample) float64 {
	greatest := 0.
	for _, c := range p.curves {
		for _, m := range samples {
			if v, ok := c.value(m); ok {
				greatest = max(greatest, v)
			}
		}
	}
	if greatest == 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(greatest/4)))
	for _, factor := range []float64{1, 2, 2.5, 5} {
		if 4*factor*power >= greatest {
			return factor * power
		}
	}
	return 10 * power
}
