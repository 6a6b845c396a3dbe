package conn

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parleyws/parley/conn/internal/pool"
)

// TestQueue compares a queue with a slice over random pushes, pops and drops.
func TestQueue(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var q queue
		var want []sharedFrame
		for step := range 2000 {
			switch {
			case r.IntN(5) < 2+step/1000:
				f := sharedFrame{at: int64(step), p: make([]byte, 1+r.IntN(9)), sent: r.IntN(3) > 0}
				q.push(f)
				want = append(want, f)
			case r.IntN(2) == 0:
				i := slices.IndexFunc(want, func(f sharedFrame) bool { return f.sent })
				if q.dropOldest() != (i >= 0) {
					t.Fatalf("seed %d, step %d: dropped or not", seed, step)
				}
				if i >= 0 {
					want = slices.Delete(want, i, i+1)
				}
			case len(want) > 0:
				if first, got := *q.first(), q.pop(); got.at != want[0].at || first.at != got.at {
					t.Fatalf("seed %d, step %d: popped the frame of step %d, want %d", seed, step, got.at, want[0].at)
				}
				want = want[1:]
			}
			size := 0
			for _, f := range want {
				size += len(f.p)
			}
			if q.count != len(want) || q.bytes != size {
				t.Fatalf("seed %d, step %d: %d frames of %d bytes, want %d of %d", seed, step, q.count, q.bytes, len(want), size)
			}
		}
	}
}

// TestQueueOverload runs a full queue for a million messages, to a peer that is
// always a little too slow. What it holds stays within twice of what is queued,
// and so does the work: a frame is moved at most twice on the way.
func TestQueueOverload(t *testing.T) {
	const most, messages = 126, 1_000_000
	for _, kept := range []int{0, 40} { // at the front, that may not be dropped
		var q queue
		p := []byte("x")
		for range kept {
			q.push(sharedFrame{p: p})
		}
		for i := range messages {
			for q.count >= most {
				if !q.dropOldest() {
					t.Fatal("nothing to drop")
				}
			}
			q.push(sharedFrame{p: p, sent: true})
			if i%3 == 0 && kept == 0 {
				q.pop()
			}
			if len(q.ring) > 256 {
				t.Fatalf("after %d messages: a ring of %d for %d frames", i, len(q.ring), q.count)
			}
		}
	}
}

// TestQueueReuses: a ring that is full has room for a frame once the first one has left it.
func TestQueueReuses(t *testing.T) {
	var q queue
	for range fewFrames {
		q.push(sharedFrame{p: []byte("x")})
	}
	for i := range 10 * fewFrames {
		q.pop()
		if q.push(sharedFrame{p: []byte("x")}); len(q.ring) != fewFrames {
			t.Fatalf("after %d: a ring of %d for %d frames", i, len(q.ring), fewFrames)
		}
	}
}

// TestQueueLetsGo: a frame that has left a queue is not kept alive by it, nor is
// a long ring that is empty. A short one is, so that a frame that comes alone
// costs no allocation.
func TestQueueLetsGo(t *testing.T) {
	for _, n := range []int{1, fewFrames - 1, fewFrames, fewFrames + 1, 100} {
		var q queue
		for i := range n {
			q.push(sharedFrame{p: []byte("x"), sent: i%2 == 0})
		}
		ring := q.ring
		for left := n; left > 0; left-- {
			if left%3 != 0 || !q.dropOldest() {
				q.pop()
			}
			held := 0
			for _, f := range ring {
				if f.p != nil {
					held++
				}
			}
			if held != left-1 {
				t.Fatalf("%d frames: %d are held with %d in the queue", n, held, left-1)
			}
		}
		if kept := q.ring != nil; kept != (n <= fewFrames) {
			t.Errorf("%d frames: the ring is kept: %t", n, kept)
		}
		for range n {
			q.push(sharedFrame{p: []byte("x"), sent: true})
		}
		for q.dropOldest() {
		}
		if kept := q.ring != nil; kept != (n <= fewFrames) {
			t.Errorf("%d frames, all dropped: the ring is kept: %t", n, kept)
		}
	}
	var q queue
	p := []byte("x")
	allocs := testing.AllocsPerRun(100, func() {
		for range fewFrames {
			q.push(sharedFrame{p: p})
		}
		for range fewFrames {
			q.pop()
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for few frames", allocs)
	}
}

// TestPendingOverload appends bytes of our own between shared frames and takes
// fewer than all for a million messages: the buffer stays within what is pending.
func TestPendingOverload(t *testing.T) {
	const most, messages = 96 << 10, 1_000_000 // more than one batch
	var p pending
	frame := bytes.Repeat([]byte("s"), 100)
	next, got := byte(0), byte(0) // our bytes go round below 100, where no 's' is
	for i := range messages {
		own := p.reserve(40)
		if cap(own.B)-len(own.B) < 40 {
			t.Fatalf("after %d messages: no room", i)
		}
		for range 40 {
			own.B = append(own.B, next)
			next = (next + 1) % 100
		}
		for _, n := p.queued(); n > most/2; _, n = p.queued() {
			p.dropOldest()
		}
		p.share(sharedFrame{p: frame, sent: true})
		for p.len() > most {
			b, buf := p.take()
			for _, c := range b {
				switch c {
				case 's':
				case got:
					got = (got + 1) % 100
				default:
					t.Fatalf("after %d messages: byte %d, want %d", i, c, got)
				}
			}
			pool.Put(buf)
		}
		if p.own != nil && cap(p.own.B) > 256<<10 {
			t.Fatalf("after %d messages: a buffer of %d bytes for %d pending", i, cap(p.own.B), p.len())
		}
	}
	if p.end() <= most {
		t.Error("nothing has passed")
	}
}
