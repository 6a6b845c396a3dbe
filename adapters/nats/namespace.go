package natsadapter

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// A namespace is one that this node has. It is the cluster.Transport of its node.
type namespace struct {
	c    *Broker
	node *cluster.Node
	all  string // the subject of all nodes that have it
	room string // what the subjects of rooms begin with
	to   string // what the subjects of nodes begin with

	log     string        // what the subjects of the stream begin with
	events  *eventLog     // nil: clients come back to their own node alone
	settled chan struct{} // closed when the other nodes have had time to answer the first Hello
	dropped atomic.Bool   // what is in the queue is dropped

	changed map[string]bool     // rooms; guarded by queue.mu
	held    map[string]int      // rooms that clients are coming back to, which stay open; guarded by queue.mu
	over    bool                // Close was called: Local is used no more; guarded by queue.mu
	peers   map[string]struct{} // the other nodes that have it, by UID; guarded by Broker.mu

	// The writer's:
	subscribed            []*nats.Subscription          // all, and answers to this node
	rooms                 map[string]*nats.Subscription // those that have members here
	joined                map[string]time.Time          // rooms that sockets elsewhere were made to join, and until when events for them go to all
	joinedAny             time.Time                     // until when all events go to all; joined got too large
	greeted               bool
	lastRoom, lastSubject string // of the last event for a room that has no members here
}

// adapter is what a Server gets.
type adapter struct {
	*cluster.Node
	n *namespace
}

// RoomsChanged implements socketio.RoomWatcher.
func (a adapter) RoomsChanged(opened, closed []string) { a.n.c.queue.change(a.n, opened, closed, nil) }

// hasSubject reports whether a room has a subject of its own.
func (c *Broker) hasSubject(room string) bool { return c.o.SocketRooms || len(room) != idLength }

// idLength is how long the id of a socket is, in bytes.
const idLength = 20

// Adapter connects a namespace: it is the Adapter of socketio.Options. A Broker is for one
// Server. It does not wait.
func (c *Broker) Adapter(l *socketio.Local) (socketio.Adapter, error) {
	n := &namespace{
		c: c, all: c.subjects.all(l.Name()), room: c.subjects.rooms(l.Name()), to: c.subjects.nodes(l.Name()),
		settled: make(chan struct{}), peers: make(map[string]struct{}), rooms: make(map[string]*nats.Subscription),
	}
	uid := c.link + strconv.FormatUint(c.uids.Add(1), 36)
	n.node = cluster.New(uid, l, n, cluster.Options{RequestTime: c.o.RequestTime})
	a := adapter{n.node, n}
	r, recovers := l.Recovery()
	if recovers && c.logging != nil {
		n.log = c.subjects.log(l.Name())
		n.events = newEventLog(a, c.logging, r)
	}
	if err := c.queue.add(op{namespace: n, action: open}); err != nil {
		return nil, err
	}
	if n.events == nil {
		return a, nil
	}
	c.logging.begin(r)
	return n.events, nil
}

// Publish implements cluster.Transport.
func (n *namespace) Publish(m *cluster.Message) error { return n.publish(n.route(m), m) }

// route returns an op that publishes m, without its message.
func (n *namespace) route(m *cluster.Message) op {
	o := op{namespace: n, action: publish, to: n.all, logged: n.events != nil}
	switch {
	case m.Type == cluster.Broadcast && m.Request == "" && isOne(m.Target.Rooms) && n.c.hasSubject(m.Target.Rooms[0]):
		o.action, o.to = toRoom, m.Target.Rooms[0]
	case m.Type == cluster.Join:
		o.action, o.rooms = toJoined, slices.Clone(m.Rooms)
	}
	return o
}

// isOne reports whether a list names one room, however often.
func isOne(rooms []string) bool {
	for _, room := range rooms {
		if room != rooms[0] {
			return false
		}
	}
	return len(rooms) > 0
}

// Send implements cluster.Transport.
func (n *namespace) Send(to string, m *cluster.Message) error {
	if !isUID(to) {
		return errUID
	}
	return n.publish(op{namespace: n, action: publish, to: n.to + to}, m)
}

// publish encodes m and puts it into the queue.
func (n *namespace) publish(o op, m *cluster.Message) error {
	err := n.encode(&o, m)
	if err == nil {
		err = n.c.queue.publish(o)
	}
	if err != nil {
		n.c.counters.dropped.Add(1)
		o.release()
	}
	return err
}

// encode makes m the message of an op.
func (n *namespace) encode(o *op, m *cluster.Message) (err error) {
	o.message = buffers.Get().(*[]byte)
	if *o.message, err = appendMessage((*o.message)[:0], m); err != nil {
		return err
	}
	if o.logged && isEvent(m) {
		*o.message = makeRoom(*o.message)
	}
	if int64(len(*o.message)) > n.c.maxPayload.Load() {
		return nats.ErrMaxPayload
	}
	return nil
}

// Nodes implements cluster.Transport.
func (n *namespace) Nodes(ctx context.Context) (int, []string, error) {
	select {
	case <-n.settled:
	case <-ctx.Done():
		return 0, nil, context.Cause(ctx)
	}
	n.c.mu.RLock()
	defer n.c.mu.RUnlock()
	uids := slices.AppendSeq(make([]string, 0, len(n.peers)), maps.Keys(n.peers))
	return len(uids), uids, nil
}

// Close implements cluster.Transport.
func (n *namespace) Close(ctx context.Context) error {
	n.c.queue.mu.Lock()
	n.over = true
	n.c.queue.mu.Unlock()
	o := op{namespace: n, action: shut, to: n.all, logged: n.events != nil, done: make(chan struct{})}
	if err := n.encode(&o, &cluster.Message{Type: cluster.Gone, UID: n.node.UID()}); err != nil {
		o.release()
	}
	if n.c.queue.add(o) != nil {
		o.release()
		return nil // the Broker is closed: nothing is left
	}
	select {
	case <-o.done:
		return n.c.flush(ctx)
	case <-ctx.Done():
		n.dropped.Store(true)
		n.c.queue.stir()
		return context.Cause(ctx)
	}
}

// receive does what a message of another node says, in a batch. Called by the reader alone.
func (n *namespace) receive(b *socketio.Batch, m *cluster.Message) error {
	if m.Type == cluster.Gone {
		n.c.forget(n, m.UID)
		return nil
	}
	if !n.c.met(n, m.UID) {
		return errLimit
	}
	if m.Type == cluster.Hello {
		n.c.pulse() // which says whether events of this node are missing
		return n.Send(m.UID, &cluster.Message{Type: cluster.Alive, UID: n.node.UID()})
	}
	return n.node.Receive(b, m)
}
