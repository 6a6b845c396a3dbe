package redisadapter

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// A namespace is the socketio.Adapter of one.
type namespace struct {
	b        *Broker
	local    *socketio.Local
	uid      string // of this node in the namespace
	channel  string // of broadcasts; that of a room follows it
	pattern  string
	request  string
	response string // of all nodes
	own      string // for answers to this node alone

	requests requests
	joined   joined
	synced   atomic.Int64  // the connection on which the namespace is subscribed to
	users    cluster.Users // of local
	over     context.Context
	end      context.CancelFunc
}

func newNamespace(b *Broker, l *socketio.Local) *namespace {
	n := &namespace{b: b, local: l, uid: newUID()}
	name, prefix := l.Name(), b.o.Prefix
	n.channel = prefix + "#" + name + "#"
	n.pattern = escaper.Replace(n.channel) + "*"
	n.request = prefix + "-request#" + name + "#"
	n.response = prefix + "-response#" + name + "#"
	n.own = n.response + n.uid + "#"
	n.over, n.end = context.WithCancel(context.Background())
	return n
}

// A watcher is a namespace that subscribes to each room.
type watcher struct{ *namespace }

// RoomsChanged implements socketio.RoomWatcher.
func (w *watcher) RoomsChanged(opened, closed []string) {
	w.b.sub.Subscribe(w.channels(opened)...)
	w.b.sub.Unsubscribe(w.channels(closed)...)
}

func (n *namespace) channels(rooms []string) []string {
	list := make([]string, len(rooms))
	for i, room := range rooms {
		list[i] = n.channel + room + "#"
	}
	return list
}

// Broadcast implements socketio.Adapter.
func (n *namespace) Broadcast(t socketio.Target, event socketio.Encoded) error {
	s := buffers.Get().(*buffer)
	defer s.release()
	s.b = appendBroadcast(s.b[:0], n.uid, n.local.Name(), t, event)
	if room, ok := single(t.Rooms); ok && !n.joined.lately(room) {
		return n.b.publish(s.b, n.channel, room, "#")
	}
	return n.b.publish(s.b, n.channel)
}

// single returns the room of a target that has one. A room that is given twice
// is one, as in the Set that Node has.
func single(rooms []string) (room string, ok bool) {
	for i, r := range rooms {
		if i > 0 && r != rooms[0] {
			return "", false
		}
	}
	if len(rooms) == 0 {
		return "", false
	}
	return rooms[0], true
}

// Join implements socketio.Adapter.
func (n *namespace) Join(t socketio.Target, rooms []string) error {
	if len(rooms) == 0 {
		return nil
	}
	n.joined.note(rooms)
	return n.ask(&request{Type: typeJoin, UID: n.uid, Opts: optsOf(t), Rooms: rooms})
}

// Leave implements socketio.Adapter.
func (n *namespace) Leave(t socketio.Target, rooms []string) error {
	if len(rooms) == 0 {
		return nil
	}
	return n.ask(&request{Type: typeLeave, UID: n.uid, Opts: optsOf(t), Rooms: rooms})
}

// Disconnect implements socketio.Adapter.
func (n *namespace) Disconnect(t socketio.Target, connection bool) error {
	return n.ask(&request{Type: typeDisconnect, UID: n.uid, Opts: optsOf(t), Close: &connection})
}

// ServerSideEmit implements socketio.Adapter.
func (n *namespace) ServerSideEmit(event socketio.Encoded) error {
	return n.ask(&request{Type: typeServerEvent, UID: n.uid, Data: plain(event)})
}

// ask publishes a request.
func (n *namespace) ask(r *request) error {
	text, err := encodeJSON(r)
	if err != nil {
		return err
	}
	return n.b.publish(text, n.request)
}

// Nodes implements socketio.Adapter.
func (n *namespace) Nodes(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, n.b.o.RequestTime)
	defer cancel()
	others, err := n.others(ctx)
	return 1 + others, err
}

// Rooms implements socketio.Adapter.
func (n *namespace) Rooms(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, n.b.o.RequestTime)
	defer cancel()
	p := newPending(typeRooms)
	err := n.wait(ctx, p, func() error {
		return n.ask(&request{Type: typeRooms, UID: n.uid, RequestID: p.id})
	})
	return p.rooms, err
}

// Fetch implements socketio.Adapter.
func (n *namespace) Fetch(ctx context.Context, t socketio.Target) ([]socketio.RemoteSocket, error) {
	ctx, cancel := context.WithTimeout(ctx, n.b.o.RequestTime)
	defer cancel()
	p := newPending(typeFetch)
	err := n.wait(ctx, p, func() error {
		return n.ask(&request{Type: typeFetch, UID: n.uid, RequestID: p.id, Opts: optsOf(t)})
	})
	return p.sockets, err
}

// ServerSideCall implements socketio.Adapter.
func (n *namespace) ServerSideCall(ctx context.Context, event socketio.Encoded, r socketio.Replies) error {
	p := newPending(typeServerEvent)
	p.replies = r
	data := plain(event)
	return n.wait(ctx, p, func() error {
		return n.ask(&request{Type: typeServerEvent, UID: n.uid, RequestID: p.id, Data: data})
	})
}

// Call implements socketio.Adapter.
func (n *namespace) Call(ctx context.Context, t socketio.Target, event socketio.Encoded, r socketio.Replies) error {
	timeout := n.b.o.AckTime
	if end, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(end), time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := newPending(typeClients)
	p.replies = r
	n.requests.add(p)
	defer n.requests.remove(p)
	// It leaves at once, in the order of the calls, and not after the nodes are counted.
	if err := n.b.publish(appendCall(nil, n.uid, p.id, n.local.Name(), t, timeout, event), n.request); err != nil {
		return err
	}
	others, err := n.others(ctx)
	if err != nil {
		return err
	}
	n.requests.expect(p, others)
	return n.await(ctx, p)
}

// wait counts the other nodes, asks them if there are any, and waits until all have
// answered.
func (n *namespace) wait(ctx context.Context, p *pending, ask func() error) error {
	n.requests.add(p)
	defer n.requests.remove(p)
	others, err := n.others(ctx)
	if err != nil {
		return err
	}
	n.requests.expect(p, others)
	if others > 0 {
		if err := ask(); err != nil {
			return err
		}
	}
	return n.await(ctx, p)
}

func (n *namespace) await(ctx context.Context, p *pending) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.over.Done():
		return errClosed
	}
}

// Close implements socketio.Adapter.
func (n *namespace) Close(ctx context.Context) error {
	n.end()
	n.b.remove(n)
	return errors.Join(n.b.pub.Flush(ctx), n.users.Close(ctx))
}

// maxCalls is how many requests of other nodes may be worked on at once.
const maxCalls = 10_000
