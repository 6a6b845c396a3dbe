package socketio_test

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// A countingListener counts the writes to its connections.
type countingListener struct {
	*pipe.Listener
	writes atomic.Int32
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, &l.writes}, err
}

type countingConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TryWrite makes it a stream that is written to without a goroutine, as a socket is.
func (c countingConn) TryWrite(p []byte) (int, error) { return c.Write(p) }

// The answers to events that have waited for a handler leave together.
func TestAnswersLeaveTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that what is held leaves no sooner
	inBubble(t, nil, func(s *site) {
		l := &countingListener{Listener: pipe.Listen()}
		web := &http.Server{Handler: s.io}
		go web.Serve(l)
		defer web.Close()
		s.http.Transport.(*http.Transport).DialContext = l.DialContext
		gate := make(chan bool)
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnEvent("q", func(e *socketio.Event) error { <-gate; return e.Ack() })
		})
		r := s.client()
		const events = 100
		for id := range events {
			r.send(fmt.Sprintf(`2%d["q"]`, id))
		}
		synctest.Wait()
		before := l.writes.Load()
		close(gate)
		for id := range events {
			r.want(fmt.Sprintf("3%d[]", id))
		}
		if n := l.writes.Load() - before; n > events/2 {
			t.Errorf("%d answers left in %d writes", events, n)
		}
		r.c.CloseNow()
	})
}
