package suite

import (
	"fmt"
	"time"

	"github.com/parleyws/parley/frame"
)

const (
	ki = 1 << 10
	mi = 1 << 20
)

// The fillers of section 9.
const (
	textFill   = "BAsd7&jh23"
	binaryFill = "\x00\xFE\x23\xFA\xF0"
)

// limits is section 9, large messages and many messages, and section 10.
func limits() []Case {
	var cases []Case
	add := func(id string, p piece, how sending, limit time.Duration) {
		cases = append(cases, Case{
			ID:         id,
			Title:      sizeTitle(p, how),
			steps:      send(how, p),
			ok:         events(echoOf(p)),
			limit:      limit,
			lengthOnly: true,
		})
	}
	const quick, slow, chopped = 10 * time.Second, 100 * time.Second, 1000 * time.Second
	sizes := []int{64 * ki, 256 * ki, 1 * mi, 4 * mi, 8 * mi, 16 * mi}
	for i, size := range sizes {
		add(fmt.Sprintf("9.1.%d", i+1), piece{op: frame.Text, data: filler{textFill, size}}, burst, []time.Duration{quick, slow}[min(i/2, 1)])
	}
	for i, size := range sizes {
		add(fmt.Sprintf("9.2.%d", i+1), piece{op: frame.Binary, data: filler{binaryFill, size}}, burst, []time.Duration{quick, slow}[i/4])
	}
	fragments := []int{64, 256, 1 * ki, 4 * ki, 16 * ki, 64 * ki, 256 * ki, 1 * mi, 4 * mi}
	for i, n := range fragments {
		add(fmt.Sprintf("9.3.%d", i+1), piece{op: frame.Text, data: filler{"*", 4 * mi}, fragment: n}, burst, slow)
	}
	for i, n := range fragments {
		fill := "*"
		if i == 0 {
			fill = "\xFE"
		}
		add(fmt.Sprintf("9.4.%d", i+1), piece{op: frame.Binary, data: filler{fill, 4 * mi}, fragment: n}, burst, slow)
	}
	for group, p := range []piece{{op: frame.Text, data: filler{textFill, mi}}, {op: frame.Binary, data: filler{binaryFill, mi}}} {
		for i := range 6 {
			add(fmt.Sprintf("9.%d.%d", group+5, i+1), p, sending(64<<i), chopped)
		}
	}
	cases = append(cases, roundTrips()...)
	add("10.1.1", piece{op: frame.Text, data: filler{"*", 65536}, fragment: 1300}, burst, quick)
	cases[len(cases)-1].lengthOnly = false
	return cases
}

func sizeTitle(p piece, how sending) string {
	title := fmt.Sprintf("%v message, %d octets", p.op, p.data.size)
	if p.fragment > 0 {
		title += fmt.Sprintf(", in fragments of %d", p.fragment)
	}
	if how > 0 {
		title += fmt.Sprintf(", in writes of %d", how)
	}
	return title
}

// roundTrips is 9.7 and 9.8: a thousand messages, each sent when the echo of
// the last has come.
func roundTrips() []Case {
	var cases []Case
	for group, p := range []piece{{op: frame.Text, data: filler{pattern: "*"}}, {op: frame.Binary, data: filler{pattern: "\xFE"}}} {
		for i, row := range []struct {
			size  int
			limit time.Duration
		}{
			{0, 60 * time.Second}, {16, 60 * time.Second}, {64, 60 * time.Second},
			{256, 120 * time.Second}, {1024, 240 * time.Second}, {4096, 480 * time.Second},
		} {
			p.data.size = row.size
			cases = append(cases, Case{
				ID:         fmt.Sprintf("9.%d.%d", group+7, i+1),
				Title:      "1,000 times: " + sizeTitle(p, burst),
				traffic:    &traffic{same: p},
				limit:      row.limit,
				lengthOnly: true,
			})
		}
	}
	return cases
}
