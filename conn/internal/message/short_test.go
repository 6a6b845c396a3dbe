package message

import (
	"testing"

	"github.com/parleyws/parley/frame"
)

// In every situation isShort takes each header of a short message, and no other: the
// rules let such a frame begin and end a message, which stays in place.
func TestShort(t *testing.T) {
	taken := 0
	for _, s := range situations() {
		for _, limit := range []int64{oracleLimit, 124} {
			for start := range 1 << 16 {
				p := Parser{rules: rulesIn(t, s)}
				p.rules.limit = limit
				b := make([]byte, 6+127)
				b[0], b[1] = byte(start>>8), byte(start)
				n := p.isShort(b)
				if n > 0 {
					taken++
				}
				if want := lengthOfShort(&p, b); n != want {
					t.Fatalf("% x, %v: isShort = %d, want %d", b[:2], s, n, want)
				}
				if n > 0 && p.isShort(b[:n-1]) != 0 {
					t.Fatalf("% x, %v: it is not complete", b[:2], s)
				}
			}
		}
	}
	if want := 2 * 2 * 126; taken != want { // text and binary, with and without deflate
		t.Errorf("%d headers are short, want %d", taken, want)
	}
}

// lengthOfShort is isShort by way of the rules, which a low limit turns off.
func lengthOfShort(p *Parser, b []byte) int {
	h, n, err := frame.Parse(b)
	short := err == nil && h.Fin && h.Masked && !h.Rsv1 && !h.Opcode.IsControl() && h.Opcode != frame.Continuation && h.Length <= 125
	if r := p.rules; !short || r.limit < 125 || r.check(&h, false) != nil || r.open {
		return 0
	}
	return n + int(h.Length)
}

// A frame goes the long way in another mode than Whole, and while another frame is
// under way.
func TestShortElsewhere(t *testing.T) {
	b := appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("hello"))
	for name, p := range map[string]*Parser{
		"mode Parts":  {mode: Parts},
		"mode Stream": {mode: Stream},
		"in front":    {place: inFront},
		"apart":       {place: apart},
	} {
		p.rules = newRules(true, false, oracleLimit)
		if n := p.isShort(b); n != 0 {
			t.Errorf("%s: isShort = %d, want 0", name, n)
		}
	}
}
