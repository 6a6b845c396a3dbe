package redisadapter

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A Broker connects the namespaces of a server with those of other servers. Its methods
// may be called from any goroutine.
type Broker struct {
	client redis.UniversalClient
	o      Options
	pub    *redislink.Publisher
	sub    *redislink.Subscriber
	probe  string // a channel of this Broker alone

	received, refused, gaps atomic.Int64
	told                    atomic.Bool // of a refused message, since the connection was made

	mu       sync.RWMutex
	spaces   map[string]*namespace // by the namespace's name
	patterns map[string]*namespace // by the pattern
	closed   bool

	in intake // the subscriber's goroutine's
}

// New makes a Broker on a client, whose options it uses to make two connections of its
// own; the client itself it uses to count nodes. It neither waits nor fails if Redis is
// away; see Ready. The client must be a *redis.Client, which may be one for sentinels, or a
// *redis.ClusterClient, and stays open until Close has returned. A server needs a
// Broker of its own.
func New(client redis.UniversalClient, o *Options) (*Broker, error) {
	if err := redislink.Check(client); err != nil {
		return nil, err
	}
	b := &Broker{
		client: client, o: o.withDefaults(),
		spaces: make(map[string]*namespace), patterns: make(map[string]*namespace),
	}
	b.probe = b.o.Prefix + "-probe#" + newUID() + "#"
	b.in.b = b
	dial := func(ctx context.Context) (net.Conn, error) { return redislink.Dial(ctx, client) }
	b.pub = redislink.NewPublisher(dial, b.o.QueueBytes, b.o.Logger)
	b.sub = redislink.NewSubscriber(redislink.SubscriberOptions{
		Dial: dial, Handler: &b.in, MaxMessage: b.o.MaxMessage, Logger: b.o.Logger,
		Probe:   func() { _ = b.publish(nil, b.probe) },
		Unheard: b.pub.Reset, // it may be the one that is on the wrong side
	})
	b.sub.Subscribe(b.probe)
	return b, nil
}

// Adapter is for socketio.Options.
func (b *Broker) Adapter(l *socketio.Local) (socketio.Adapter, error) {
	n := newNamespace(b, l)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, redislink.ErrClosed
	}
	b.spaces[l.Name()] = n
	b.sub.Subscribe(n.request, n.response, n.own)
	if b.o.Pattern {
		b.patterns[n.pattern] = n
		b.sub.PSubscribe(n.pattern)
		return n, nil
	}
	b.sub.Subscribe(n.channel)
	return &watcher{n}, nil
}

// remove undoes Adapter.
func (b *Broker) remove(n *namespace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spaces[n.local.Name()] == n {
		delete(b.spaces, n.local.Name())
	}
	b.sub.Unsubscribe(n.request, n.response, n.own)
	if !b.o.Pattern {
		b.sub.Unsubscribe(n.channel)
		return
	}
	if b.patterns[n.pattern] == n {
		delete(b.patterns, n.pattern)
	}
	b.sub.PUnsubscribe(n.pattern)
}

// Ready waits until Redis can be reached, all namespaces are subscribed to, and what was
// published before has left.
func (b *Broker) Ready(ctx context.Context) error {
	if err := b.sub.Sync(ctx); err != nil {
		return err
	}
	if err := b.pub.Ready(ctx); err != nil {
		return err
	}
	return b.pub.Flush(ctx)
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	s := Stats{Received: b.received.Load(), Refused: b.refused.Load(), Gaps: b.gaps.Load()}
	s.Published, s.Dropped = b.pub.Counts()
	return s
}

// Close ends the connections, once what waits has been published. If ctx ends first it
// drops what is left and returns the error of ctx. Call it after Server.Shutdown.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	err := b.pub.Close(ctx)
	b.sub.Close()
	return err
}

// publish queues a message for the channel whose name the parts make together.
func (b *Broker) publish(payload []byte, parts ...string) error {
	s := buffers.Get().(*buffer)
	defer s.release()
	s.b = redislink.AppendPublish(s.b[:0], payload, parts...)
	return b.pub.Send(s.b)
}

// buffers holds memory for encoding.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

type buffer struct{ b []byte }

// maxPooled is the size of the largest buffer that is kept, in bytes.
const maxPooled = 64 << 10

func (b *buffer) release() {
	if cap(b.b) <= maxPooled {
		buffers.Put(b)
	}
}

// others returns how many other nodes have the namespace: those that have subscribed to its
// channel of requests.
func (n *namespace) others(ctx context.Context) (int, error) {
	b := n.b
	if g := b.sub.Generation(); g == 0 || g != n.synced.Load() {
		if err := b.sub.Sync(ctx); err != nil { // this node is one of them only then
			return 0, err
		}
		n.synced.Store(g)
	}
	all, err := redislink.Subscribers(ctx, b.client, n.request)
	return max(all-1, 0), err
}

// escaper escapes what has a meaning in a pattern of Redis.
var escaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// errClosed is the error of requests that wait when the namespace is closed.
var errClosed = errors.New("socket.io: adapter is closed")
