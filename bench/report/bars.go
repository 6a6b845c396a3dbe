package main

import (
	"strings"

	"github.com/parleyws/parley/bench/draw"
)

// A chart is a picture of the report.
type chart struct{ file, title, svg string }

// A panel is a group of bars: one work and one metric, with a bar for each library.
type panel struct {
	title  string
	work   string
	metric metric
}

const (
	panelWidth = 420.
	barHeight  = 22.
	nameWidth  = 142.
	valueWidth = 84.
)

// bars draws panels, two in a row. It leaves out panels without figures.
func (r *report) bars(file, title string, panels []panel) (chart, bool) {
	var full []panel
	for _, p := range panels {
		if len(r.libraries(p.work, p.metric)) > 0 {
			full = append(full, p)
		}
	}
	if len(full) == 0 {
		return chart{}, false
	}
	var tops []float64
	y := 60.
	for i := 0; i < len(full); i += 2 {
		tops = append(tops, y)
		y += r.panelHeight(full[i:min(i+2, len(full))])
	}
	s := draw.New(title, 2*panelWidth+24, y+8)
	for i, p := range full {
		r.panel(s, p, 24+panelWidth*float64(i%2), tops[i/2])
	}
	return chart{file, title, s.End()}, true
}

func (r *report) panelHeight(panels []panel) (h float64) {
	for _, p := range panels {
		h = max(h, 46+barHeight*float64(len(r.libraries(p.work, p.metric))))
	}
	return h
}

func (r *report) panel(s *draw.SVG, p panel, x, y float64) {
	s.Text(x, y+12, p.title, `font-weight="600"`)
	names := r.libraries(p.work, p.metric)
	longest, _ := r.figure(p.work, names[len(names)-1], p.metric)
	full := panelWidth - nameWidth - valueWidth - 24
	for i, name := range names {
		f, _ := r.figure(p.work, name, p.metric)
		top := y + 24 + barHeight*float64(i)
		width := max(1.5, full*f.median/longest.median)
		colour, weight := draw.Theirs, ""
		switch {
		case strings.HasPrefix(name, us):
			colour, weight = draw.Ours, `font-weight="600"`
		case name == bare.name || name == "byhand" || name == "copy" || name == "hijack":
			colour = draw.Limit
		}
		shown := label(name)
		if f, ok := r.figure(p.work, name, writes); ok && f.median > 1 { // a library with more writes does not do the same work
			shown += " (" + format(f.median, writes) + ")"
		}
		s.Text(x, top+15, shown, weight)
		s.Printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="%s"/>`, x+nameWidth, top+3, width, barHeight-6, colour)
		s.Text(x+nameWidth+width+6, top+15, format(f.median, p.metric), weight+` font-size="12"`)
	}
}

func label(name string) string {
	switch name {
	case us:
		return "Parley"
	case "byhand":
		return "by hand"
	}
	return strings.Replace(name, us, "Parley", 1)
}
