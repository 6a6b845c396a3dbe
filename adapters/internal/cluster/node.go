package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A Transport carries the messages of one namespace. Its methods may be called from any
// goroutine.
type Transport interface {
	// Publish sends m to the other nodes. It must not wait, and has encoded m when it
	// returns. A Broadcast without a Request need only reach nodes that have a member of
	// a room of its Target.
	Publish(m *Message) error
	// Send is Publish to one node: for answers.
	Send(to string, m *Message) error
	// Nodes returns how many other nodes have the namespace, and their UIDs if it knows
	// these, nil otherwise. Then it tells Node.NodeGone of each that is there no more.
	Nodes(ctx context.Context) (n int, uids []string, err error)
	// Close ends the transport of the namespace. What was published before still
	// leaves, unless ctx ends first, whose error is returned then. Node.Receive is not
	// called afterwards.
	Close(ctx context.Context) error
}

// Options of a Node. In every field zero is the default.
type Options struct {
	// RequestTime is how long a request without acknowledgements of clients waits for
	// the answers of other nodes, if its ctx says nothing shorter. Default 5 s.
	RequestTime time.Duration
	// AckTime is how long clients are awaited for a node that has not said how long.
	// Default 20 s.
	AckTime time.Duration
	// Calls is how many events of other nodes may wait for acknowledgements of clients
	// of this node at once. Default 10,000. One more is refused.
	Calls int
}

func (o Options) withDefaults() Options {
	if o.RequestTime == 0 {
		o.RequestTime = 5 * time.Second
	}
	if o.AckTime == 0 {
		o.AckTime = 20 * time.Second
	}
	if o.Calls == 0 {
		o.Calls = 10_000
	}
	return o
}

// A Node is a namespace of this node in the cluster. It is the socketio.Adapter but for
// Rooms, which these messages can't ask for, and for what the Transport adds.
type Node struct {
	uid       string
	local     *socketio.Local
	transport Transport
	o         Options
	requests  requests
	keeps     bool  // clients may come back to this node, which keeps what they miss
	users     Users // of local: calls of Receive, and what they have started
	over      context.Context
	end       context.CancelFunc
}

// New makes a Node for a namespace. uid comes from NewUID.
func New(uid string, l *socketio.Local, t Transport, o Options) *Node {
	n := &Node{uid: uid, local: l, transport: t, o: o.withDefaults()}
	n.over, n.end = context.WithCancel(context.Background())
	_, n.keeps = l.Recovery()
	return n
}

// UID returns the node's name in the namespace.
func (n *Node) UID() string { return n.uid }

// Local returns the namespace.
func (n *Node) Local() *socketio.Local { return n.local }

// Broadcast implements socketio.Adapter.
func (n *Node) Broadcast(t socketio.Target, event socketio.Encoded) error {
	return n.transport.Publish(&Message{Type: Broadcast, UID: n.uid, Target: t, Event: event})
}

// Join implements socketio.Adapter.
func (n *Node) Join(t socketio.Target, rooms []string) error {
	return n.transport.Publish(&Message{Type: Join, UID: n.uid, Target: t, Rooms: rooms})
}

// Leave implements socketio.Adapter.
func (n *Node) Leave(t socketio.Target, rooms []string) error {
	return n.transport.Publish(&Message{Type: Leave, UID: n.uid, Target: t, Rooms: rooms})
}

// Disconnect implements socketio.Adapter.
func (n *Node) Disconnect(t socketio.Target, connection bool) error {
	return n.transport.Publish(&Message{Type: Disconnect, UID: n.uid, Target: t, Connection: connection})
}

// ServerSideEmit implements socketio.Adapter.
func (n *Node) ServerSideEmit(event socketio.Encoded) error {
	return n.transport.Publish(&Message{Type: ServerEvent, UID: n.uid, Event: event})
}

// Nodes implements socketio.Adapter.
func (n *Node) Nodes(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, n.o.RequestTime)
	defer cancel()
	others, _, err := n.transport.Nodes(ctx)
	return 1 + others, err
}

// Rooms implements socketio.Adapter.
func (n *Node) Rooms(context.Context) ([]string, error) {
	return nil, fmt.Errorf("socket.io: rooms of other nodes: %w", errors.ErrUnsupported)
}

// Call implements socketio.Adapter.
func (n *Node) Call(ctx context.Context, t socketio.Target, event socketio.Encoded, r socketio.Replies) error {
	timeout := n.o.AckTime
	if end, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(end), time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q := n.requests.begin(Clients)
	q.replies = r
	m := Message{Type: Broadcast, UID: n.uid, Request: q.id, Target: t, Timeout: timeout, Event: event}
	return n.ask(ctx, q, &m)
}

// ServerSideCall implements socketio.Adapter.
func (n *Node) ServerSideCall(ctx context.Context, event socketio.Encoded, r socketio.Replies) error {
	q := n.requests.begin(ServerAnswer)
	q.replies = r
	return n.ask(ctx, q, &Message{Type: ServerEvent, UID: n.uid, Request: q.id, Event: event})
}

// Fetch implements socketio.Adapter.
func (n *Node) Fetch(ctx context.Context, t socketio.Target) ([]socketio.RemoteSocket, error) {
	ctx, cancel := context.WithTimeout(ctx, n.o.RequestTime)
	defer cancel()
	q := n.requests.begin(Fetched)
	err := n.ask(ctx, q, &Message{Type: Fetch, UID: n.uid, Request: q.id, Target: t})
	return q.sockets, err
}

// ask makes a request, and waits until it is complete.
func (n *Node) ask(ctx context.Context, q *request, m *Message) error {
	defer n.requests.end(q)
	// A node that comes after this need not answer; one that came between the other way
	// round would be waited for in vain.
	nodes, uids, err := n.transport.Nodes(ctx)
	if err != nil {
		return err
	}
	n.requests.expect(q, nodes, uids)
	if err := n.transport.Publish(m); err != nil {
		return err
	}
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.over.Done():
		return errClosed
	}
}

var errClosed = errors.New("socket.io: adapter is closed")

// Close implements socketio.Adapter.
func (n *Node) Close(ctx context.Context) error {
	n.end()
	return errors.Join(n.transport.Close(ctx), n.users.Close(ctx))
}

// NodeGone tells n that another node is there no more: requests don't wait for it.
func (n *Node) NodeGone(uid string) { n.requests.gone(uid) }
