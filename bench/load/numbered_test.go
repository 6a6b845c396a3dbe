package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parleyws/parley/frame"
)

// What is lost, comes twice or too late is counted, however the stream is cut.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name  string
		came  []int
		none  bool
		want  Tally
		error string
	}{
		{name: "all", came: []int{0, 1, 2, 3, 4}, want: Tally{Events: 4}},
		{name: "lost", came: []int{0, 3, 4}, want: Tally{Events: 2, Lost: 2}},
		{name: "doubled", came: []int{0, 1, 1, 2, 3, 0, 4, 3}, want: Tally{Events: 7, Doubled: 3}},
		{name: "reordered", came: []int{0, 2, 1, 4, 3}, want: Tally{Events: 4, Reordered: 2}},
		{name: "no end", came: []int{0, 1, 2, 3}, want: Tally{Events: 4, Lost: 1}},
		{name: "late ones of before", came: []int{-1, 0, -2, 1, 2, 3, 4}, want: Tally{Events: 4}},
		{name: "for nobody", came: []int{4}, none: true},
		{name: "too great", came: []int{5}, error: "number 15"},
		{name: "not for us", came: []int{0}, none: true, error: "for nobody"},
	} {
		var stream []byte
		for _, text := range append([]string{"2"}, texts(c.came)...) {
			stream = frame.Header{Fin: true, Opcode: frame.Text, Length: int64(len(text))}.Append(stream)
			stream = append(stream, text...)
		}
		for size := 1; size <= len(stream); size++ {
			p := &peer{count: count{Numbers: Numbers{First: 10, Count: 4, None: c.none}, seen: make([]uint64, 1)}}
			var err error
			for rest := stream; len(rest) > 0 && err == nil; {
				n := min(size, len(rest))
				err = p.frames(rest[:n])
				rest = rest[n:]
			}
			if c.error != "" {
				if err == nil || !strings.Contains(err.Error(), c.error) {
					t.Errorf("%s: %v, want an error with %q", c.name, err, c.error)
				}
				break
			}
			var got Tally
			p.tally(&got)
			if err != nil || got != c.want || p.pings != 1 {
				t.Fatalf("%s, cut into %d bytes: %+v, %d pings, %v; want %+v", c.name, size, got, p.pings, err, c.want)
			}
		}
	}
}

func texts(numbers []int) (all []string) {
	for _, n := range numbers {
		all = append(all, fmt.Sprintf(`42["message","hello, you",%d]`, 10+n))
	}
	return all
}
