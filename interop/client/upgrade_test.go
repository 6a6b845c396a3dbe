package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// While the WebSocket's handshake is held back messages go both ways over polling, and none is
// lost, doubled or out of order when the session moves.
func TestUpgradeUnderLoad(t *testing.T) {
	const n = 10_000
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := start(t, k)
			forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.addr})
			held, release := make(chan struct{}), make(chan struct{})
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") != "" {
					close(held)
					<-release
				}
				forward.ServeHTTP(w, r)
			}))
			t.Cleanup(proxy.Close) // after the client, which is closed before

			next, some, all := 0, make(chan struct{}), make(chan struct{})
			o := s.options("upgrade", socketio.DialOptions{Setup: func(c *socketio.Client) {
				socketio.On(c, "number", func(_ context.Context, i int) error {
					if i != next {
						t.Errorf("got %d, want %d", i, next)
					}
					switch next++; next {
					case n / 4:
						close(some)
					case n:
						close(all)
					}
					return nil
				})
			}})
			o.Engine.HTTPClient = proxy.Client()
			o.Engine.Limits.UpgradeTimeout = patience
			c := connect(t, proxy.URL, o)
			receive(t, "a handshake", held)
			for i := range n {
				if i%100 == 0 {
					c.Emit("flood", i, i+100)
				}
				if err := c.Emit("number", i); err != nil {
					t.Fatal(err)
				}
				if i == n/2 {
					receive(t, "a quarter", some)
					if c.Transport() != "polling" {
						t.Errorf("on %s", c.Transport())
					}
					close(release)
				}
			}
			type numbers struct {
				Count   int
				Ordered bool
			}
			if got := call[numbers](t, c.Timeout(patience), "numbers"); got != (numbers{n, true}) {
				t.Errorf("the server got %+v", got)
			}
			receive(t, "all numbers", all)
			eventually(t, "the upgrade", func() bool { return call[who](t, c, "who").Transport == "websocket" })
			if c.Transport() != "websocket" {
				t.Errorf("on %s", c.Transport())
			}
		})
	}
}
