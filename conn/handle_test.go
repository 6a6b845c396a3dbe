package conn

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// goroutine returns the name of the one that calls it.
func goroutine() string {
	b := make([]byte, 64)
	name, _, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), " [")
	return name
}

// A fresh goroutine goes on behind the first message, and when the watch looks
// behind others; between those it is the same one.
func TestHandleMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := New(&handshake.Result{Conn: ours}, RoleClient, nil)
		go io.Copy(io.Discard, theirs)
		s := &Server{}
		s.add(c)
		var by []string
		go s.receive(c, func(Message) error {
			by = append(by, goroutine())
			return nil
		}, true)
		for range 4 {
			if len(by) == 3 {
				<-time.After(30 * time.Second)
			}
			theirs.Write(frame.Header{Fin: true, Opcode: frame.Text}.Append(nil))
			synctest.Wait()
		}
		if len(by) != 4 || by[0] == by[1] || by[1] != by[2] || by[2] == by[3] {
			t.Errorf("handled by %q", by)
		}
		theirs.Close()
		synctest.Wait()
		if len(s.conns) != 0 {
			t.Error("the connection is over, and the server does not know")
		}
	})
}

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
			return c.Write(ctx, m.Opcode, m.Payload)
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
	stacks()
	before := stacks()
	for _, c := range conns {
		c.Write(ctx, frame.Text, nil)
		if _, _, err := c.Read(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// Without the move each takes at least 2 KiB more.
	for deadline := time.Now().Add(20 * time.Second); stacks() > before+clients<<10; {
		if time.Now().After(deadline) {
			t.Fatalf("%d octets of stack more a connection", (stacks()-before)/clients)
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

// stacks returns what goroutines take.
func stacks() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
