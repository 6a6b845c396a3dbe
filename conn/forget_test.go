package conn

import "testing"

// What is forgotten was not taken: no position moves.
func TestForgetIsNotTaken(t *testing.T) {
	var p pending
	add := func(n int) {
		b := p.reserve(n)
		b.B = append(b.B, make([]byte, n)...)
	}
	add(maxBatch)
	add(100)
	p.share(sharedFrame{p: make([]byte, 10)})
	b, buf := p.take()
	if len(b) != maxBatch || buf == nil {
		t.Fatalf("%d bytes taken", len(b))
	}
	taken := p.taken()
	p.forget()
	if p.taken() != taken || p.end() != taken {
		t.Errorf("taken up to %d, was %d; the end is %d", p.taken(), taken, p.end())
	}
}
