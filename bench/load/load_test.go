package main

import (
	"strings"
	"testing"

	"github.com/parleyws/parley/frame"
)

// The parser counts the same messages however a stream is cut. It counts
// messages with the same header as the one before, and of a fragmented message
// only the last fragment. It does not count control frames, nor the pings of
// Engine.IO.
func TestParser(t *testing.T) {
	var stream []byte
	add := func(op frame.Opcode, fin bool, payload string) {
		stream = frame.Header{Fin: fin, Opcode: op, Length: int64(len(payload))}.Append(stream)
		stream = append(stream, payload...)
	}
	for range 5 {
		add(frame.Text, true, "message")
	}
	add(frame.Text, false, "half a message")
	add(frame.Ping, true, "ping")
	add(frame.Continuation, true, strings.Repeat("the other", 100))
	add(frame.Text, true, "")
	add(frame.Text, true, "2")
	add(frame.Binary, true, strings.Repeat("long", 20000))
	for size := 1; size < 300; size++ {
		p := parser{engine: true}
		messages := 0
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			k, err := p.feed(rest[:n])
			if err != nil {
				t.Fatal(err)
			}
			messages += k
			rest = rest[n:]
		}
		if messages != 8 || p.pings != 1 {
			t.Fatalf("cut into %d octets: %d messages, %d pings; want 8, 1", size, messages, p.pings)
		}
	}
}
