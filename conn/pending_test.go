package conn

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
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
				b := octets(1 + r.IntN(3000))
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
	if p.dropOldest() {
		t.Error("dropped a message where there is none")
	}
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
	p.unpark()
	if p.late != nil || p.dropOldest() {
		t.Error("a message is left where there is none")
	}
	b, buf := p.take()
	if string(b) != "ac" {
		t.Errorf("left %q", b)
	}
	pool.Put(buf)
}

// add appends bytes of our own.
func (p *pending) add(s string) {
	own := p.reserve(len(s))
	own.B = append(own.B, s...)
}

// takeAll returns all that is pending, in the batches in which it goes out.
func (p *pending) takeAll() (batches []string) {
	for !p.empty() {
		b, buf := p.take()
		batches = append(batches, string(b))
		pool.Put(buf)
	}
	return batches
}

// TestPendingControl: control frames that wait for the end of a frame come after
// it, of several Pongs the latest, and once.
func TestPendingControl(t *testing.T) {
	var p pending
	p.endFrame()
	p.add("half a frame")
	p.later(frame.Ping, []byte(" ping1"))
	p.later(frame.Pong, []byte(" pong1"))
	p.later(frame.Ping, []byte(" ping2"))
	p.later(frame.Pong, []byte(" pong2"))
	if got := p.takeAll(); !slices.Equal(got, []string{"half a frame"}) || p.late == nil {
		t.Errorf("before the end of the frame: %q", got)
	}
	p.add("the rest")
	p.endFrame()
	if p.late != nil {
		t.Error("something waits after the end of the frame")
	}
	p.endFrame()
	if got := p.takeAll(); !slices.Equal(got, []string{"the rest pong2 ping1 ping2"}) {
		t.Errorf("after the end of the frame: %q", got)
	}
	p.later(frame.Pong, []byte("pong"))
	p.later(frame.Ping, []byte("ping")) // of the same length
	p.endFrame()
	if got := p.takeAll(); !slices.Equal(got, []string{"pongping"}) || p.late != nil {
		t.Errorf("a Pong and a Ping: %q", got)
	}
	for _, op := range []frame.Opcode{frame.Ping, frame.Pong} { // each alone
		p.later(op, []byte("one"))
		p.endFrame()
		if got := p.takeAll(); !slices.Equal(got, []string{"one"}) || p.late != nil {
			t.Errorf("%v: %q", op, got)
		}
	}
}

// TestPendingParked: shared frames that wait for the end of a message come after
// it, in their order, and control frames do not wait for them.
func TestPendingParked(t *testing.T) {
	var p pending
	p.unpark()
	p.add("fragment")
	p.park(sharedFrame{p: []byte(" first")})
	p.park(sharedFrame{p: []byte(" second"), sent: true})
	p.later(frame.Ping, []byte(" ping"))
	p.endFrame()
	if frames, bytes := p.queued(); frames != 2 || bytes != len(" first second") || p.late == nil {
		t.Errorf("%d frames of %d bytes wait, want 2 of %d", frames, bytes, len(" first second"))
	}
	if got := p.takeAll(); !slices.Equal(got, []string{"fragment ping"}) {
		t.Errorf("before the end of the message: %q", got)
	}
	p.add("the last")
	p.later(frame.Ping, []byte(" ping"))
	p.later(frame.Pong, []byte(" pong")) // as long as the other one
	p.unpark()
	if p.late == nil {
		t.Error("a control frame was dropped")
	}
	p.endFrame()
	if got := p.takeAll(); !slices.Equal(got, []string{"the last first second pong ping"}) || p.late != nil {
		t.Errorf("after the end of the message: %q", got)
	}
}

// TestPendingBatches: short frames are gathered up to a batch. A long one, and
// one that is alone, goes out where it lies.
func TestPendingBatches(t *testing.T) {
	long, short := make([]byte, gatherLimit), make([]byte, gatherLimit-1)
	share := func(b []byte) func(*pending) { return func(p *pending) { p.share(sharedFrame{p: b}) } }
	own := func(n int) func(*pending) { return func(p *pending) { p.add(string(make([]byte, n))) } }
	const third = 24 << 10 // 3 of them and a bit are more than a batch
	for _, tt := range []struct {
		name  string
		add   []func(*pending)
		sizes []int
		lying []int // which of the batches lie in no buffer
	}{
		{"nothing", nil, nil, nil},
		{"a short frame alone", []func(*pending){share(short)}, []int{len(short)}, []int{0}},
		{"two short frames", []func(*pending){share(short), share(short)}, []int{2 * len(short)}, nil},
		{"a long frame, a short one", []func(*pending){share(long), share(short)}, []int{len(long), len(short)}, []int{0, 1}},
		{"a short frame, a long one", []func(*pending){share(short), share(long)}, []int{len(short), len(long)}, []int{1}},
		{"ours, a short frame", []func(*pending){own(10), share(short)}, []int{10 + len(short)}, nil},
		{"a short frame, ours", []func(*pending){share(short), own(10)}, []int{10 + len(short)}, nil},
		{"ours, a long frame, ours", []func(*pending){own(10), share(long), own(10)}, []int{10, len(long), 10}, []int{1}},
		{"a batch to the last byte", []func(*pending){own(maxBatch - len(short)), share(short), own(1)}, []int{maxBatch, 1}, nil},
		{"a byte too many", []func(*pending){own(maxBatch - len(short) + 1), share(short), own(1)}, []int{maxBatch - len(short) + 1, len(short) + 1}, nil},
		{"ours are cut", []func(*pending){own(third), share(short), own(third), own(third), own(third), share(short)},
			[]int{maxBatch, 4*third + 2*len(short) - maxBatch}, nil},
		{"ours alone are not", []func(*pending){own(3 * maxBatch)}, []int{3 * maxBatch}, nil},
	} {
		var p pending
		for _, add := range tt.add {
			add(&p)
		}
		var sizes, lying []int
		for i := 0; !p.empty(); i++ {
			b, buf := p.take()
			sizes = append(sizes, len(b))
			if buf == nil {
				lying = append(lying, i)
			}
			pool.Put(buf)
		}
		if !slices.Equal(sizes, tt.sizes) || !slices.Equal(lying, tt.lying) || p.own != nil {
			t.Errorf("%s: batches of %d bytes, of which %d lie in no buffer; want %d, %d", tt.name, sizes, lying, tt.sizes, tt.lying)
		}
		if b, buf := p.take(); b != nil || buf != nil {
			t.Errorf("%s: %d bytes of nothing", tt.name, len(b))
		}
	}
}

// TestPendingForget: positions go on after what was forgotten.
func TestPendingForget(t *testing.T) {
	var p pending
	p.add("12345")
	p.takeAll()
	p.add("678")
	p.share(sharedFrame{p: []byte("shared")})
	p.park(sharedFrame{p: []byte("parked")})
	p.later(frame.Ping, []byte("ping"))
	p.forget()
	frames, _ := p.queued()
	if !p.empty() || frames != 0 || p.late != nil || p.own != nil {
		t.Errorf("%d bytes, %d frames are left", p.len(), frames)
	}
	if p.taken() != 5 || p.end() != 5 { // what was dropped was not taken
		t.Errorf("taken %d of %d, want 5 of 5", p.taken(), p.end())
	}

}
