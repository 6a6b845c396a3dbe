package socketio

import "testing"

// A queue that is empty holds none of the tasks that it had, and after many of them
// memory for a few: an idle actor's queue is kept for another one.
func TestQueueKept(t *testing.T) {
	for _, n := range []int{1, smallQueue, smallQueue + 1, 100} {
		q := new(queue)
		for range n {
			q.waiting = append(q.waiting, task{do: func() {}})
		}
		if !q.take() || len(q.taken) != n {
			t.Fatalf("%d of %d tasks are taken", len(q.taken), n)
		}
		if q.take() {
			t.Fatalf("after %d tasks there are %d more", n, len(q.taken))
		}
		for _, list := range [][]task{q.waiting, q.taken} {
			if cap(list) > smallQueue {
				t.Errorf("after %d tasks there is memory for %d", n, cap(list))
			}
			for _, kept := range list[:cap(list)] {
				if kept.do != nil {
					t.Errorf("one of %d tasks stays in memory", n)
				}
			}
		}
	}
}
