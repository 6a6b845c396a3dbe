package client

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// A server that ends as an init system asks it to is left, and its successor found.
func TestTerminated(t *testing.T) {
	for _, k := range kinds {
		for mode := range modes {
			t.Run(k.name+" "+mode, func(t *testing.T) {
				s := start(t, k)
				happened := make(chan string, 100)
				c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) { life(c, happened) }}))
				receive(t, "connect", happened)
				s.signal(syscall.SIGTERM)
				// Node's server answers no GET that waits, and ends its connection.
				if got := receive(t, "an end", happened); got != "transport close" && (got != "transport error" || mode != "polling") {
					t.Errorf("%s", got)
				}
				<-s.ended
				c.Emit("number", 0)
				s.run()
				if got := receive(t, "a connection", happened); got != "connect" {
					t.Errorf("%s", got)
				}
				type numbers struct{ Count int }
				if got := call[numbers](t, c, "numbers"); got.Count != 1 {
					t.Errorf("%d events that were buffered came", got.Count)
				}
			})
		}
	}
}

// A server that dies during a request of long-polling: the proxy answers 502 for it, and to
// each attempt until another server is there.
func TestBadGateway(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := start(t, k)
			var target atomic.Value
			var refused atomic.Int32
			target.Store(s.addr)
			proxy := httptest.NewServer(&httputil.ReverseProxy{
				Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(&url.URL{Scheme: "http", Host: target.Load().(string)})
				},
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
					refused.Add(1)
					http.Error(w, "<html><h1>502 Bad Gateway</h1></html>", http.StatusBadGateway)
				},
				ErrorLog: log.New(io.Discard, "", 0),
			})
			t.Cleanup(proxy.Close) // after the client, which is closed before
			happened := make(chan string, 1000)
			o := s.options("polling", socketio.DialOptions{Setup: func(c *socketio.Client) {
				life(c, happened)
				c.OnReconnectAttempt(func(n int) { happened <- "attempt" })
			}})
			o.Engine.HTTPClient = proxy.Client()
			c := connect(t, proxy.URL, o)
			receive(t, "connect", happened)
			call[any](t, c, "who")
			s.stop()
			if got := receive(t, "an end", happened); got != "transport error" {
				t.Errorf("%s", got)
			}
			for range 3 {
				receive(t, "an attempt", happened)
			}
			s.run()
			target.Store(s.addr)
			for got := "attempt"; got != "connect"; {
				got = receive(t, "a connection", happened)
			}
			if call[any](t, c, "who"); refused.Load() < 3 {
				t.Errorf("502 was answered %d times", refused.Load())
			}
		})
	}
}
