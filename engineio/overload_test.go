package engineio

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/wstest"
)

// overload is how many messages pass each queue of this file: enough that an
// entry of it which is left behind for each shows.
func overload() int {
	if raceEnabled || testing.Short() {
		return 20_000
	}
	return 1_000_000
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // pools take two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// wantFlat runs f and checks that it has left no memory behind: less than a byte
// for each of a million messages.
func wantFlat(t *testing.T, f func()) {
	t.Helper()
	before := heapInUse()
	f()
	if took := heapInUse() - before; took > 1<<20 && !raceEnabled {
		t.Errorf("%d bytes are left behind", took)
	}
}

// newPolling returns a session on long-polling without a network.
func newPolling(t *testing.T, l Limits) *Session {
	t.Helper()
	l.PingInterval = 24 * time.Hour
	server, err := NewServer(func(*Session) Receiver { return nil }, &Options{Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), nil)
	t.Cleanup(func() { s.lose(closedHere) })
	return s
}

// A queue takes about as much memory as it counts, however small the messages
// are.
func TestQueueMemory(t *testing.T) {
	const most = 8 << 20
	for _, binary := range []bool{false, true} {
		s := newPolling(t, Limits{QueueBytes: most})
		before := heapInUse()
		n := most / (messageOverhead + 2) // with the type
		for range n {
			if err := s.Send(NewMessage([]byte("x"), binary)); err != nil {
				t.Fatal(err)
			}
		}
		if took := heapInUse() - before; took > most*5/4 && !raceEnabled {
			t.Errorf("%d messages take %d bytes, want about %d", n, took, most)
		}
		s.poll(time.Now())
		if s.queue != nil || s.queued != 0 {
			t.Errorf("%d messages of %d bytes are left", len(s.queue), s.queued)
		}
	}
}

// The buffer in which a large text was made is not kept.
func TestLargeTextMemory(t *testing.T) {
	for range 10 {
		NewMessage(make([]byte, 1<<20), false)
		b := texts.Get().(*[]byte)
		if cap(*b) > maxPooled {
			t.Fatalf("a buffer of %d bytes is kept", cap(*b))
		}
		texts.Put(b)
	}
}

// The buffer in which a text was made is used for the next one: a text takes no more allocations
// than a binary message, which needs no such buffer.
func TestTextAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("a pool drops some of what it is given")
	}
	data := make([]byte, 1000)
	text := testing.AllocsPerRun(100, func() { NewMessage(data, false) })
	if binary := testing.AllocsPerRun(100, func() { NewMessage(data, true) }); text > binary {
		t.Errorf("a text takes %v allocations, a binary message %v", text, binary)
	}
}

// A placed is a Reader that notes where the first bytes were put.
type placed struct {
	io.Reader
	first *byte
}

func (r *placed) Read(p []byte) (int, error) {
	if r.first == nil {
		r.first = &p[0]
	}
	return r.Reader.Read(p)
}

// A body of the length that was declared is never moved, up to 64 KiB.
func TestBodyStays(t *testing.T) {
	for _, length := range []int{1, 512, 600, 5000, 64 << 10} {
		in := &placed{Reader: strings.NewReader(strings.Repeat("x", length))}
		body, err := readAll(in, int64(length))
		if err != nil || len(body) != length {
			t.Fatalf("read %d bytes of %d, %v", len(body), length, err)
		}
		if &body[0] != in.first {
			t.Errorf("a body of %d bytes was moved", length)
		}
	}
}

// A client that takes messages as fast as they come, a few or many at a time.
func TestQueueSteady(t *testing.T) {
	s := newPolling(t, Limits{})
	m := NewMessage([]byte("x"), false)
	wantFlat(t, func() {
		for i := range overload() {
			if err := s.Send(m); err != nil {
				t.Fatal(err)
			}
			if i%1000 == 7 || i%1000 == 999 {
				s.poll(time.Now())
			}
		}
	})
	if len(s.queue) != 0 || s.queued != 0 {
		t.Errorf("%d messages of %d bytes are left", len(s.queue), s.queued)
	}
}

// Sessions and connections that come and go.
func TestSessionsSteady(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFlat(t, func() {
		for i := range overload() {
			id := fmt.Sprint(i)
			if !server.reserve(id) || server.reserve(id) {
				t.Fatal("an id that is not in use")
			}
			server.forget(id)
		}
		ended := make(chan bool)
		for range overload() / 100 {
			c, peer := wstest.Pipe(nil)
			server.run(c, func() {
				c.CloseNow()
				ended <- true
			})
			<-ended
			peer.CloseNow()
		}
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if len(server.sessions)+len(server.conns) != 0 {
		t.Errorf("%d sessions and %d connections are left", len(server.sessions), len(server.conns))
	}
}
