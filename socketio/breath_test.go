package socketio

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// What handlers send when a client connects comes a moment after the answer to
// its CONNECT, so that a client that listens from then on does not miss it.
func TestBreath(t *testing.T) {
	breathless.Store(false)
	defer breathless.Store(true)
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		s.OnConnect(func(c *Socket) { c.Emit("auth") })
		l := pipe.Listen()
		web := &http.Server{Handler: s}
		go web.Serve(l)
		transport := &http.Transport{DialContext: l.DialContext}
		ctx := context.Background()
		c, _, err := conn.Dial(ctx, "ws://x/socket.io/?EIO=4&transport=websocket",
			&conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: &http.Client{Transport: transport}}})
		if err != nil {
			t.Fatal(err)
		}
		read := func(want string) time.Time {
			_, p, err := c.Read(ctx)
			if err != nil || len(p) < len(want) || string(p[:len(want)]) != want {
				t.Fatalf("read %q, %v; want %q", p, err, want)
			}
			return time.Now()
		}
		read("0{")
		c.Write(ctx, conn.Text, []byte("40"))
		answered := read("40{")
		if gap := read(`42["auth"]`).Sub(answered); gap != 3*time.Millisecond {
			t.Errorf("the first event came %v after the answer, want 3 ms", gap)
		}
		c.CloseNow()
		s.Shutdown(ctx)
		web.Close()
		l.Close()
		transport.CloseIdleConnections()
	})
}
