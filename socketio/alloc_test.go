package socketio

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// A member is a client that throws away what it gets, and its connection in
// the server.
type member struct {
	socket *Socket
	client *conn.Conn
}

// members returns a server and n clients on WebSocket over TCP, where a message
// is tried without blocking: over a pipe each would start a goroutine.
func members(tb testing.TB, n int) (*Server, []member) {
	s := newServer(tb, &Options{Logger: slog.New(slog.DiscardHandler), Engine: engineio.Options{Limits: engineio.Limits{PingInterval: time.Hour}}})
	joined := make(chan *Socket, 1)
	s.OnConnect(func(c *Socket) { joined <- c })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	web := &http.Server{Handler: s}
	go web.Serve(l)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Shutdown(ctx)
		web.Close()
	})
	list := make([]member, n)
	for i := range list {
		c, _, err := conn.Dial(context.Background(), "ws://"+l.Addr().String()+"/socket.io/?EIO=4&transport=websocket",
			&conn.DialOptions{Conn: conn.Options{Limits: conn.Limits{PingInterval: -1}}})
		if err != nil {
			tb.Fatal(err)
		}
		go c.Each(context.Background(), func(conn.Message) error { return nil })
		c.Write(context.Background(), conn.Text, []byte("40"))
		list[i] = member{<-joined, c}
	}
	return s, list
}

// A broadcast to a hundred costs what one to a single recipient does, and the
// slice that lists them: nothing is a recipient's own.
func TestBroadcastAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled buffers at random")
	}
	cost := func(n int) float64 {
		s, _ := members(t, n)
		text := strings.Repeat("x", 100)
		return testing.AllocsPerRun(200, func() { s.Emit("message", text) })
	}
	one, hundred := cost(1), cost(100)
	if hundred > one+1 {
		t.Errorf("%v allocations for a broadcast to one socket, %v to 100", one, hundred)
	}
	if one > 7 {
		t.Errorf("%v allocations for a broadcast, want 7 at most", one)
	}
}

// An event that nobody here gets, of this node or of another one, costs nothing but what the
// caller's argument takes.
func TestEmitToNobodyAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled buffers at random")
	}
	s := newServer(t, nil)
	args := []any{"text"}
	if got := testing.AllocsPerRun(500, func() { s.To("nobody").Emit("e", args...) }); got > 1 { // the list of rooms
		t.Errorf("%v allocations for an event", got)
	}
	l := &Local{s.Of("/")}
	to, event := Target{Rooms: []string{"nobody"}}, Encoded{Data: []byte(`["e","text"]`)}
	if got := testing.AllocsPerRun(500, func() { l.Broadcast(to, event) }); got > 0 {
		t.Errorf("%v allocations for an event of another node", got)
	}
}

// An event costs its emission, and its message with the frame and bytes of that, whatever
// precedes its JSON: the memory in which it is encoded is used again, and nothing is moved.
func TestEncodingAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled buffers at random")
	}
	w := &newServer(t, nil).wire
	args, id := []any{strings.Repeat("x", 100)}, uint64(7)
	for _, namespace := range []string{"/", "/chat"} {
		for _, id := range []*uint64{nil, &id} {
			got := testing.AllocsPerRun(500, func() { w.newEvent(namespace, "message", args, id, Flags{}) })
			if got > 4 {
				t.Errorf("%s, with an id: %t: %v allocations for an event, want 4 at most", namespace, id != nil, got)
			}
		}
	}
}

// Recipients that are used again hold none of the sessions and sockets that they were.
func TestRecipientsHoldNothing(t *testing.T) {
	s, list := members(t, 2)
	enc, err := s.wire.newEvent("/", "e", nil, nil, Flags{})
	if err != nil {
		t.Fatal(err)
	}
	r := recipients{sockets: []*Socket{list[0].socket, list[1].socket}}
	r.send(enc, false, nil)
	for _, session := range r.sessions[:cap(r.sessions)] {
		if session != nil {
			t.Error("a session stays in memory")
		}
	}
	for range 20 { // the pool may drop a list, or hand out another one
		if err := s.Emit("e"); err != nil {
			t.Fatal(err)
		}
		again := lists.Get().(*recipients)
		for _, socket := range again.sockets[:cap(again.sockets)] {
			if socket != nil {
				t.Fatal("a socket stays in memory")
			}
		}
	}
}

// A batch that has held back events for thousands of sessions keeps the memory for a few
// hundred: an adapter has its batches for as long as it lives.
func TestBatchMemory(t *testing.T) {
	sessions := make([]*engineio.Session, maxSent)
	for i := range sessions {
		sessions[i] = new(engineio.Session)
	}
	batches := make([]Batch, 50)
	before := heapInUse()
	for i := range batches {
		b := &batches[i]
		for part := range slices.Chunk(sessions, maxRoom) {
			b.More(true)
			b.hold(part)
		}
		if len(b.held) != len(sessions) {
			t.Fatalf("%d of %d sessions are held", len(b.held), len(sessions))
		}
		b.Flush()
	}
	each := (heapInUse() - before) / int64(len(batches))
	if most := int64(keptHeld * 128); each > most {
		t.Errorf("a batch keeps %d bytes, want %d at most", each, most)
	}
	runtime.KeepAlive(sessions)
	runtime.KeepAlive(batches)
}

// A received event costs its Event and the user's value: what points to it, and
// its text. Without arguments it costs its Event.
func TestEventAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled buffers at random")
	}
	_, list := members(t, 1)
	s := list[0].socket
	done := make(chan struct{})
	On(s, "message", func(context.Context, string) error {
		done <- struct{}{}
		return nil
	})
	s.OnEvent("args", func(e *Event) error {
		_, err := e.Args()
		done <- struct{}{}
		return err
	})
	for _, tt := range []struct {
		packet string
		most   float64
	}{{`2["message","hello, how are you?"]`, 3}, {`2["args"]`, 1}} {
		packet := []byte(tt.packet)
		got := testing.AllocsPerRun(500, func() {
			s.conn.Message(packet, false)
			<-done
		})
		if got > tt.most {
			t.Errorf("%s costs %v allocations, want %v at most", packet, got, tt.most)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	_, list := members(b, 1)
	s := list[0].socket
	done := make(chan struct{})
	On(s, "message", func(context.Context, string) error {
		done <- struct{}{}
		return nil
	})
	packet := []byte(`2["message","hello, how are you?"]`)
	b.ReportAllocs()
	for b.Loop() {
		s.conn.Message(packet, false)
		<-done
	}
}

// Nanoseconds a recipient.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _ := members(b, n)
			text := strings.Repeat("x", 100)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Emit("message", text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/recipient")
		})
	}
}

// Finding the recipients alone.
func BenchmarkSelect(b *testing.B) {
	r := newRooms()
	for i := range 1000 {
		s := &Socket{id: fmt.Sprint(i)}
		r.add(s, func() {})
		if err := r.join(s, []string{"a", fmt.Sprint("b", i%10)}, 100); err != nil {
			b.Fatal(err)
		}
	}
	for _, bb := range []struct {
		name string
		t    Target
	}{
		{"all", Target{}},
		{"room", Target{Rooms: []string{"a"}}},
		{"rooms but one", Target{Rooms: []string{"a", "b1"}, Except: []string{"7"}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var list []*Socket
			b.ReportAllocs()
			for b.Loop() {
				list = r.selected(list[:0], &bb.t)
			}
			fmt.Fprint(io.Discard, len(list))
		})
	}
}
