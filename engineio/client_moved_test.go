package engineio

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A client that has moved to a WebSocket keeps nothing of long-polling: its own transport has
// no connection any more, no message is queued, no WebSocket is probed, and no probe is to end,
// for which the clock would ring without end.
func TestClientMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipe.Listen()
		defer l.Close()
		defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
		http.DefaultTransport = &http.Transport{DialContext: l.DialContext}
		var now atomic.Int64 // an http.ConnState
		server := &http.Server{
			Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			ConnState: func(_ net.Conn, s http.ConnState) { now.Store(int64(s)) },
		}
		defer server.Close()
		go server.Serve(l)
		o, err := (*DialOptions)(nil).resolve()
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWeb("http://example.com", o)
		if err != nil {
			t.Fatal(err)
		}
		w.preparePolling()
		if _, err := w.get(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := http.ConnState(now.Load()); s != http.StateIdle {
			t.Errorf("the connection is %v after a GET", s)
		}
		peer, ws := wstest.Pipe(nil)
		defer peer.CloseNow()
		defer ws.CloseNow()
		c := newClient(w)
		c.mu.Lock()
		c.state, c.probing, c.probe = probed, ws, momentOf(time.Now().Add(time.Minute))
		c.queue = []*Message{noopMessage}
		c.moveIfQuiet()
		if c.state != upgraded || c.probe != 0 || c.queue != nil || c.probing != nil {
			t.Errorf("in state %d a probe ends at %v, %d messages are queued, and %p is probed", c.state, c.probe.time(), len(c.queue), c.probing)
		}
		c.mu.Unlock()
		synctest.Wait()
		if s := http.ConnState(now.Load()); s != http.StateClosed {
			t.Errorf("the connection of long-polling is %v", s)
		}
	})
}
