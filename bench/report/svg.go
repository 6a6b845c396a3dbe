package main

import (
	"fmt"
	"html"
	"strings"
)

// An svg is a picture that is being drawn. Its background is white, so that it
// is readable on any page.
type svg struct {
	strings.Builder
	width, height float64
}

func newSVG(title string, width, height float64) *svg {
	s := &svg{width: width, height: height}
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" `+
		`font-family="-apple-system,'Segoe UI',Helvetica,Arial,sans-serif" font-size="13" fill="%s">`, width, height, width, height, ink)
	s.printf(`<title>%s</title><rect width="100%%" height="100%%" rx="8" fill="#ffffff"/>`, html.EscapeString(title))
	s.text(24, 34, title, `font-size="18" font-weight="600"`)
	return s
}

func (s *svg) printf(format string, args ...any) {
	fmt.Fprintf(s, format, args...)
	s.WriteByte('\n')
}

// text writes text whose base line begins at x, y.
func (s *svg) text(x, y float64, text, attributes string) {
	s.printf(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, attributes, html.EscapeString(text))
}

func (s *svg) line(x1, y1, x2, y2 float64, colour string, attributes ...string) {
	s.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>`, x1, y1, x2, y2, colour, strings.Join(attributes, " "))
}

func (s *svg) end() string {
	s.WriteString("</svg>\n")
	return s.String()
}

// The colours. Parley's stands out. The bare loop is pale, because it is a
// limit and not a rival.
const (
	ink         = "#1f2933"
	faint       = "#7b8794"
	grid        = "#e4e7eb"
	ours        = "#0b69a3"
	theirs      = "#b8c4ce"
	limitColour = "#e8dcc0"
)

// lineColours are the colours of the lines of a chart, Parley's first.
var lineColours = []string{ours, "#d9822b", "#3f9142", "#8d6cab", "#7b8794"}
