package socketio

import "github.com/parleyws/parley/engineio"

// A Batch delivers events of other nodes in fewer writes: if the broker has brought many
// at once, those for the same client leave together, by Flush at the latest. An adapter
// has one for each goroutine that reads from the broker: it calls More before each event,
// Broadcast with it, and Flush before it waits for anything.
//
// The order of what a client gets stays, also with what comes from elsewhere. Its zero
// value is ready for use by one goroutine at a time. A nil Batch holds nothing back.
type Batch struct {
	more bool
	sent int // events to sessions since Flush
	held map[*engineio.Session]engineio.Cork
}

const (
	// maxSent is how many events to sessions may be held back, about. It takes
	// one or two milliseconds to get there.
	maxSent = 4096
	// maxRoom is how many sessions an event may be for that is held back. For more the
	// batch would hold too few events to be worth it.
	maxRoom = maxSent / 4
	// keptHeld is how many sessions the memory is kept for.
	keptHeld = 256
)

// More says whether the adapter has further events at hand, after the next one.
func (b *Batch) More(more bool) {
	if b == nil {
		return
	}
	if b.more = more; b.sent >= maxSent {
		b.Flush()
	}
}

// Broadcast is Local.Broadcast.
func (b *Batch) Broadcast(l *Local, t Target, event Encoded) error { return l.broadcast(b, t, event) }

// hold holds back what is sent to sessions from now on.
func (b *Batch) hold(sessions []*engineio.Session) {
	if b == nil || !b.more || len(sessions) > maxRoom {
		return
	}
	if b.held == nil {
		b.held = make(map[*engineio.Session]engineio.Cork)
	}
	b.sent += len(sessions)
	for _, s := range sessions {
		if _, ok := b.held[s]; !ok {
			b.held[s] = s.Hold()
		}
	}
}

// Flush sends what is held back. It never waits.
func (b *Batch) Flush() {
	if b == nil || b.sent == 0 {
		return
	}
	b.sent = 0
	for _, cork := range b.held {
		cork.Release()
	}
	if len(b.held) > keptHeld { // a map keeps its size, and takes as long to clear
		b.held = nil
	}
	clear(b.held)
}
