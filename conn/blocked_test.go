package conn_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/wstest"
)

// onProcessors runs f on one processor and on two.
func onProcessors(t *testing.T, f func(t *testing.T)) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d processors", n), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			f(t)
		})
	}
}

// busyServer serves with a handler that does the given thing with a message of one byte,
// and sends back all others. It returns its listener.
func busyServer(t *testing.T, busy func()) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serveRaw(&conn.Server{
		Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}},
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			return func(m conn.Message) error {
				if len(m.Payload) == 1 {
					busy()
				}
				return c.Write(ctx, m.Type, m.Payload)
			}
		},
	}, l))
	return l
}

// openMany returns so many callers that have opened their connections.
func openMany(t *testing.T, l net.Listener, count int) []*caller {
	callers := make([]*caller, count)
	for i := range callers {
		c := must(callFrom(l, i))
		t.Cleanup(func() { c.nc.Close() })
		if c.open(); c.err != nil {
			t.Fatal(c.err)
		}
		callers[i] = c
	}
	return callers
}

// echoMany has so many messages of each of the callers sent back, one after the other.
func echoMany(t *testing.T, callers []*caller, messages int) {
	var all sync.WaitGroup
	for _, c := range callers {
		all.Go(func() {
			for range messages {
				c.echo()
			}
			if c.err != nil {
				t.Error(c.err)
			}
		})
	}
	all.Wait()
}

// Ten of 100 handlers wait for something that happens when all others have handled 100
// messages each. If they held up one of those, nothing would ever happen.
func TestBlockedHandlersDelayNobody(t *testing.T) {
	onProcessors(t, func(t *testing.T) {
		gate := make(chan struct{})
		open := sync.OnceFunc(func() { close(gate) })
		var blocked sync.WaitGroup
		blocked.Add(10)
		callers := openMany(t, busyServer(t, func() { blocked.Done(); <-gate }), 100)
		t.Cleanup(open)
		f := wstest.Text("x")
		for _, c := range callers[:10] {
			c.write(ofClient(f))
		}
		for range 3 { // beside those that begin to block, and those that do
			echoMany(t, callers[10:], 33)
			blocked.Wait()
		}
		echoMany(t, callers[10:], 1)
		open()
		for _, c := range callers[:10] {
			if c.expect(f); c.err != nil {
				t.Error(c.err)
			}
		}
	})
}

// A handler that computes until all others have handled their messages holds up none of
// them, on one processor either.
func TestComputingHandlerDelaysNobody(t *testing.T) {
	onProcessors(t, func(t *testing.T) {
		var enough atomic.Bool
		computing := make(chan struct{})
		callers := openMany(t, busyServer(t, func() {
			close(computing)
			for !enough.Load() {
			}
		}), 20)
		t.Cleanup(func() { enough.Store(true) })
		f := wstest.Text("x")
		callers[0].write(ofClient(f))
		<-computing
		echoMany(t, callers[1:], 10)
		enough.Store(true)
		if callers[0].expect(f); callers[0].err != nil {
			t.Error(callers[0].err)
		}
	})
}
