package conn

import (
	"sync"
	"sync/atomic"
	"time"
)

// This file is the life of a connection: who has closed it, what was sent and
// heard of the closing handshake (RFC 6455, sections 5.5.1 and 7.1), why it
// ended, and who waits for that. Both halves of a Conn ask it, and neither
// keeps a copy. Conn.endWith, in end.go, is the one caller of move and does what a
// move asks for.
//
//	state    messages in           messages and    our Close frame    who reads
//	                               control out
//	open     delivered             accepted        none               calls that read
//	closing  discarded             refused         queued or out      the closer, up to the peer's Close frame
//	closed   bytes are discarded   refused         queued, out, or    the closer, up to the stream's end
//	                                               none after a
//	                                               stream that ended
//	broken   those that have       refused         can't be sent      calls that read; the closer if we had closed
//	         arrived: delivered
//	over     none                  refused         -                  nobody: the stream is closed
//
// A connection ends for the application when it leaves open: from then on
// every call returns the cause. What is left to do for the stream, the closer
// does in the background (in_closer.go).
type state uint8

const (
	open    state = iota
	closing       // we have closed; the peer's Close frame is awaited (section 7.1.2)
	closed        // no frame of the peer's counts any more (section 7.1.1)
	broken        // a write has failed; what has arrived before is still read
	over          // the stream is closed
)

// An event is something that moves a connection's life on.
type event uint8

const (
	localEnd   event = iota // Close was called, or we gave the connection up for a reason of our own
	peerClose               // the peer's Close frame has come
	peerFault               // the peer has broken a rule (section 7.1.7)
	readEnd                 // the peer has ended its direction of the stream
	readFault               // a read has failed
	writeFault              // a write has failed
	cut                     // CloseNow was called, a time has run out, or the peer is dead
	finished                // the closer has done its work

	events = int(finished) + 1
)

// moves has the state that follows each state at each event.
var moves = [...][events]state{
	//        localEnd  peerClose peerFault readEnd  readFault writeFault cut   finished
	open:    {closing, closed, closed, closed, over, broken, over, open},
	closing: {closing, closed, closed, closed, over, broken, over, over},
	closed:  {closed, closed, closed, closed, over, over, over, over},
	broken:  {over, over, over, over, over, broken, over, over},
	over:    {over, over, over, over, over, over, over, over},
}

// A closeFrame says how far our Close frame has come.
type closeFrame uint8

const (
	closeUnsent closeFrame = iota
	closeQueued            // nothing may be sent after it (section 5.5.1)
	closeSent              // the stream has taken it
	closeAlone             // and our direction of the stream is ended after it
)

// A life is the state of a connection's life, with the facts that belong to it.
type life struct {
	current atomic.Uint32 // a state; moved with mu held, read by every call

	mu      sync.Mutex
	serving bool       // constant: the server ends the stream (section 7.1.1)
	heard   bool       // the peer's Close frame has come
	doubted bool       // cause is a failed write's; in broken the peer's Close frame goes before it
	ours    closeFrame // our Close frame
	notes   *lifeNotes // nil: there is nothing to note, as in most connections that are open
}

// lifeNotes are what is to be noted of a connection's life.
type lifeNotes struct {
	cause error         // why the connection has ended; nil while it is open
	timer *time.Timer   // of limit; nil: there is no limit yet
	empty time.Duration // when all that was written was out, after the end; by clock
	late  int           // bytes that have come since a write failed
	freed bool          // released was called

	// Who waits for a milestone.
	left    milestone            // open was left
	settled milestone            // the closing handshake has ended: closed or over
	gone    milestone            // released was called, after over was reached
	funcs   map[*func()]struct{} // called when open is left, each on a goroutine of its own
}

// state returns where the connection's life is.
func (l *life) state() state { return state(l.current.Load()) }

// is reports whether the connection's life is at s.
func (l *life) is(s state) bool { return l.state() == s }

// checkLife is called after every move at e from state was. Tests set it.
var checkLife atomic.Pointer[func(l *life, was state, e event)]

// move moves the connection's life on at e, whose cause becomes the
// connection's if it is the first, and returns the states before and after.
// The cause of a failed write stands back for the peer's Close frame, if that
// is found among what had arrived.
func (l *life) move(e event, cause error) (was, now state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was = l.state()
	now = moves[was][e]
	if n := l.note(); n.cause == nil || l.doubted && e == peerClose {
		n.cause, l.doubted = cause, e == writeFault
	}
	l.heard = l.heard || e == peerClose && was != over
	if now == over {
		l.doubted = false
	}
	l.current.Store(uint32(now))
	if check := checkLife.Load(); check != nil {
		(*check)(l, was, e)
	}
	if was != now {
		l.tell(now)
	}
	return was, now
}

// tell wakes those who wait for what the move to now has brought.
func (l *life) tell(now state) {
	n := l.note()
	if now == over && n.timer != nil {
		n.timer.Stop()
	}
	n.left.reach()
	for f := range n.funcs {
		go (*f)()
	}
	n.funcs = nil
	if now == closed || now == over {
		n.settled.reach()
	}
}

// released notes that the stream, which is over, is closed, and that the connection holds
// nothing any more. It may be called more than once.
func (l *life) released() {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.note()
	n.freed = true
	n.gone.reach()
}

// err returns the cause of the end: what every call that reads returns from
// now on. It is nil while there may be a message to deliver.
func (l *life) err() error {
	if l.is(open) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.doubted {
		return nil
	}
	return l.note().cause
}

// writeErr returns what every call that writes returns from now on, and nil
// while the connection is open.
func (l *life) writeErr() error {
	if l.is(open) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.note().cause
}

// answered reports whether the peer's Close frame has come.
func (l *life) answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// queueClose notes that our Close frame is queued, and reports whether it may
// be: there is one, and none after the peer has ended the stream.
func (l *life) queueClose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ours != closeUnsent || l.is(over) || l.is(broken) {
		return false
	}
	l.ours = closeQueued
	return true
}

// flushed notes that all that was queued is out, and reports whether our
// Close frame has gone out with it.
func (l *life) flushed() (closeOut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ours != closeQueued {
		return false
	}
	l.ours = closeSent
	return true
}

// endStream reports whether our direction of the stream is to be ended now, and
// notes that it is: a server does so once both Close frames have done their
// duty (section 7.1.1). Closing a stream with bytes unread makes TCP send a
// reset, which may overtake the Close frame, so the peer must learn of the end
// before we stop reading.
func (l *life) endStream() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.serving || !l.is(closed) || l.ours != closeSent {
		return false
	}
	l.ours = closeAlone
	return true
}

// emptied notes that all that was written is out, at a time by clock.
func (l *life) emptied(at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note().empty = at
}

// empty returns what emptied has noted last; 0 if nothing.
func (l *life) empty() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notes == nil {
		return 0
	}
	return l.notes.empty
}

// late counts n bytes that have come since a write failed, and returns how many that are now.
func (l *life) late(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note().late += n
	return l.notes.late
}

// limit calls expire after d unless the connection is over by then. The first
// call counts.
func (l *life) limit(d time.Duration, expire func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.note(); n.timer == nil && !l.is(over) && d < noTime {
		n.timer = time.AfterFunc(d, expire)
	}
}

// again gives what limit has limited so much longer, from now on.
func (l *life) again(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.note(); n.timer != nil && !l.is(over) {
		n.timer.Reset(d)
	}
}

// note returns notes, made if need be. Called with mu held.
func (l *life) note() *lifeNotes {
	if l.notes == nil {
		l.notes = &lifeNotes{}
	}
	return l.notes
}

// left returns a channel that is closed when the connection ends for the
// application: when open is left.
func (l *life) left() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.note().left.wait(!l.is(open))
}

// settled returns a channel that is closed when the closing handshake has
// ended, well or not.
func (l *life) settled() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.note().settled.wait(l.is(closed) || l.is(over))
}

// gone returns a channel that is closed after the stream.
func (l *life) gone() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.note()
	return n.gone.wait(n.freed)
}

// after arranges for f to be called, on a goroutine of its own, when the
// connection ends for the application. stop cancels that, and reports whether
// it came in time.
func (l *life) after(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.is(open) {
		go f()
		return func() bool { return false }
	}
	w := l.note()
	if w.funcs == nil {
		w.funcs = make(map[*func()]struct{})
	}
	w.funcs[&f] = struct{}{}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, waiting := w.funcs[&f]
		delete(w.funcs, &f)
		return waiting
	}
}
