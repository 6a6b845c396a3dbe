package redisstreams

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

var errNamespace error = &parser.Error{Reason: "cluster message on another namespace's channel"}

// A space is a namespace as a cluster.Transport.
type space struct {
	s         *Streams
	local     *socketio.Local
	node      *cluster.Node
	publisher *redislink.Publisher
	public    string       // the channel of all servers
	own       string       // the channel for answers
	log       *eventLog    // nil unless clients may come back
	synced    atomic.Int64 // the connection on which both are subscribed to

	mu      sync.Mutex
	head    []byte // of the commands that add an entry
	counted []byte // the same with a number
	encoder nodewire.Encoder
	data    []byte // these two are memory
	command []byte
}

// open makes the adapter of a namespace.
func (s *Streams) open(l *socketio.Local, stream string) (socketio.Adapter, error) {
	uid := cluster.NewUID()
	sp := &space{s: s, local: l, publisher: s.publishers[stream], public: s.o.ChannelPrefix + "#" + l.Name() + "#"}
	sp.own = sp.public + uid + "#"
	sp.head, sp.counted = redislink.AppendCommand(nil, 14), redislink.AppendCommand(nil, 16)
	for _, word := range []string{"XADD", stream, "MAXLEN", "~", strconv.Itoa(s.o.MaxLen), "*", "uid", uid, "nsp", l.Name(), "type"} {
		sp.head, sp.counted = redislink.AppendWord(sp.head, word), redislink.AppendWord(sp.counted, word)
	}
	sp.node = cluster.New(uid, l, sp, s.o.node())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, redislink.ErrClosed
	}
	recovery, recovers := l.Recovery()
	if _, spread := s.client.(*redis.ClusterClient); spread && !s.o.SurviveKill {
		recovers = false // a session is on another server than the stream, and may come after the client
	}
	if recovers {
		sp.log = newEventLog(sp, s.reader(stream), recovery)
	}
	s.spaces[l.Name()] = sp
	s.channels[sp.public], s.channels[sp.own] = sp, sp
	s.subscriber.Subscribe(sp.public, sp.own)
	switch {
	case !recovers:
		return sp.node, nil
	case sp.log.lives != nil:
		return watchedLog{sp.log}, nil
	}
	return sp.log, nil
}

// Publish implements cluster.Transport. What is answered goes by publish and subscribe,
// the rest by the stream.
func (sp *space) Publish(m *cluster.Message) error {
	if m.Request != "" || m.Type == cluster.ServerEvent {
		return sp.publish(m, sp.public)
	}
	_, err := sp.add(m, 0)
	return err
}

// add adds an entry to the stream. With a number, unless that is 0, it returns the data of
// the entry too.
func (sp *space) add(m *cluster.Message, number uint64) (data []byte, err error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	defer sp.trim()
	if sp.data, err = sp.encoder.AppendData(sp.data[:0], m); err != nil {
		return nil, err
	}
	head := sp.head
	if number > 0 {
		head, data = sp.counted, bytes.Clone(sp.data)
	}
	b := append(sp.command[:0], head...)
	b = redislink.AppendWord(b, strconv.Itoa(int(m.Type)))
	if number > 0 {
		b = redislink.AppendWord(b, "n")
		b = redislink.AppendWord(b, strconv.FormatUint(number, 10))
	}
	b = redislink.AppendWord(b, "data")
	sp.command = redislink.AppendWord(b, sp.data)
	return data, sp.publisher.Send(sp.command)
}

// Send implements cluster.Transport.
func (sp *space) Send(to string, m *cluster.Message) error { return sp.publish(m, sp.public, to, "#") }

// publish sends m to the channel whose name the parts make together.
func (sp *space) publish(m *cluster.Message, channel ...string) (err error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	defer sp.trim()
	if sp.data, err = sp.encoder.Append(sp.data[:0], sp.local.Name(), m, true); err != nil {
		return err
	}
	sp.command = redislink.AppendPublish(sp.command[:0], sp.data, channel...)
	return sp.publisher.Send(sp.command)
}

// maxKept is how much memory is kept for commands, in bytes.
const maxKept = 64 << 10

// trim gives up memory that is seldom needed. Called with mu held.
func (sp *space) trim() {
	if cap(sp.command) > maxKept {
		sp.data, sp.command = nil, nil
	}
}

// Nodes implements cluster.Transport.
func (sp *space) Nodes(ctx context.Context) (int, []string, error) {
	s := sp.s
	if g := s.subscriber.Generation(); g == 0 || g != sp.synced.Load() {
		if err := s.subscriber.Sync(ctx); err != nil { // this server is one of them only then
			return 0, nil, err
		}
		sp.synced.Store(g)
	}
	all, err := redislink.Subscribers(ctx, s.client, sp.public)
	return max(all-1, 0), nil, err
}

// Close implements cluster.Transport.
func (sp *space) Close(ctx context.Context) error {
	s := sp.s
	s.mu.Lock()
	delete(s.channels, sp.own)
	if s.spaces[sp.local.Name()] == sp { // there may be a new one already
		delete(s.spaces, sp.local.Name())
		delete(s.channels, sp.public)
	}
	s.mu.Unlock()
	s.subscriber.Unsubscribe(sp.public, sp.own)
	return sp.publisher.Flush(ctx)
}

// receive takes a message of another server, or why there is none.
func (sp *space) receive(b *socketio.Batch, m *cluster.Message, err error) {
	if err == nil {
		if m.UID == sp.node.UID() {
			return
		}
		err = sp.node.Receive(b, m)
	}
	sp.s.received.Add(1)
	if err != nil {
		sp.s.refuse(err)
	}
}
