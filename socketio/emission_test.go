package socketio

import (
	"strings"
	"testing"

	"github.com/parleyws/parley/parser"
)

// An encoder that is used again has nothing left of the packet before, and keeps no memory
// beyond maxPooled, nor the attachments, which are the caller's.
func TestEncoderKept(t *testing.T) {
	for name, length := range map[string]int{"short": 10, "long": maxPooled + 1} {
		w := &newServer(t, nil).wire
		e, err := w.newEncoder("/", func(e *encoder) error {
			return e.event("e", []any{strings.Repeat("x", length), []byte("a"), []byte("b")})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.encode(e, parser.Event, "/", nil)
		e.release()
		p := &e.packet
		if len(p.Binary) != 0 || len(p.Placeholders) != 0 {
			t.Errorf("%s: %d attachments and %d placeholders are left", name, len(p.Binary), len(p.Placeholders))
		}
		for _, data := range p.Binary[:cap(p.Binary)] {
			if data != nil {
				t.Errorf("%s: it keeps %q", name, data)
			}
		}
		if cap(e.buf) > maxPooled || cap(p.Data) > maxPooled {
			t.Errorf("%s: it keeps %d bytes, and %d of data", name, cap(e.buf), cap(p.Data))
		}
	}
}
