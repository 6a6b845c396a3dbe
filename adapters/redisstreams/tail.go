package redisstreams

import (
	"slices"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/socketio"
)

// A raw is an event in the stream.
type raw struct {
	id, uid string
	number  uint64 // 0: its server does not say
	data    []byte

	// Set by wanted:
	known  bool
	nobody bool // nobody who comes back gets it
	rooms  []string
	held   int // bytes of rooms, which count in the tail as well
}

// size is what e counts in Recovery.EventBytes.
func (e *raw) size() int { return len(e.data) + 128 }

// A tail is the last events of a namespace, for clients that come back. When a server among
// many clients is restarted they come back in a herd, and each of them has missed something of
// the same few seconds: reading these from Redis, and decoding them, once for each client would
// take longer than the clients have been away, while more of both pile up.
type tail struct {
	from  string // all events after this position are in the list; "": after reader.start
	list  []raw
	bytes int
}

// add adds an event. What is then too much or too old is dropped.
func (t *tail) add(e raw, r *socketio.Recovery) {
	t.list = append(t.list, e)
	t.bytes += e.size()
	now, _ := parts(e.id)
	for len(t.list) > 0 {
		first := &t.list[0]
		if at, _ := parts(first.id); t.bytes <= r.EventBytes && now-at <= uint64(r.MaxAge.Milliseconds()) {
			break
		}
		t.from, t.bytes = first.id, t.bytes-first.size()-first.held
		*first = raw{}
		t.list = t.list[1:]
	}
}

// wanted returns the events after a position that a session may want. Each event is decoded
// for the first client that comes back, and not again.
func (t *tail) wanted(d *nodewire.Decoder, s *socketio.Session, after string) (list []raw) {
	first, _ := slices.BinarySearchFunc(t.list, after, func(e raw, after string) int {
		if less(after, e.id) {
			return 1
		}
		return -1
	})
	for i := first; i < len(t.list); i++ {
		e := &t.list[i]
		if !e.known {
			m, err := d.DecodeData(cluster.Broadcast, e.uid, e.data)
			e.known, e.nobody = true, err != nil || m.Request != "" || m.Target.Flags.Volatile
			if !e.nobody {
				e.rooms = slices.Clone(m.Target.Rooms)
				for _, room := range e.rooms {
					e.held += 16 + len(room)
				}
				t.bytes += e.held
			}
		}
		if !e.nobody && wants(s, e.rooms) {
			list = append(list, *e)
		}
	}
	return list
}
