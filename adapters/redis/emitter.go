package redisadapter

import (
	"context"
	"net"
	"slices"
	"strings"

	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// An Emitter sends events to the sockets of all servers from a process that has none: the
// npm package @socket.io/redis-emitter, with the same messages. It is an immutable value,
// which may be kept and refined, from any goroutine:
//
//	e.Of("/admin").To("a").Except("b").Emit("event")
//
// Its methods don't wait for Redis; see Broker for what becomes of events meanwhile.
type Emitter struct {
	c         *emitterConn
	namespace string
	t         socketio.Target
}

// emitterConn is what the Emitters of one connection share.
type emitterConn struct {
	o      Options
	pub    *redislink.Publisher
	joined joined // rooms after the namespaces' channels
}

// emitterUID is the uid of all emitters.
const emitterUID = "emitter"

// NewEmitter makes an Emitter for the namespace "/" and everybody in it. Of the options
// Prefix, QueueBytes and Logger count. The client must be one as for New, and stays open
// until Close has returned.
func NewEmitter(client redis.UniversalClient, o *Options) (Emitter, error) {
	if err := redislink.Check(client); err != nil {
		return Emitter{}, err
	}
	c := &emitterConn{o: o.withDefaults()}
	dial := func(ctx context.Context) (net.Conn, error) { return redislink.Dial(ctx, client) }
	c.pub = redislink.NewPublisher(dial, c.o.QueueBytes, c.o.Logger)
	return Emitter{c: c, namespace: "/"}, nil
}

// Of addresses the sockets of another namespace. A name without a slash gets one.
func (e Emitter) Of(namespace string) Emitter {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	e.namespace = namespace
	return e
}

// To addresses the sockets in any of the rooms, in addition to those in rooms that e
// addresses already.
func (e Emitter) To(rooms ...string) Emitter {
	e.t.Rooms = slices.Concat(e.t.Rooms, rooms)
	return e
}

// In is the same as To.
func (e Emitter) In(rooms ...string) Emitter { return e.To(rooms...) }

// Except leaves out the sockets in any of the rooms.
func (e Emitter) Except(rooms ...string) Emitter {
	e.t.Except = slices.Concat(e.t.Except, rooms)
	return e
}

// Volatile drops the event for each socket to which it can't leave at once.
func (e Emitter) Volatile() Emitter {
	e.t.Flags.Volatile = true
	return e
}

// Compress says whether the event may be compressed, which by default it may.
func (e Emitter) Compress(on bool) Emitter {
	e.t.Flags.Uncompress = !on
	return e
}

// Emit sends an event. A []byte anywhere in args travels as binary. It returns an error
// if args can't be encoded, if the name is reserved, if servers would refuse the event (see
// socketio.Emitter.Emit), or if too much waits for Redis.
func (e Emitter) Emit(event string, args ...any) error {
	encoded, err := socketio.EncodeEvent(event, args...)
	if err != nil {
		return err
	}
	s := buffers.Get().(*buffer)
	defer s.release()
	s.b = appendBroadcast(s.b[:0], emitterUID, e.namespace, e.t, encoded)
	channel := e.c.o.Prefix + "#" + e.namespace + "#"
	if room, ok := single(e.t.Rooms); ok && !e.c.joined.lately(channel+room) {
		return e.c.publish(s.b, channel, room, "#")
	}
	return e.c.publish(s.b, channel)
}

// SocketsJoin makes the addressed sockets join rooms.
func (e Emitter) SocketsJoin(rooms ...string) error {
	if len(rooms) == 0 {
		return nil
	}
	noted := make([]string, len(rooms))
	for i, room := range rooms {
		noted[i] = e.c.o.Prefix + "#" + e.namespace + "#" + room
	}
	e.c.joined.note(noted)
	return e.ask(&request{Type: typeJoin, Opts: optsOf(e.t), Rooms: rooms})
}

// SocketsLeave makes the addressed sockets leave rooms.
func (e Emitter) SocketsLeave(rooms ...string) error {
	if len(rooms) == 0 {
		return nil
	}
	return e.ask(&request{Type: typeLeave, Opts: optsOf(e.t), Rooms: rooms})
}

// DisconnectSockets makes the addressed sockets leave the namespace. If connection is set
// it closes their connections instead.
func (e Emitter) DisconnectSockets(connection bool) error {
	return e.ask(&request{Type: typeDisconnect, Opts: optsOf(e.t), Close: &connection})
}

// ServerSideEmit sends an event to all servers; see socketio.Namespace.OnServerEvent.
func (e Emitter) ServerSideEmit(event string, args ...any) error {
	encoded, err := socketio.EncodeEvent(event, args...)
	if err != nil {
		return err
	}
	return e.ask(&request{Type: typeServerEvent, UID: emitterUID, Data: plain(encoded)})
}

// ask publishes a request.
func (e Emitter) ask(r *request) error {
	text, err := encodeJSON(r)
	if err != nil {
		return err
	}
	return e.c.publish(text, e.c.o.Prefix, "-request#", e.namespace, "#")
}

func (c *emitterConn) publish(payload []byte, parts ...string) error {
	s := buffers.Get().(*buffer)
	defer s.release()
	s.b = redislink.AppendPublish(s.b[:0], payload, parts...)
	return c.pub.Send(s.b)
}

// Flush waits until Redis has taken what was sent before, or until that was dropped.
func (e Emitter) Flush(ctx context.Context) error { return e.c.pub.Flush(ctx) }

// Stats returns the counters of the connection.
func (e Emitter) Stats() Stats {
	var s Stats
	s.Published, s.Dropped = e.c.pub.Counts()
	return s
}

// Close ends the connection, which e shares with what it was made from and with what was
// made from it, once what waits has been published. If ctx ends first it drops what
// is left and returns the error of ctx.
func (e Emitter) Close(ctx context.Context) error { return e.c.pub.Close(ctx) }
