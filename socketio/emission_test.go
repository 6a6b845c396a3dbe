package socketio

import (
	"strings"
	"testing"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// An encoder that is used again has nothing left of the packet before, and keeps no memory
// beyond maxPooled, nor the attachments, which are the caller's.
func TestEncoderKept(t *testing.T) {
	long := strings.Repeat("x", maxPooled+1)
	for name, tt := range map[string]struct{ namespace, arg string }{
		"short": {"/", "x"}, "long": {"/", long}, "long namespace": {"/" + long, "x"},
	} {
		w := &newServer(t, nil).wire
		e, err := w.newEncoder(tt.namespace, func(e *encoder) error {
			return e.event("e", []any{tt.arg, []byte("a"), []byte("b")})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.encode(e, parser.Event, tt.namespace, nil)
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
		for what, b := range map[string][]byte{
			"buffer": e.buf, "data": p.Data, "namespace": p.Namespace, "parser's memory": p.Scratch,
		} {
			if cap(b) > maxPooled {
				t.Errorf("%s: of the %s it keeps %d bytes", name, what, cap(b))
			}
		}
	}
}

// A received packet that is released keeps no attachments, which whoever took them may still use,
// and in tests nothing is left to read of the rest.
func TestUnitKept(t *testing.T) {
	w := &newServer(t, nil).wire
	u := new(packet.Unit)
	if err := u.Parse(w.parser, []byte(`51-/a,["e",{"_placeholder":true,"num":0}]`), w.limits); err != nil {
		t.Fatal(err)
	}
	attachment := []byte("attachment")
	u.Binary = append(u.Binary, attachment)
	namespace, data, binary := u.Namespace, u.Data, u.Binary
	release(u)
	if binary[0] != nil || string(attachment) != "attachment" {
		t.Errorf("it keeps %q; the attachment is %q", binary[0], attachment)
	}
	if left := string(namespace) + string(data); strings.Trim(left, "!") != "" {
		t.Errorf("what is left: %s", left)
	}
}
