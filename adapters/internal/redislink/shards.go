package redislink

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

// ShardsOptions say what Shards do.
type ShardsOptions struct {
	Client     redis.UniversalClient
	QueueBytes int // bounds what waits for each server
	// Handler returns the Handler of a connection. What comes for one channel comes by one
	// connection at a time.
	Handler    func() Handler
	MaxMessage int    // the size of the largest message, in bytes
	Probe      string // a channel of this process alone
	Logger     *slog.Logger
}

// Shards are the connections for shard channels: a Publisher and a Subscriber for each
// server of a cluster, which has the channels of its slots. A server that is no cluster has
// them all. When slots move, or another server takes the place of one, the channels follow.
type Shards struct {
	o       ShardsOptions
	cluster *redis.ClusterClient // nil: there is one server
	look    chan struct{}        // channels may have moved
	ended   chan struct{}        // closed by run
	over    context.Context
	end     context.CancelFunc

	mu      sync.Mutex
	servers map[string]*server // by address
	wanted  map[string]*wanted // by channel
	known   chan struct{}      // closed once it is known which server has which channel
	early   []early            // what was published before
	bytes   int                // of early
	lost    int64              // of early, and of servers that are gone: dropped
	sent    int64              // of servers that are gone
	closed  bool
}

// A server has a part of the channels.
type server struct {
	pub *Publisher
	sub *Subscriber
}

// A wanted is a channel that is subscribed to.
type wanted struct {
	times int
	on    *server // nil: not known yet
}

// An early is a message that waits until it is known which server takes it.
type early struct {
	channel string
	command []byte
}

// NewShards makes Shards, which run until Close.
func NewShards(o ShardsOptions) *Shards {
	s := &Shards{
		o: o, look: make(chan struct{}, 1), ended: make(chan struct{}), known: make(chan struct{}),
		servers: make(map[string]*server), wanted: make(map[string]*wanted),
	}
	s.over, s.end = context.WithCancel(context.Background())
	if c, ok := o.Client.(*redis.ClusterClient); ok {
		s.cluster = c
		go s.run()
		return s
	}
	close(s.known)
	close(s.ended)
	one := s.newServer(func(ctx context.Context) (net.Conn, error) { return Dial(ctx, o.Client) })
	one.sub.Subscribe(o.Probe)
	s.servers[""] = one
	return s
}

func (s *Shards) newServer(dial func(context.Context) (net.Conn, error)) *server {
	v := new(server)
	v.pub = NewPublisher(dial, s.o.QueueBytes, s.o.Logger)
	probe, unheard := func() { v.sub.ping() }, func() {}
	if s.cluster == nil { // sentinels may have another server in mind, where publishing goes
		probe, unheard = func() { _ = v.pub.Send(AppendSPublish(nil, nil, s.o.Probe)) }, v.pub.Reset
	}
	v.sub = newSubscriber(SubscriberOptions{
		Dial: dial, Handler: watcher{s.o.Handler(), s}, MaxMessage: s.o.MaxMessage, Logger: s.o.Logger,
		Sharded: true, Probe: probe, Unheard: unheard,
	})
	go v.sub.run()
	return v
}

// A watcher is the Handler of a connection. When that has ended, its channels may have
// moved.
type watcher struct {
	Handler
	s *Shards
}

// Lost implements Handler.
func (w watcher) Lost() {
	w.Handler.Lost()
	w.s.Look()
}

// Look makes s look where the channels are.
func (s *Shards) Look() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// isKnown reports whether it is known where channels are.
func (s *Shards) isKnown() bool {
	select {
	case <-s.known:
		return true
	default:
		return false
	}
}

// Subscribe subscribes to channels. Each call is undone by one of Unsubscribe.
func (s *Shards) Subscribe(channels ...string) {
	known := s.isKnown()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, channel := range channels {
		w := s.wanted[channel]
		if w == nil {
			w = new(wanted)
			s.wanted[channel] = w
		}
		if w.times++; w.times == 1 && known {
			s.place(channel, w)
		}
	}
}

// Unsubscribe undoes Subscribe.
func (s *Shards) Unsubscribe(channels ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, channel := range channels {
		w := s.wanted[channel]
		if w == nil {
			continue
		}
		if w.times--; w.times == 0 {
			delete(s.wanted, channel)
			if w.on != nil {
				w.on.sub.Unsubscribe(channel)
			}
		}
	}
}

// Publish publishes on a channel a command that AppendSPublish has written for it, of which it
// keeps nothing. It never waits.
func (s *Shards) Publish(channel string, command []byte) error {
	known := s.isKnown()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.lost++
		return ErrClosed
	}
	if !known {
		if s.bytes+len(command) > s.o.QueueBytes {
			s.lost++
			return ErrFull
		}
		s.bytes += len(command)
		s.early = append(s.early, early{channel, append([]byte(nil), command...)})
		return nil
	}
	v := s.server(channel)
	if v == nil {
		s.lost++
		return ErrFull
	}
	return v.pub.Send(command)
}

// all returns the servers.
func (s *Shards) all() (list []*server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.servers {
		list = append(list, v)
	}
	return list
}

// Sync waits until all that was asked for before is subscribed to.
func (s *Shards) Sync(ctx context.Context) error {
	return s.each(ctx, func(v *server) error { return v.sub.Sync(ctx) })
}

// Ready waits until the servers can be reached, all channels are subscribed to, and what was
// published before has left.
func (s *Shards) Ready(ctx context.Context) error {
	err := s.each(ctx, func(v *server) error { return v.pub.Ready(ctx) })
	if err == nil {
		err = s.Sync(ctx)
	}
	if err == nil {
		err = s.Flush(ctx)
	}
	return err
}

// Flush waits until what was published before is answered or dropped.
func (s *Shards) Flush(ctx context.Context) error {
	return s.each(ctx, func(v *server) error { return v.pub.Flush(ctx) })
}

// each calls f for each server, once they are known.
func (s *Shards) each(ctx context.Context, f func(*server) error) error {
	select {
	case <-s.known:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.over.Done():
		return ErrClosed
	}
	for _, v := range s.all() {
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// Node returns the client of the server that has a channel.
func (s *Shards) Node(ctx context.Context, channel string) (*redis.Client, error) {
	if s.cluster == nil {
		return s.o.Client.(*redis.Client), nil
	}
	return s.cluster.MasterForKey(ctx, channel)
}

// Generation changes when the connection of a channel does. It is 0 while there is none.
func (s *Shards) Generation(channel string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.wanted[channel]; w != nil && w.on != nil {
		return w.on.sub.Generation()
	}
	return 0
}

// Counts returns how many messages Redis has taken, and how many were dropped; see
// Publisher.Counts.
func (s *Shards) Counts() (sent, dropped int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, dropped = s.sent, s.lost
	for _, v := range s.servers {
		a, b := v.pub.Counts()
		sent += a
		dropped += b
	}
	return sent, dropped
}

// Close sends what waits and ends the connections. If ctx ends first it drops what is left
// and returns the error of ctx.
func (s *Shards) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.lost += int64(len(s.early))
	s.early = nil
	s.mu.Unlock()
	s.end()
	<-s.ended
	var err error
	for _, v := range s.all() {
		if e := v.pub.Close(ctx); err == nil {
			err = e
		}
		v.sub.Close()
	}
	return err
}

// AppendSPublish is AppendPublish for a shard channel.
func AppendSPublish(b, payload []byte, parts ...string) []byte {
	return appendPublish(append(b, "*3\r\n$8\r\nSPUBLISH\r\n$"...), payload, parts)
}
