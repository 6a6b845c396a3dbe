package conn

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A connection that waits behind its first message costs the small stack of a
// goroutine, however much that message needed.
func TestHandleStack(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more stack")
	}
	const clients = 200
	s := &Server{Handle: func(ctx context.Context, c *Conn, _ *http.Request) func(Message) error {
		return func(m Message) error {
			descend(100)
			return c.Write(ctx, m.Type, m.Payload)
		}
	}}
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Shutdown(context.Background())
	ctx := context.Background()
	conns := make([]*Conn, clients)
	for i := range conns {
		c, _, err := Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		conns[i] = c
	}
	before := stacks()
	for _, c := range conns {
		c.Write(ctx, Text, nil)
		if _, _, err := c.Read(ctx); err != nil {
			t.Fatal(err)
		}
	}
	wantStacks(t, before, clients, 1<<10)
}

// A connection that has waited for so long that a Ping has been sent has no
// larger stack than one that has not.
func TestPingStack(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more stack")
	}
	const clients = 200
	s := &Server{
		Options: &AcceptOptions{Conn: Options{Limits: Limits{PingInterval: 500 * time.Millisecond, PingTimeout: -1}}},
		Serve: func(ctx context.Context, c *Conn, _ *http.Request) error {
			return c.Each(ctx, func(Message) error { return nil })
		},
	}
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Shutdown(context.Background())
	streams := make([]io.Reader, clients)
	for i := range streams {
		hs, _, err := handshake.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer hs.Conn.Close()
		streams[i] = io.MultiReader(bytes.NewReader(hs.Buffered), hs.Conn)
	}
	before := stacks()
	ping := append(frame.Header{Fin: true, Opcode: frame.Ping, Length: pingSize}.Append(nil), pingNumber(1).payload()...)
	for _, r := range streams {
		got := make([]byte, len(ping))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, ping) {
			t.Fatalf("got %x, %v; want a Ping", got, err)
		}
	}
	wantStacks(t, before, clients, 1<<10)
}

// An idle connection has one goroutine, on the smallest stack: 2 KiB. The frames of a
// read that waits fill that but for about 100 bytes.
func TestIdleStack(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more stack")
	}
	const clients = 200
	s := &Server{Serve: func(ctx context.Context, c *Conn, _ *http.Request) error {
		return c.Each(ctx, func(Message) error { return nil })
	}}
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Shutdown(context.Background())
	before := stacks()
	for range clients {
		hs, _, err := handshake.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer hs.Conn.Close()
	}
	wantStacks(t, before, clients, 3<<10)
}

// wantStacks fails the test unless so many connections come to wait with less than
// most bytes of stack more than before.
func wantStacks(t *testing.T, before uint64, conns int, most int64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		n := (int64(stacks()) - int64(before)) / int64(conns)
		if n < most {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d octets of stack more a connection", n)
		}
	}
}

// descend needs some stack.
//
//go:noinline
func descend(n int) int {
	var frame [8]int
	frame[n%8] = n
	if n > 0 {
		frame[0] += descend(n - 1)
	}
	return frame[n%8] + frame[0]
}

// stacks returns what goroutines take, behind a collection, from which on they
// begin with the size that those that wait need.
func stacks() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
