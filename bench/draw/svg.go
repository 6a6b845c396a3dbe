// Package draw draws the charts of bench: pictures in SVG.
package draw

import (
	"fmt"
	"html"
	"strings"
)

// An SVG is a picture that is being drawn. Its background is white, so that it
// is readable on any page.
type SVG struct {
	strings.Builder
	width, height float64
}

// New begins a picture with a title.
func New(title string, width, height float64) *SVG {
	s := &SVG{width: width, height: height}
	s.Printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" `+
		`font-family="-apple-system,'Segoe UI',Helvetica,Arial,sans-serif" font-size="13" fill="%s">`, width, height, width, height, Ink)
	s.Printf(`<title>%s</title><rect width="100%%" height="100%%" rx="8" fill="#ffffff"/>`, html.EscapeString(title))
	s.Text(24, 34, title, `font-size="18" font-weight="600"`)
	return s
}

// Printf writes an element of the picture.
func (s *SVG) Printf(format string, args ...any) {
	fmt.Fprintf(s, format, args...)
	s.WriteByte('\n')
}

// Text writes text whose base line begins at x, y.
func (s *SVG) Text(x, y float64, text, attributes string) {
	s.Printf(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, attributes, html.EscapeString(text))
}

// Line draws a line from x1, y1 to x2, y2.
func (s *SVG) Line(x1, y1, x2, y2 float64, colour string, attributes ...string) {
	s.Printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>`, x1, y1, x2, y2, colour, strings.Join(attributes, " "))
}

// End ends the picture and returns it.
func (s *SVG) End() string {
	s.WriteString("</svg>\n")
	return s.String()
}

// The colours. Parley's stands out. The bare loop is pale, because it is a
// limit and not a rival.
const (
	Ink    = "#1f2933"
	Faint  = "#7b8794"
	Grid   = "#e4e7eb"
	Ours   = "#0b69a3"
	Theirs = "#b8c4ce"
	Limit  = "#e8dcc0"
)

// LineColours are the colours of the lines of a chart, Parley's first.
var LineColours = []string{Ours, "#d9822b", "#3f9142", "#8d6cab", "#7b8794"}
