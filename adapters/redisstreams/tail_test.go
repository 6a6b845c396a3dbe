package redisstreams

import (
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/socketio"
)

// sent returns how many bytes Redis has sent.
func sent(t testing.TB, server *brokertest.Server) (n int) {
	t.Helper()
	info, err := server.Do("INFO", "stats")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(info.(string), "total_net_output_bytes:")
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Clients that come back in a herd, as when a server among many is restarted, cost Redis
// nothing for each event: each server has the last ones.
func TestHerd(t *testing.T) {
	const clients, events = 500, 2000
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{})
	here, there := f.node(), f.node()
	l := here.log()
	from := l.reader.start
	for i := range events {
		if err := there.io.To(fmt.Sprint("room ", i%clients)).Emit("e", strings.Repeat("x", 100)); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []*eventLog{l, there.log()} { // Redis sends to both
		until(t, "the events", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.tail.list) == events
		})
	}
	before, began := sent(t, server), time.Now()
	for i := range clients {
		s := socketio.Session{ID: fmt.Sprint(i), PID: fmt.Sprint(i), Rooms: []string{fmt.Sprint("room ", i)}, Connected: from, Lost: from}
		n := 0
		if err := l.Resume(soon(t), s, "", func(missed iter.Seq[socketio.Missed]) {
			for range missed {
				n++
			}
		}); err != nil || n != events/clients {
			t.Fatalf("client %d: %d events, %v", i, n, err)
		}
	}
	bytes := sent(t, server) - before
	t.Logf("%d clients came back to %d events in %v; Redis has sent %d bytes", clients, events, time.Since(began).Round(time.Millisecond), bytes)
	if bytes > 100*clients {
		t.Errorf("Redis has sent %d bytes for %d clients", bytes, clients)
	}
}

// A tail is bounded by size and by age, and knows where it begins.
func TestTail(t *testing.T) {
	var d nodewire.Decoder
	data := func(room string) []byte {
		return []byte(`{"packet":{"type":2,"data":["e"],"nsp":"/"},"opts":{"rooms":["` + room + `"],"except":[],"flags":{}}}`)
	}
	size := (&raw{data: data("a")}).size()
	r := &socketio.Recovery{MaxAge: time.Second, EventBytes: 3 * (size + 17)} // 17: a room, once it is known
	a, b := &socketio.Session{Rooms: []string{"a"}}, &socketio.Session{Rooms: []string{"b"}}
	tl := tail{from: "900-0"}
	for _, tt := range []struct {
		ms          uint64
		room        string
		from        string
		all         int
		after       string
		wantA, want int // of a, and of b
	}{
		{1000, "a", "900-0", 1, "900-0", 1, 0},
		{1001, "b", "900-0", 2, "900-0", 1, 1},
		{1002, "a", "900-0", 3, "1000-0", 1, 1},
		{1003, "a", "1000-0", 3, "1002-0", 1, 0}, // too many bytes
		{2002, "b", "1001-0", 3, "1001-0", 2, 1}, // 1001 is too old
		{9000, "b", "2002-0", 1, "2002-0", 0, 1},
	} {
		tl.add(raw{id: format(tt.ms, 0), uid: "0123456789abcdef", data: data(tt.room)}, r)
		if tl.from != tt.from || len(tl.list) != tt.all || tl.bytes != held(&tl) {
			t.Errorf("at %d: from %s, %d events, %d bytes", tt.ms, tl.from, len(tl.list), tl.bytes)
		}
		if gotA, got := len(tl.wanted(&d, a, tt.after)), len(tl.wanted(&d, b, tt.after)); gotA != tt.wantA || got != tt.want {
			t.Errorf("at %d: after %s %d and %d", tt.ms, tt.after, gotA, got)
		}
	}
}

// held returns what the events of a tail count.
func held(t *tail) (n int) {
	for i := range t.list {
		n += t.list[i].size() + t.list[i].held
	}
	return n
}

// The rooms of an event count as well, once it was decoded for somebody: many short names take
// more than the event did.
func TestTailRooms(t *testing.T) {
	var d nodewire.Decoder
	rooms := strings.TrimSuffix(strings.Repeat(`"a",`, 1000), ",")
	data := []byte(`{"packet":{"type":2,"data":["e"],"nsp":"/"},"opts":{"rooms":[` + rooms + `],"except":[],"flags":{}}}`)
	r := &socketio.Recovery{MaxAge: time.Minute, EventBytes: 15_000}
	tl := tail{from: "900-0"}
	for i := range uint64(2) {
		tl.add(raw{id: format(1000+i, 0), uid: "0123456789abcdef", data: data}, r)
	}
	if got := len(tl.wanted(&d, &socketio.Session{Rooms: []string{"a"}}, "900-0")); got != 2 || tl.bytes < 2*17_000 || tl.bytes != held(&tl) {
		t.Fatalf("%d events of %d bytes", got, tl.bytes)
	}
	tl.add(raw{id: format(1002, 0), uid: "0123456789abcdef", data: data}, r)
	if len(tl.list) != 1 || tl.bytes != held(&tl) || tl.from != "1001-0" {
		t.Errorf("%d events of %d bytes are left, after %s", len(tl.list), tl.bytes, tl.from)
	}
}
