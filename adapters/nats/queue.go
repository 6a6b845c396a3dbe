package natsadapter

import (
	"errors"
	"sync"
	"sync/atomic"
)

// ErrQueueFull is the error of what is published while Options.QueueBytes wait, because
// NATS is away or slow: it does not reach the other nodes.
var ErrQueueFull = errors.New("natsadapter: the queue for NATS is full")

// errClosed is the error of what is published after Broker.Close.
var errClosed = errors.New("natsadapter: closed")

// An action is what an op makes the writer do.
type action uint8

const (
	publish  action = iota // op.message on op.to
	toRoom                 // publish to the nodes that have members of the room op.to
	toJoined               // publish to all nodes, since they make sockets join op.rooms
	open                   // subscribe the namespace, and say Hello
	shut                   // publish op.message, and unsubscribe the namespace
	mark                   // see where the stream of events is, for the round that waits for it
	missing                // say in the stream that events are missing
	keep                   // write op.kept, the session of a client
	probe                  // ask whether the other nodes are there
	end                    // nothing comes afterwards
)

// An op is something that the writer has to do, in its turn.
type op struct {
	namespace *namespace // nil for probe and end
	action    action
	to        string // a subject, or a room
	rooms     []string
	message   *[]byte // from buffers
	number    uint64  // of an event for the log among those of this node; 0: it is none
	logged    bool    // it goes by JetStream, if that is there
	kept      *kept
	round     *round // that waits for a mark; nil: none
	done      chan struct{}
}

// buffers hold messages from their encoding until NATS has them.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is how large a buffer may be that is kept, in bytes.
const maxBuffer = 64 << 10

// release gives the message's buffer back.
func (o *op) release() {
	if o.message != nil && cap(*o.message) <= maxBuffer {
		*o.message = (*o.message)[:0]
		buffers.Put(o.message)
	}
	o.message = nil
}

// opBytes is what a message takes beside its bytes, about.
const opBytes = 128

func (o *op) size() int {
	if o.message == nil {
		return 0
	}
	return len(*o.message) + opBytes
}

// A queue holds what the writer has still to do. Any goroutine adds to it and never waits.
type queue struct {
	limit int
	bytes atomic.Int64  // of all messages that wait, those among them that the writer has taken
	wake  chan struct{} // there is something, or something has changed

	mu     sync.Mutex
	ops    []op
	dirty  []*namespace // with rooms that were opened or closed
	closed bool
}

// add adds an op that is never dropped for want of space.
func (q *queue) add(o op) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return errClosed
	}
	q.closed = o.action == end
	q.ops = append(q.ops, o)
	q.mu.Unlock()
	q.bytes.Add(int64(o.size()))
	q.stir()
	return nil
}

// publish adds an op with a message, if there is space.
func (q *queue) publish(o op) error {
	size := int64(o.size())
	if q.bytes.Add(size) > int64(q.limit) {
		q.bytes.Add(-size)
		return ErrQueueFull
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		q.bytes.Add(-size)
		return errClosed
	}
	q.ops = append(q.ops, o)
	q.mu.Unlock()
	q.stir()
	return nil
}

// stir wakes the writer.
func (q *queue) stir() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// change notes rooms that were opened and closed. A room that changes back before the
// writer has seen it is forgotten. A room that is open again, as far as open can say, is not
// closed.
func (q *queue) change(n *namespace, opened, closed []string, open func(room string) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || n.over {
		return
	}
	note := func(room string, open bool) {
		if !n.c.hasSubject(room) || !open && n.held[room] > 0 {
			return
		}
		if was, noted := n.changed[room]; noted && was != open {
			delete(n.changed, room)
			return
		}
		if n.changed == nil {
			n.changed = make(map[string]bool)
			q.dirty = append(q.dirty, n)
		}
		n.changed[room] = open
	}
	for _, room := range opened {
		note(room, true)
	}
	for _, room := range closed {
		// Asked with mu held: whoever opens the room afterwards notes it after this.
		if open == nil || !open(room) {
			note(room, false)
		}
	}
	q.stir()
}

// hold opens rooms for a client that is about to come back, and keeps them open.
func (q *queue) hold(n *namespace, rooms []string) {
	q.mu.Lock()
	if n.held == nil {
		n.held = make(map[string]int)
	}
	for _, room := range rooms {
		n.held[room]++
	}
	q.mu.Unlock()
	q.change(n, rooms, nil, nil)
}

// unhold is the end of hold.
func (q *queue) unhold(n *namespace, rooms []string) {
	q.mu.Lock()
	for _, room := range rooms {
		if n.held[room]--; n.held[room] == 0 {
			delete(n.held, room)
		}
	}
	q.mu.Unlock()
	q.change(n, nil, rooms, n.node.Local().HasRoom)
}

// A change is what has become of the rooms of a namespace; true means opened.
type change struct {
	namespace *namespace
	rooms     map[string]bool
}

// changes returns what has been noted since the last call.
func (q *queue) changes() (list []change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, n := range q.dirty {
		list = append(list, change{n, n.changed})
		n.changed = nil
	}
	clear(q.dirty)
	q.dirty = q.dirty[:0]
	return list
}

// take returns all ops, and takes memory for the next ones.
func (q *queue) take(memory []op) []op {
	q.mu.Lock()
	defer q.mu.Unlock()
	ops := q.ops
	q.ops = memory
	return ops
}
