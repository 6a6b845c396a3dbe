package frame_test

import (
	"testing"

	"github.com/parleyws/parley/frame"
)

func TestNoAllocations(t *testing.T) {
	buf := make([]byte, 0, frame.MaxControlPayload)
	tests := []struct {
		name string
		f    func()
	}{
		{"Close", func() { buf = frame.AppendClose(buf[:0], frame.StatusGoingAway, "Grüße") }},
		{"ParseClose without a reason", func() { frame.ParseClose([]byte{0x03, 0xE8}) }},
		{"ParseClose of a bad code", func() { frame.ParseClose([]byte{0x03, 0xED}) }},
		{"Parse of a bad length", func() { frame.Parse([]byte{0x82, 0x7F, 0x80}) }},
		{"Parse of a long form", func() { frame.Parse([]byte{0x82, 0x7E, 0, 0}) }},
	}
	for _, tt := range tests {
		if n := testing.AllocsPerRun(100, tt.f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
	for _, tt := range golden {
		n := testing.AllocsPerRun(100, func() {
			buf = tt.header.Append(buf[:0])
			if h, _, err := frame.Parse(buf); h != tt.header || err != nil {
				t.Errorf("%s: Parse = %+v, %v", tt.name, h, err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
}
