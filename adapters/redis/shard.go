package redisadapter

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

var errSize error = &parser.Error{Reason: "message is larger than MaxMessage"}

// A shard is a namespace of a Sharded, as a cluster.Transport.
type shard struct {
	s      *Sharded
	local  *socketio.Local
	node   *cluster.Node
	public string // the channel of the namespace; those of rooms follow it
	own    string // the channel for answers
	joined joined
	synced atomic.Int64 // the connection on which public is subscribed to

	roomsMu sync.Mutex
	rooms   map[string]bool // channels of rooms that are subscribed to; nil: closed

	mu      sync.Mutex // guards what follows, and keeps the order of messages
	encoder nodewire.Encoder
	data    []byte
	command []byte
}

func newShard(s *Sharded, l *socketio.Local) *shard {
	uid := cluster.NewUID()
	h := &shard{s: s, local: l, public: s.o.Prefix + "#" + l.Name() + "#", rooms: make(map[string]bool)}
	h.own = h.public + uid + "#"
	h.node = cluster.New(uid, l, h, s.o.node())
	return h
}

// A shardWatcher is the adapter of a namespace whose rooms have channels.
type shardWatcher struct {
	*cluster.Node
	h *shard
}

// RoomsChanged implements socketio.RoomWatcher.
func (w shardWatcher) RoomsChanged(opened, closed []string) {
	h := w.h
	h.roomsMu.Lock()
	defer h.roomsMu.Unlock()
	if h.rooms == nil {
		return // closed
	}
	on, off := h.channels(opened), h.channels(closed)
	for _, channel := range on {
		h.rooms[channel] = true
	}
	for _, channel := range off {
		delete(h.rooms, channel)
	}
	h.s.shards.Subscribe(on...)
	h.s.shards.Unsubscribe(off...)
}

// channels returns the channels of those rooms that have one.
func (h *shard) channels(rooms []string) (list []string) {
	for _, room := range rooms {
		if h.s.o.Mode.hasChannel(room) {
			list = append(list, h.public+room+"#")
		}
	}
	return list
}

// idLength is how long a socket's id is. It is how Node tells rooms of ids from others.
const idLength = 20

// hasChannel reports whether a room has a channel of its own.
func (m SubscriptionMode) hasChannel(room string) bool {
	return m == DynamicPrivate || m == Dynamic && len(room) != idLength
}

// channel returns the channel of a message to all nodes. Events that ask for
// acknowledgements are for all, since each node says how many it will give.
func (h *shard) channel(m *cluster.Message) string {
	if m.Type == cluster.Broadcast && m.Request == "" {
		if room, ok := single(m.Target.Rooms); ok && h.s.o.Mode.hasChannel(room) && !h.joined.lately(room) {
			return h.public + room + "#"
		}
	}
	return h.public
}

// Publish implements cluster.Transport.
func (h *shard) Publish(m *cluster.Message) error {
	if m.Type == cluster.Join && h.s.o.Mode != Static {
		h.joined.note(m.Rooms)
	}
	return h.publish(h.channel(m), m)
}

// Send implements cluster.Transport.
func (h *shard) Send(to string, m *cluster.Message) error { return h.publish(h.public+to+"#", m) }

func (h *shard) publish(channel string, m *cluster.Message) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.data, err = h.encoder.Append(h.data[:0], h.local.Name(), m, false); err != nil {
		return err
	}
	h.command = redislink.AppendSPublish(h.command[:0], h.data, channel)
	err = h.s.shards.Publish(channel, h.command)
	if cap(h.command) > maxPooled {
		h.data, h.command = nil, nil
	}
	return err
}

// Nodes implements cluster.Transport.
func (h *shard) Nodes(ctx context.Context) (int, []string, error) {
	shards := h.s.shards
	if g := shards.Generation(h.public); g == 0 || g != h.synced.Load() {
		if err := shards.Sync(ctx); err != nil { // this node is one of them only then
			return 0, nil, err
		}
		h.synced.Store(g)
	}
	node, err := shards.Node(ctx, h.public)
	if err != nil {
		return 0, nil, err
	}
	counts, err := redislink.Within(ctx, func(ctx context.Context) (map[string]int64, error) {
		return node.PubSubShardNumSub(ctx, h.public).Result()
	})
	return max(int(counts[h.public])-1, 0), nil, err
}

// Close implements cluster.Transport.
func (h *shard) Close(ctx context.Context) error {
	s := h.s
	s.mu.Lock()
	if s.spaces[h.local.Name()] == h { // there may be a new one already
		delete(s.spaces, h.local.Name())
	}
	s.mu.Unlock()
	s.shards.Unsubscribe(h.public, h.own)
	h.roomsMu.Lock()
	s.shards.Unsubscribe(slices.Collect(maps.Keys(h.rooms))...)
	h.rooms = nil
	h.roomsMu.Unlock()
	return s.shards.Flush(ctx)
}
