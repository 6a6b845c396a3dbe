package natsadapter

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// An eventLog is a namespace whose clients may come back to any node: a socketio.Log.
//
// A node delivers what is emitted on it at once, and publishes it on a subject of the
// stream, which numbers the events and publishes each again on the subject of its room.
// So other nodes get events with their numbers, if they have a member of the room, and no
// node waits. The node itself gets the number as JetStream's answer. See place for what a
// client then knows.
//
// Whatever else nodes tell each other in the namespace goes by the stream too, so that it
// keeps its place among the events. Answers don't.
type eventLog struct {
	adapter
	g        *logging
	recovery socketio.Recovery
	sessions sessions
	hole     atomic.Bool  // events are missing in the stream: the writer is to say so
	saying   atomic.Int32 // how often it has, in messages that are not known to be stored
	said     time.Time    // when it did last; the writer's
	pending  atomic.Int32 // other messages that are not known to be stored

	mu        sync.Mutex // held during deliveries
	closed    bool
	position  uint64    // of the last event or answer that has come; 0: none
	number    uint64    // of the last event of this node
	known     uint64    // of the last one whose position is known
	broken    bool      // the last event of this node was not put into the queue
	located   time.Time // when the position was last asked for
	locating  bool
	now, next *round // those who are coming back
	fences    fences
}

func newEventLog(a adapter, g *logging, r socketio.Recovery) *eventLog {
	l := &eventLog{adapter: a, g: g, recovery: r}
	l.sessions = sessions{l: l, subject: g.c.subjects.session(a.Local().Name()), kept: make(map[string]*kept)}
	return l
}

// place returns what has been delivered here. Called with mu held.
func (l *eventLog) place() place {
	p := place{sequence: l.position}
	if l.known < l.number && p.sequence > 0 {
		p.uid, p.number = l.UID(), l.number
	}
	return p
}

// reached returns the position.
func (l *eventLog) reached() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.position
}

// found is told that the stream is there, and the number of its last message.
func (l *eventLog) found(last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position = min(l.position, last) // it is another one whose numbers are lower
}

// Append implements socketio.Log.
func (l *eventLog) Append(t socketio.Target, event socketio.Encoded, deliver func(offset string)) error {
	n := l.n
	m := &cluster.Message{Type: cluster.Broadcast, UID: l.UID(), Target: t, Event: event}
	o := n.route(m)
	err := n.encode(&o, m)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	o.number = l.number
	if err == nil {
		setNumber(*o.message, o.number)
		err = n.c.queue.publish(o)
	}
	if err != nil {
		n.c.counters.dropped.Add(1)
		o.release()
		l.miss()
	} else {
		l.broken = false
	}
	offset := l.place().String()
	l.record(entry{uid: l.UID(), number: l.number, offset: offset}, m)
	deliver(offset)
	return err
}

// miss makes the writer say in the stream, in its turn, that events of this node are
// missing. Called with mu held.
func (l *eventLog) miss() {
	if !l.broken {
		l.broken = true
		_ = l.n.c.queue.add(op{namespace: l.n, action: missing}) // it is closed: nobody comes back here
	}
}

// receive takes what has come from the stream, in a batch if it is no event. Called by the
// reader.
func (l *eventLog) receive(b *socketio.Batch, sequence uint64, m *cluster.Message, number uint64) error {
	if m.UID == l.UID() {
		return nil // the answer says where it is
	}
	l.mu.Lock()
	if sequence <= l.position {
		l.mu.Unlock()
		return nil // it has come before
	}
	l.position = sequence
	if !isEvent(m) {
		l.mu.Unlock()
		return l.n.receive(b, m)
	}
	defer l.mu.Unlock()
	if !l.n.c.met(l.n, m.UID) {
		return errLimit
	}
	if l.closed {
		return nil
	}
	offset := l.place().String()
	l.record(entry{sequence: sequence, uid: m.UID, number: number, offset: offset}, m)
	if rooms := m.Target.Rooms; len(rooms) > 0 && !slices.ContainsFunc(rooms, l.Local().HasRoom) {
		return nil
	}
	return l.Local().Deliver(l.fences.apply(m.Target, m.UID, number), m.Event, offset)
}

// isEvent reports whether clients may miss m.
func isEvent(m *cluster.Message) bool {
	return m.Type == cluster.Broadcast && m.Request == "" && !m.Target.Flags.Volatile
}

// An eventAnswer awaits JetStream's answer to an event, or to another message if number
// is 0.
type eventAnswer struct {
	l      *eventLog
	number uint64
}

func (a eventAnswer) stored(sequence uint64) {
	a.l.stored(sequence, a.number)
	a.l.pending.Add(-1)
}

func (a eventAnswer) failed(uint64, bool) {
	a.l.lack()
	a.l.pending.Add(-1)
	if a.number > 0 {
		a.l.g.c.counters.unlogged.Add(1)
	}
}

// stored is told the position of a message of this node.
func (l *eventLog) stored(sequence, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position = max(l.position, sequence)
	l.known = max(l.known, number)
}

// A holeAnswer awaits JetStream's answer to a message that says that events are missing.
type holeAnswer struct{ l *eventLog }

func (a holeAnswer) stored(sequence uint64) {
	a.l.spoil()
	a.l.pass(sequence)
	a.l.saying.Add(-1)
	a.l.g.c.pulse()
}

func (a holeAnswer) failed(uint64, bool) {
	a.l.lack()
	a.l.saying.Add(-1)
}

// lacks reports whether events of this node are missing in the stream, which does not say so.
func (l *eventLog) lacks() bool { return l.hole.Load() || l.saying.Load() > 0 }

// spoil takes note that events are missing of which the round that is under way may not read.
func (l *eventLog) spoil() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != nil {
		l.now.lacks = true
	}
}

// locate asks for the position, so that a client for which nothing has come for long is
// not asked for what is not kept any more.
func (l *eventLog) locate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.located = time.Now()
	if !l.locating && !l.closed {
		l.locating = l.n.c.queue.add(op{namespace: l.n, action: mark}) == nil
	}
}

// A location awaits the answer to a mark: of locate, or of a round.
type location struct {
	l *eventLog
	r *round // nil for locate
}

func (a location) stored(sequence uint64) {
	l := a.l
	l.stored(sequence, 0)
	if a.r == nil {
		l.sessions.rewrite(false) // sessions that can say only now where they were
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved() // a client that is lost next is where this node is
	switch {
	case a.r == nil:
		l.locating = false
	case l.now == a.r && !l.closed:
		a.r.until = sequence
		l.g.c.all.Go(a.r.run)
	}
}

// moved tells the namespace where it is. Called with mu held.
func (l *eventLog) moved() {
	if !l.closed {
		_ = l.Local().Deliver(nobody, socketio.Encoded{Data: []byte(`["e"]`)}, l.place().String())
	}
}

// pass takes the position of a hole: who has come before can't come back, who comes
// afterwards can.
func (l *eventLog) pass(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sequence > l.position {
		l.position = sequence
		l.moved()
	}
}

func (a location) failed(uint64, bool) {
	l := a.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.r != nil {
		l.endRound(a.r, errAway)
		return
	}
	l.locating = false
}

// nobody addresses a room that no socket joins.
var nobody = socketio.Target{Rooms: []string{"\x00natsadapter: nobody"}}

// check does what is due. Called by the keeper.
func (l *eventLog) check() {
	l.mu.Lock()
	due := time.Since(l.located) > l.g.age/4
	l.mu.Unlock()
	if due && l.g.state.Load() == ready {
		l.locate()
	}
	l.sessions.refresh()
}

// lack makes the writer say that events of this node are missing: in the stream, and by its
// heartbeats until that is stored.
func (l *eventLog) lack() {
	known := l.lacks()
	l.hole.Store(true)
	l.g.lacks.Store(true)
	if known {
		l.n.c.queue.stir()
	} else {
		l.g.c.pulse()
	}
}

// Close implements socketio.Adapter.
func (l *eventLog) Close(ctx context.Context) error {
	l.sessions.close(ctx)
	l.mu.Lock()
	l.closed = true
	l.next.fail(errClosed)
	l.next = nil
	l.now.fail(errClosed)
	l.mu.Unlock()
	return l.Node.Close(ctx)
}

// sequenceOf returns the number that a message has in the stream, 0 if it has not come
// from there.
func sequenceOf(m *nats.Msg) uint64 {
	v := m.Header["Nats-Sequence"]
	if len(v) == 0 {
		return 0
	}
	n := uint64(0)
	for _, c := range []byte(v[0]) {
		if c < '0' || c > '9' || n > 1<<62/10 {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}
