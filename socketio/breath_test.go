package socketio

import (
	"context"
	"io"
	"net/http"
	"strings"
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
		joins := time.Now()
		poll := func(method, query, body string) string {
			req, _ := http.NewRequest(method, "http://x/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			return string(b)
		}
		sid := "&sid=" + strings.Split(poll("GET", "", ""), `"`)[3]
		poll("POST", sid, "40")
		for !strings.Contains(poll("GET", sid, ""), `42["auth"]`) {
		}
		if took := time.Since(joins); took != 0 {
			t.Errorf("on long-polling, where each answer is a moment of its own, the first event came after %v", took)
		}
		s.Shutdown(ctx)
		web.Close()
		l.Close()
		transport.CloseIdleConnections()
	})
}
