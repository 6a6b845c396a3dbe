package redisstreams

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// Streams connects the namespaces of one server with those of others. Its methods may be
// called from any goroutine.
type Streams struct {
	o          Options
	client     redis.UniversalClient
	publishers map[string]*redislink.Publisher // by stream
	subscriber *redislink.Subscriber
	readers    []*reader
	stop       context.CancelFunc // ends the readers
	work       sync.WaitGroup     // the readers
	probe      string             // a channel of this server alone

	received, refused, gaps atomic.Int64
	told                    atomic.Bool  // a message that was refused has been logged
	saved, unsaved          atomic.Int64 // sessions, with SurviveKill

	decoder nodewire.Decoder // the subscriber's goroutine has it

	mu       sync.RWMutex
	closed   bool
	spaces   map[string]*space // by namespace
	channels map[string]*space // by channel
}

var errReplicas = errors.New("redisstreams: the client reads from replicas")

// New makes a Streams on a client, whose options it uses to make connections of its own;
// the client itself it uses for sessions, for what clients have missed, and to count servers.
// The client must be a *redis.Client, which may be one for sentinels, or a *redis.ClusterClient
// that reads from masters, since a replica that is late would seem to have lost entries. It stays
// open until Close has returned. New does not wait for Redis; see Ready. Each server needs a
// Streams of its own.
func New(client redis.UniversalClient, options *Options) (*Streams, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := redislink.Check(client); err != nil {
		return nil, err
	}
	if c, ok := client.(*redis.ClusterClient); ok && c.Options().ReadOnly { // which the routing options set
		return nil, errReplicas
	}
	s := &Streams{
		o: o, client: client, publishers: make(map[string]*redislink.Publisher),
		spaces: make(map[string]*space), channels: make(map[string]*space),
	}
	s.probe = o.ChannelPrefix + "-probe#" + cluster.NewUID() + "#"
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var one *redislink.Publisher // one server takes all
	for _, name := range o.streams() {
		if _, ok := client.(*redis.ClusterClient); ok || one == nil {
			one = redislink.NewPublisher(s.dial(name), o.QueueBytes, o.Logger)
		}
		s.publishers[name] = one
		r := newReader(s, name)
		s.readers = append(s.readers, r)
		s.work.Go(func() { r.run(ctx) })
	}
	s.subscriber = redislink.NewSubscriber(redislink.SubscriberOptions{
		Dial:    func(ctx context.Context) (net.Conn, error) { return redislink.Dial(ctx, client) },
		Handler: (*handler)(s), MaxMessage: o.MaxMessage, Logger: o.Logger,
		Probe:   func() { _ = one.Send(redislink.AppendPublish(nil, nil, s.probe)) },
		Unheard: one.Reset, // it may be the one that is on the wrong side
	})
	s.subscriber.Subscribe(s.probe)
	return s, nil
}

// dial returns how to reach the server that has a stream.
func (s *Streams) dial(stream string) func(context.Context) (net.Conn, error) {
	again := false
	return func(ctx context.Context) (net.Conn, error) {
		if again { // it has failed, or the stream is elsewhere
			redislink.Moved(ctx, s.client)
		}
		again = true
		return redislink.DialKey(ctx, s.client, stream)
	}
}

// Adapter is the function for socketio.Options. It returns an error for a namespace that
// StreamCount does not allow.
func (s *Streams) Adapter(l *socketio.Local) (socketio.Adapter, error) {
	stream, err := s.o.stream(l.Name())
	if err != nil {
		return nil, err
	}
	return s.open(l, stream)
}

// reader returns the reader of a stream.
func (s *Streams) reader(stream string) *reader {
	return s.readers[slices.IndexFunc(s.readers, func(r *reader) bool { return r.name == stream })]
}

// page returns up to n entries of a stream, from one id to another.
func (s *Streams) page(ctx context.Context, stream, from, to string, n int) ([]redis.XMessage, error) {
	return redislink.Within(ctx, func(ctx context.Context) ([]redis.XMessage, error) {
		return s.client.XRangeN(ctx, stream, from, to, int64(n)).Result()
	})
}

// tell calls f for the eventLogs of a stream.
func (s *Streams) tell(stream string, f func(*eventLog)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sp := range s.spaces {
		if sp.log != nil && sp.log.reader.name == stream {
			f(sp.log)
		}
	}
}

// Ready waits until Redis can be reached, all streams are read, and all channels of the
// namespaces are subscribed to. From then on nothing of other servers is missed.
func (s *Streams) Ready(ctx context.Context) error {
	for _, r := range s.readers {
		select {
		case <-r.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, p := range s.distinct() {
		if err := p.Ready(ctx); err != nil {
			return err
		}
	}
	return s.subscriber.Sync(ctx)
}

// Stats counts what a Streams has done since New.
type Stats struct {
	Published int64 // messages, and sessions of clients, that Redis has taken
	// Dropped counts those that were not published, or perhaps not: the queue was full,
	// Redis has refused them, or the connection has ended before Redis had answered.
	Dropped  int64
	Received int64 // messages that came, without the own ones
	Refused  int64 // of these: broken, too large, or more than could be handled
	// Gaps counts how often messages of other servers may have been missed: the stream
	// was trimmed or lost before it was read, or the connection of the subscriptions has
	// ended.
	Gaps int64
}

// Stats returns the counters.
func (s *Streams) Stats() Stats {
	stats := Stats{Published: s.saved.Load(), Dropped: s.unsaved.Load(), Received: s.received.Load(), Refused: s.refused.Load(), Gaps: s.gaps.Load()}
	for _, p := range s.distinct() {
		published, dropped := p.Counts()
		stats.Published += published
		stats.Dropped += dropped
	}
	return stats
}

// distinct returns the publishers, each once.
func (s *Streams) distinct() (list []*redislink.Publisher) {
	for _, p := range s.publishers {
		if len(list) == 0 || list[0] != p {
			list = append(list, p)
		}
	}
	return list
}

// Close ends the connections, once what waits has been published. If ctx ends first it
// drops what is left and returns the error of ctx. Call it after Server.Shutdown.
func (s *Streams) Close(ctx context.Context) (err error) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, p := range s.distinct() {
		if e := p.Close(ctx); err == nil {
			err = e
		}
	}
	s.stop()
	s.subscriber.Close()
	s.work.Wait()
	return err
}

// A handler is a Streams as its subscriber has it.
type handler Streams

// Message implements redislink.Handler.
func (h *handler) Message(_, channel, payload []byte) {
	h.mu.RLock()
	to := h.channels[string(channel)]
	h.mu.RUnlock()
	if to == nil {
		return
	}
	namespace, m, err := h.decoder.Decode(payload)
	if err == nil && namespace != to.local.Name() {
		err = errNamespace
	}
	to.receive(nil, m, err)
}

// More implements redislink.Handler. What comes here is answered, and leaves at once.
func (h *handler) More(bool) {}

// Flush implements redislink.Handler.
func (h *handler) Flush() {}

// Lost implements redislink.Handler.
func (h *handler) Lost() {
	h.gaps.Add(1)
	h.told.Store(false)
}

// Refused implements redislink.Handler.
func (h *handler) Refused([]byte, int) {
	h.received.Add(1)
	(*Streams)(h).refuse(errLarge)
}

// refuse counts a message of another server that is not taken, and logs the first one of a connection.
func (s *Streams) refuse(err error) {
	s.refused.Add(1)
	if s.told.CompareAndSwap(false, true) {
		s.o.Logger.Warn("redis: a message of another server was refused", "error", err)
	}
}
