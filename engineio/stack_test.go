package engineio_test

import (
	"context"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
)

// A deep receiver needs some stack for a message.
type deep struct{ s *engineio.Session }

func (d deep) Message(data []byte, binary bool) {
	if descend(100) > 0 {
		d.s.Send(engineio.NewMessage(data, binary))
	}
}

func (deep) Closed(engineio.Reason) {}

//go:noinline
func descend(n int) int {
	var frame [8]int
	frame[n%8] = n
	if n > 0 {
		frame[0] += descend(n - 1)
	}
	return frame[n%8] + frame[0]
}

// A client that waits behind its first message, or behind a heartbeat, costs
// the small stack of a goroutine, however much its messages needed.
func TestIdleStack(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more stack")
	}
	const clients = 400
	server := engineio.NewServer(func(s *engineio.Session) engineio.Receiver { return deep{s} },
		&engineio.Options{Limits: engineio.Limits{PingInterval: 300 * time.Millisecond}})
	web := httptest.NewServer(server)
	defer web.Close()
	defer server.Shutdown(context.Background())
	ctx := context.Background()
	before := stacks()
	conns := make([]*conn.Conn, clients)
	for i := range conns {
		c, _, err := conn.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http")+"/engine.io/?EIO=4&transport=websocket",
			&conn.DialOptions{Conn: conn.Options{Limits: conn.Limits{PingInterval: -1}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		conns[i] = c
	}
	// heard reads until text comes, and answers pings.
	heard := func(c *conn.Conn, text string) {
		for {
			_, p, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if string(p) == "2" {
				c.Write(ctx, frame.Text, []byte("3"))
			}
			if strings.HasPrefix(string(p), text) {
				return
			}
		}
	}
	for _, c := range conns {
		heard(c, "0")
	}
	stacks() // from here on goroutines begin with what those that wait need
	for _, message := range []string{"4first", "4second"} {
		for _, c := range conns {
			c.Write(ctx, frame.Text, []byte(message))
			heard(c, message)
		}
		deadline := time.Now().Add(20 * time.Second)
		for stacks() > before+clients*3584 {
			if time.Now().After(deadline) {
				t.Fatalf("behind %q: %d octets of stack a client", message, (stacks()-before)/clients)
			}
			for _, c := range conns {
				heard(c, "2")
			}
		}
	}
}

// stacks returns what goroutines take.
func stacks() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
