package socketio

import (
	"slices"
	"sync"

	"github.com/parleyws/parley/socketio/internal/packet"
)

// A task is something that an actor's goroutine has to do: to handle an event, or
// to call a function.
type task struct {
	unit *packet.Unit
	era  uint64 // of unit; see Client.era
	do   func()
}

// A queue is what an actor's goroutine has to do. An actor has one only while it has a
// goroutine. Its goroutine takes all tasks at once; others are added meanwhile.
type queue struct {
	waiting []task // guarded by the actor's mu
	taken   []task // the goroutine's
	done    int    // how many of those that were taken it has begun
}

// queues holds queues that are used again.
var queues = sync.Pool{New: func() any { return new(queue) }}

// smallQueue is the length of the longest queue of tasks whose memory is kept
// while the queue is empty.
const smallQueue = 4

// take takes the tasks that wait. It returns false if there are none. Called with the
// actor's mu held.
func (q *queue) take() bool {
	clear(q.taken)
	spare := q.taken[:0]
	if cap(spare) > smallQueue {
		spare = nil
	}
	q.waiting, q.taken, q.done = spare, q.waiting, 0
	return len(q.taken) > 0
}

// putBack makes the tasks that were taken, and not begun, wait again. Called with the actor's
// mu held.
func (q *queue) putBack() {
	q.waiting = slices.Concat(q.taken[q.done:], q.waiting)
	q.taken = nil
}
