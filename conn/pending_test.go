package conn

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/parleyws/parley/conn/internal/pool"
)

// TestPendingOrder checks pending against a plain slice of octets: whatever is
// appended, shared and taken, the order is that in which it came.
func TestPendingOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var p pending
		var want, got []byte
		next := byte(0)
		octets := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = next
				next++
			}
			want = append(want, b...)
			return b
		}
		for range 200 {
			switch r.IntN(4) {
			case 0:
				b := octets(r.IntN(3000))
				own := p.reserve(len(b))
				own.B = append(own.B, b...)
			case 1:
				p.share(sharedFrame{p: octets(1 + r.IntN(300))})
			case 2:
				p.share(sharedFrame{p: octets(1 + r.IntN(10000))})
			case 3:
				if p.len() > 0 {
					b, buf := p.take()
					got = append(got, b...)
					pool.Put(buf)
				}
			}
			if p.len() != len(want)-len(got) {
				t.Fatalf("seed %d: len %d, want %d", seed, p.len(), len(want)-len(got))
			}
		}
		for p.len() > 0 {
			b, buf := p.take()
			got = append(got, b...)
			pool.Put(buf)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: order lost", seed)
		}
		if p.own != nil || p.len() != 0 {
			t.Fatalf("seed %d: something is held with nothing pending", seed)
		}
	}
}

// TestPendingDrop checks that messages of Send alone are dropped, the oldest
// first.
func TestPendingDrop(t *testing.T) {
	var p pending
	p.share(sharedFrame{p: []byte("a")})
	p.share(sharedFrame{p: []byte("b"), sent: true})
	p.share(sharedFrame{p: []byte("c")})
	p.share(sharedFrame{p: []byte("d"), sent: true})
	p.park(sharedFrame{p: []byte("e"), sent: true})
	for i, want := range []int{4, 3, 2} {
		dropped := p.dropOldest()
		if left, _ := p.queued(); !dropped || left != want {
			t.Fatalf("drop %d: %d messages left, want %d", i, left, want)
		}
	}
	if p.dropOldest() {
		t.Error("dropped a message that was not sent by Send")
	}
	b, buf := p.take()
	if string(b) != "ac" {
		t.Errorf("left %q", b)
	}
	pool.Put(buf)
}
