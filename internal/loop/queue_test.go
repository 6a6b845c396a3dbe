package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A queue does what a slice would do.
func TestQueue(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 1))
	var q queue
	var want []*Socket
	for i := range 10_000 {
		switch k := random.IntN(10); {
		case k < 5:
			s := new(Socket)
			q.push(s)
			want = append(want, s)
		case k < 8:
			got := q.pop()
			if len(want) == 0 {
				if got != nil {
					t.Fatalf("step %d: a socket in an empty queue", i)
				}
				continue
			}
			if got != want[0] {
				t.Fatalf("step %d: another socket than the first", i)
			}
			want = want[1:]
		case k == 8:
			k := random.IntN(len(want) + 1)
			q.advance(k)
			want = slices.Concat(want[len(want)-k:], want[:len(want)-k])
		case random.IntN(20) == 0:
			for q.pop() != nil {
			}
			want = nil
		}
		if q.n != len(want) {
			t.Fatalf("step %d: %d sockets, want %d", i, q.n, len(want))
		}
	}
}

// A queue that is never empty does not grow, and keeps no socket that has left it.
func TestQueueGoesRound(t *testing.T) {
	var q queue
	for range 10 {
		q.push(new(Socket))
	}
	for range 1000 {
		q.push(q.pop())
		q.advance(3)
	}
	for range 9 {
		q.pop()
	}
	kept := 0
	for _, s := range q.ring {
		if s != nil {
			kept++
		}
	}
	if len(q.ring) != 16 || kept != 1 {
		t.Errorf("room for %d sockets, and %d kept; want 16, and 1", len(q.ring), kept)
	}
}
