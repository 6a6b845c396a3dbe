package redisadapter

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A SubscriptionMode says which rooms have a shard channel of their own. All nodes must
// have the same. Node has them as the option subscriptionMode.
type SubscriptionMode int

const (
	// Dynamic, the default, gives all rooms a channel but those of sockets' ids, which are
	// known by their length of 20 characters. A node subscribes to the channels of rooms
	// that have a member there.
	Dynamic SubscriptionMode = iota
	// DynamicPrivate is Dynamic for the rooms of sockets' ids too. It is worth while if
	// most events go to single sockets.
	DynamicPrivate
	// Static has two channels for each namespace, whatever the rooms: every node reads
	// everything.
	Static
)

// ShardedOptions configure a Sharded. nil and the zero value are right for most; in every
// field zero is the default. All nodes must have the same Prefix and Mode.
type ShardedOptions struct {
	// Prefix begins the names of all channels: the option channelPrefix of the npm package.
	// Default "socket.io".
	Prefix string
	Mode   SubscriptionMode
	// RequestTime, AckTime, MaxMessage and Logger are those of Options.
	RequestTime time.Duration
	AckTime     time.Duration
	MaxMessage  int
	Logger      *slog.Logger
	// QueueBytes bounds what waits to be published, for each server of a cluster, while
	// that is away or slow. What comes then is dropped and counted. Default 16 MiB.
	QueueBytes int
}

func (o *ShardedOptions) withDefaults() ShardedOptions {
	if o == nil {
		o = new(ShardedOptions)
	}
	c := *o
	d := (&Options{
		Prefix: o.Prefix, RequestTime: o.RequestTime, AckTime: o.AckTime, MaxMessage: o.MaxMessage,
		Logger: o.Logger, QueueBytes: o.QueueBytes,
	}).withDefaults()
	c.Prefix, c.RequestTime, c.AckTime, c.MaxMessage, c.Logger, c.QueueBytes =
		d.Prefix, d.RequestTime, d.AckTime, d.MaxMessage, d.Logger, d.QueueBytes
	return c
}

// A Sharded connects the namespaces of a server with those of other servers by shard
// channels, which Redis has from version 7 on: each server of a Redis cluster carries only
// the channels of its slots. The messages are those of createShardedAdapter of
// @socket.io/redis-adapter, not those of a Broker: all nodes must use the same.
//
// A Broker's guarantees hold with one difference: on a Redis cluster, messages keep their
// order for each channel, which is a room or a namespace. When a slot moves to another
// server, or another server takes the place of one, channels follow within 5 s; what is
// published meanwhile may be missed, which Stats counts as Dropped and Gaps.
//
// The methods may be called from any goroutine.
type Sharded struct {
	o      ShardedOptions
	shards *redislink.Shards

	received, refused, gaps atomic.Int64

	mu     sync.RWMutex
	spaces map[string]*shard // by the namespace's name
	closed bool
}

// NewSharded makes a Sharded on a client, whose options it uses to make connections of its
// own: two to each server of a cluster. The client itself it uses to count nodes, and
// to find the servers. It neither waits nor fails if Redis is away; see Ready. The client
// must be a *redis.Client, which may be one for sentinels, or a *redis.ClusterClient,
// and stays open until Close has returned. A server needs a Sharded of its own.
func NewSharded(client redis.UniversalClient, o *ShardedOptions) (*Sharded, error) {
	if err := redislink.Check(client); err != nil {
		return nil, err
	}
	s := &Sharded{o: o.withDefaults(), spaces: make(map[string]*shard)}
	s.shards = redislink.NewShards(redislink.ShardsOptions{
		Client: client, QueueBytes: s.o.QueueBytes, MaxMessage: s.o.MaxMessage, Logger: s.o.Logger,
		Handler: func() redislink.Handler { return &shardReader{s: s} },
		Probe:   s.o.Prefix + "-probe#" + newUID() + "#",
	})
	return s, nil
}

// Adapter is for socketio.Options.
func (s *Sharded) Adapter(l *socketio.Local) (socketio.Adapter, error) {
	h := newShard(s, l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, redislink.ErrClosed
	}
	s.spaces[l.Name()] = h
	s.shards.Subscribe(h.public, h.own)
	if s.o.Mode == Static {
		return h.node, nil
	}
	return shardWatcher{h.node, h}, nil
}

// Ready waits until Redis can be reached, all channels are subscribed to, and what was
// published before has left.
func (s *Sharded) Ready(ctx context.Context) error { return s.shards.Ready(ctx) }

// Stats returns the counters.
func (s *Sharded) Stats() Stats {
	stats := Stats{Received: s.received.Load(), Refused: s.refused.Load(), Gaps: s.gaps.Load()}
	stats.Published, stats.Dropped = s.shards.Counts()
	return stats
}

// Close ends the connections, once what waits has been published. If ctx ends first it
// drops what is left and returns the error of ctx. Call it after Server.Shutdown.
func (s *Sharded) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.shards.Close(ctx)
}

// A shardReader takes what comes by one connection.
type shardReader struct {
	socketio.Batch
	s    *Sharded
	d    nodewire.Decoder
	told bool // of a refused message, since the connection was made
}

// Message implements redislink.Handler. The message names its namespace, which the
// channel only begins with.
func (r *shardReader) Message(_, channel, payload []byte) {
	s := r.s
	namespace, m, err := r.d.Decode(payload)
	if err == nil {
		s.mu.RLock()
		h := s.spaces[namespace]
		s.mu.RUnlock()
		switch {
		case h == nil:
			return // it has just ended
		case m.UID == h.node.UID():
			return
		case !strings.HasPrefix(string(channel), h.public):
			err = errNamespace
		default:
			err = h.node.Receive(&r.Batch, m)
		}
	}
	s.received.Add(1)
	if err != nil {
		r.refuse(channel, err)
	}
}

// refuse counts a message that is refused, and says so once for each connection.
func (r *shardReader) refuse(channel []byte, err error) {
	r.s.refused.Add(1)
	if !r.told {
		r.told = true
		r.s.o.Logger.Warn("socket.io: a message of another node is refused",
			"channel", strings.ToValidUTF8(string(channel[:min(len(channel), 200)]), "?"), "error", err)
	}
}

// Lost implements redislink.Handler.
func (r *shardReader) Lost() {
	r.s.gaps.Add(1)
	r.told = false
}

// Refused implements redislink.Handler.
func (r *shardReader) Refused(channel []byte, size int) {
	r.s.received.Add(1)
	r.refuse(channel, errSize)
}

// node returns the options of a namespace.
func (o *ShardedOptions) node() cluster.Options {
	return cluster.Options{RequestTime: o.RequestTime, AckTime: o.AckTime}
}
