package suite

import (
	"fmt"
	"time"

	"github.com/parleyws/parley/frame"
)

// compression is section 12, permessage-deflate with five kinds of data, and section
// 13, permessage-deflate with seven sets of parameters.
func compression() []Case {
	plain := []ask{{}}
	var cases []Case
	for i, data := range []source{jsonText, bitmap, prose, htmlText, pdf} {
		cases = append(cases, sizes(fmt.Sprintf("12.%d", i+1), data, plain)...)
	}
	for i, asks := range [][]ask{
		plain,
		{{noTakeover: true}},
		{{bits: 9}},
		{{bits: 15}},
		{{noTakeover: true, bits: 9}},
		{{noTakeover: true, bits: 15}},
		{{noTakeover: true, bits: 9}, {noTakeover: true}, {}},
	} {
		cases = append(cases, sizes(fmt.Sprintf("13.%d", i+1), jsonText, asks)...)
	}
	return cases
}

// sizes is a group of 18 cases. A message is compressed as a whole and then cut into
// fragments, so the size of a fragment counts compressed bytes.
func sizes(group string, data source, asks []ask) []Case {
	const s = time.Second
	var cases []Case
	for i, row := range []struct {
		size, fragment int
		limit          time.Duration
	}{
		{16, 0, 60 * s}, {64, 0, 60 * s}, {256, 0, 120 * s}, {1 * ki, 0, 240 * s}, {4 * ki, 0, 480 * s},
		{8 * ki, 0, 480 * s}, {16 * ki, 0, 480 * s}, {32 * ki, 0, 480 * s}, {64 * ki, 0, 480 * s}, {128 * ki, 0, 480 * s},
		{8 * ki, 256, 480 * s}, {16 * ki, 256, 480 * s}, {32 * ki, 256, 480 * s}, {64 * ki, 256, 480 * s}, {128 * ki, 256, 480 * s},
		{128 * ki, 1 * ki, 480 * s}, {128 * ki, 4 * ki, 480 * s}, {128 * ki, 32 * ki, 480 * s},
	} {
		title := fmt.Sprintf("%s, messages of %d", data.name, row.size)
		if row.fragment > 0 {
			title += fmt.Sprintf(", in fragments of %d", row.fragment)
		}
		cases = append(cases, Case{
			ID:      fmt.Sprintf("%s.%d", group, i+1),
			Title:   title,
			asks:    asks,
			traffic: &traffic{data: data, size: row.size, fragment: row.fragment},
			limit:   row.limit,
		})
	}
	return cases
}

// A source is a data file from which messages are cut.
type source struct {
	name string
	op   frame.Opcode
	file func() *file
}
