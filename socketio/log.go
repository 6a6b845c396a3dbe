package socketio

import (
	"context"
	"errors"
	"iter"
)

// A Log is an Adapter that keeps events and sessions where all nodes find them, so that a
// client that was away for a moment may come back to any node, also when its own is
// there no more. It does so if Options.Recovery is set. Its offsets are strings that only
// it understands, except that "" is none.
//
// A Log delivers the events of a namespace one after the other, in the order of its
// offsets: calls of the function that Append gets, of Local.Deliver, and of the function
// that Resume gets. None of these calls anything of the user's but Options.Parser, and
// none waits, so a Log may hold a lock of its own meanwhile.
type Log interface {
	Adapter
	// Append is Broadcast for an event that clients may miss: one that is neither
	// volatile nor asks for acknowledgements. It gives the event an offset and calls
	// deliver with it, once, at once or later, for the sockets of this node; with "" if
	// the log can't take the event. Then, and after an error too, they get it all the
	// same. It does not wait. deliver must not run while something still reads event.
	Append(t Target, event Encoded, deliver func(offset string)) error
	// Save keeps the session of a client that was lost, for Recovery.MaxAge. It does not
	// wait.
	Save(Session)
	// Take takes a session away, unless that or an event that the client may have missed
	// is not there: ok is false then, and nothing is taken. offset is that of the last
	// event that the client has received; see Session.From. ctx ends after 5 seconds.
	Take(ctx context.Context, pid, offset string) (s Session, ok bool, err error)
	// Resume calls enter, between two deliveries, with the events that the client of a
	// session may have missed, in order; offset is as in Take. It returns an error, and
	// has not called enter, if one of them is not there any more. The client is new then.
	// ctx ends after 5 seconds.
	Resume(ctx context.Context, s Session, offset string, enter func(iter.Seq[Missed])) error
}

// A SessionWatcher is a Log that also keeps the sessions of clients that are connected, for
// the case that this node is killed. Its methods are called with no lock held and must not
// wait.
type SessionWatcher interface {
	Log
	// SessionChanged is told that a socket has connected and its connect handlers have
	// returned, and from then on that its rooms or data have changed: Local.Session says
	// what they are.
	SessionChanged(id string)
	// SessionEnded is told that a socket has ended, after Save if its client may come
	// back. It is also told of a session that Take has returned, if its client was not
	// let in.
	SessionEnded(id string)
}

// A Session is what a client gets back.
type Session struct {
	ID, PID string // of its socket; the client knows both
	Rooms   []string
	Data    map[string]any

	// Offsets of events, "" if nothing had been delivered on this node before:
	Connected string // the last event before the client had connected
	Sent      string // the last that the client was sent; "": none
	Lost      string // the last event before it was lost; while it is connected: the last one
}

// From returns the offset after which a client may have missed events, if it has received
// the one with an offset, "" for none. To a client that has got the last event that it was
// sent, however long ago, nothing is missing that came before it was lost.
func (s *Session) From(offset string) string {
	switch {
	case s.Lost != "" && offset == s.Sent:
		return s.Lost
	case offset != "":
		return offset
	}
	return s.Connected
}

// Missed is an event that a client may have missed.
type Missed struct {
	Target Target
	Event  Encoded
	Offset string
}

// errUnlogged is the error of Deliver in a namespace that has no Log.
var errUnlogged = errors.New("socket.io: the namespace's adapter is no Log, or Options.Recovery is not set")

// Recovery returns Options.Recovery with its defaults; ok is false if that is not set.
func (l *Local) Recovery() (r Recovery, ok bool) {
	if o := l.n.server.o.Recovery; o != nil {
		return o.withDefaults(), true
	}
	return Recovery{}, false
}

// Deliver is Broadcast for an event of another node's Log.Append, with its offset.
func (l *Local) Deliver(t Target, event Encoded, offset string) (err error) {
	defer l.n.survived(&err)
	r := l.n.logged()
	if r == nil {
		return errUnlogged
	}
	o, err := l.n.server.wire.incoming(l.n.name, event)
	if err != nil {
		return err
	}
	defer o.release()
	for _, s := range r.deliver(&t, &o, offset) {
		o.notify(s)
	}
	return nil
}

// Session returns what the client of a connected socket would get back. ok is false for any
// other socket, and while the connect handlers of a new one run.
func (l *Local) Session(id string) (_ Session, ok bool) {
	s, ok := l.n.rooms.socket(id)
	r := l.n.logged()
	if !ok || r == nil || !s.conn.dialect().recovers {
		return Session{}, false
	}
	return r.session(s), s.settled()
}
