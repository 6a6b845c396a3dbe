package engineio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

const dialURL = "ws://example.com/engine.io/?EIO=4&transport=websocket"

// A handshake that fails leaves the session as it was.
func TestUpgradeRefused(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		r, err := s.do(s.t.Context(), "GET", "transport=websocket&sid="+sid, "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "8")
		if err != nil || r.status != http.StatusUpgradeRequired {
			t.Errorf("answered %d, %v", r.status, err)
		}
		s.wantAlive()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
	})
}

// What Options.Transports and NoUpgrades leave out is refused, and not offered.
func TestTransports(t *testing.T) {
	for _, tt := range []struct {
		o                           engineio.Options
		polling, websocket, upgrade bool
	}{
		{engineio.Options{}, true, true, true},
		{engineio.Options{Transports: []string{"websocket", "polling"}}, true, true, true},
		{engineio.Options{Transports: []string{"polling"}}, true, false, false},
		{engineio.Options{Transports: []string{"websocket"}}, false, true, false},
		{engineio.Options{NoUpgrades: true}, true, true, false},
	} {
		inBubble(t, &tt.o, func(s *site) {
			if _, _, err := s.dial(dialURL); (err == nil) != tt.websocket {
				t.Errorf("%+v: WebSocket: %v", tt.o, err)
			}
			r := s.must("GET", "transport=polling", "")
			if (r.status == 200) != tt.polling || !tt.polling && r.body != unknownTransport {
				t.Errorf("%+v: polling: %d %s", tt.o, r.status, r.body)
			}
			if !tt.polling {
				return
			}
			if offered := strings.Contains(r.body, `"upgrades":["websocket"]`); offered != tt.upgrade {
				t.Errorf("%+v: %s", tt.o, r.body)
			}
			if _, _, err := s.dial(dialURL + "&sid=" + s.open()); (err == nil) != tt.upgrade {
				t.Errorf("%+v: upgrade: %v", tt.o, err)
			}
		})
	}
}

// A subprotocol that the client offers is answered, or its browser would close the
// connection: the first, or the one that the hook chooses.
func TestSubprotocol(t *testing.T) {
	choose := func(name string) func(*http.Request, []string) string {
		return func(_ *http.Request, offered []string) string {
			if !slices.Equal(offered, []string{"my.token", "other"}) {
				t.Errorf("offered %q", offered)
			}
			return name
		}
	}
	for _, tt := range []struct {
		hook func(*http.Request, []string) string
		want string
	}{{nil, "my.token"}, {choose("other"), "other"}, {choose(""), ""}, {choose("strange"), ""}} {
		inBubble(t, &engineio.Options{Hooks: engineio.Hooks{Subprotocol: tt.hook}}, func(s *site) {
			for _, target := range []string{dialURL, dialURL + "&sid=" + s.open()} {
				c, resp, err := conn.Dial(s.t.Context(), target, &conn.DialOptions{Handshake: handshake.DialOptions{
					HTTPClient: s.http, Subprotocols: []string{"my.token", "other"},
				}})
				if err != nil {
					t.Fatalf("want %q: %v, %v", tt.want, err, resp)
				}
				if got := c.Subprotocol(); got != tt.want {
					t.Errorf("subprotocol %q, want %q", got, tt.want)
				}
				c.CloseNow()
			}
		})
	}
}

// A list of subprotocols that is none is the client's fault.
func TestSubprotocolMalformed(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		for _, value := range []string{"a b", "(", "good, (bad)"} {
			r, err := s.raw(s.t.Context(), "GET", strings.Replace(dialURL, "ws:", "http:", 1), "", "Connection", "Upgrade", "Upgrade", "websocket",
				"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", value)
			if err != nil || r.status != 400 {
				t.Errorf("%q: %d, %v", value, r.status, err)
			}
		}
	})
}

// Sessions are counted by their transport, as long as they are open. One that is about to open is
// not counted yet.
func TestCount(t *testing.T) {
	opened := 0
	open := func(e echo) engineio.Receiver {
		if got := e.site.server.Count(); got.Polling+got.WebSocket != opened {
			t.Errorf("%+v while another session opens, want %d", got, opened)
		}
		opened++
		return e
	}
	withReceiver(t, nil, open, func(s *site) {
		want := func(polling, websocket int) {
			t.Helper()
			synctest.Wait()
			if got := s.server.Count(); got != (engineio.Count{Polling: polling, WebSocket: websocket}) {
				t.Errorf("%+v, want %d and %d", got, polling, websocket)
			}
		}
		want(0, 0)
		sid := s.open()
		s.open()
		w := s.openWebSocket()
		want(2, 1)
		s.post(sid, "1")
		want(1, 1)
		w.c.CloseNow()
		want(1, 0)
	})
}

// Each request that is refused is told to the hook, once, with what it was answered.
func TestRefused(t *testing.T) {
	type seen struct {
		method       string
		status, code int
		message      string
	}
	var saw []seen
	o := &engineio.Options{
		Limits: engineio.Limits{MaxPayload: 10},
		Hooks: engineio.Hooks{
			Allow: func(r *http.Request) error {
				if r.URL.Query().Has("deny") {
					return errors.New("denied")
				}
				return nil
			},
			Refused: func(r *http.Request, e *engineio.Refusal) {
				saw = append(saw, seen{r.Method, e.Status, e.Code, e.Message})
			},
		},
	}
	inBubble(t, o, func(s *site) {
		for _, request := range []func(){
			func() { s.must("GET", "transport=carrier-pigeon", "") },
			func() { s.get("nobody") },
			func() { s.must("PUT", "transport=polling", "") },
			func() { s.raw(s.t.Context(), "GET", base+"?EIO=3&transport=polling", "") },
			func() { s.must("GET", "transport=polling&deny", "") },
			func() { s.post(s.open(), "4"+strings.Repeat("x", 10)) },
			func() { s.post(s.open(), "9") },
			func() { s.dial(dialURL, "Origin", "https://elsewhere.example") },
		} {
			request()
			synctest.Wait() // the hook may be called after the answer
		}
		want := []string{
			"GET 400 0 Transport unknown", "GET 400 1 Session ID unknown", "PUT 400 2 Bad handshake method", "GET 400 5 Unsupported protocol version",
			"GET 403 4 denied", "POST 413 3 Payload too large", "POST 400 3 Bad request", "GET 403 3 ",
		}
		for i, got := range saw {
			line := fmt.Sprint(got.method, " ", got.status, " ", got.code, " ", got.message)
			if i >= len(want) || !strings.HasPrefix(line, want[i]) {
				t.Errorf("told %d: %s", i, line)
			}
		}
		if len(saw) != len(want) {
			t.Errorf("told %d refusals, want %d", len(saw), len(want))
		}
	})
}

// Shutdown waits a second for a client that polls, and no longer.
func TestShutdownVanished(t *testing.T) {
	for _, comes := range []bool{false, true} {
		inBubble(t, nil, func(s *site) {
			sid := s.open()
			var get sync.WaitGroup
			if comes {
				get.Go(func() {
					time.Sleep(500 * time.Millisecond)
					s.wantGet(sid, 200, "1")
				})
			}
			start := time.Now()
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
			defer cancel()
			if err := s.server.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if d, want := time.Since(start), map[bool]time.Duration{false: time.Second, true: time.Second / 2}[comes]; d != want {
				t.Errorf("Shutdown took %v, want %v", d, want)
			}
			get.Wait()
		})
	}
}

// Register serves the path with and without its slash, without a redirect, beside
// other routes.
func TestRegister(t *testing.T) {
	server := newServer(t, func(s *engineio.Session) engineio.Receiver { return nobody{} }, nil)
	mux := http.NewServeMux()
	server.Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for target, want := range map[string]int{
		"/engine.io/?EIO=4&transport=polling": 200, "/engine.io?EIO=4&transport=polling": 200, "/engine.iox": http.StatusTeapot, "/": http.StatusTeapot,
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server.Shutdown(ctx)
	newServer(t, func(s *engineio.Session) engineio.Receiver { return nobody{} }, &engineio.Options{Path: "/"}).Register(http.NewServeMux())
}

type nobody struct{}

func (nobody) Message([]byte, bool)   {}
func (nobody) Closed(engineio.Reason) {}

// The values that middleware has put into the ctx of the request which opened the
// session are there as long as the session is.
func TestSessionValues(t *testing.T) {
	type key struct{}
	for _, with := range []bool{false, true} {
		inBubble(t, nil, func(s *site) {
			l := pipe.Listen()
			web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if with {
					r = r.WithContext(context.WithValue(r.Context(), key{}, r.URL.Query().Get("who")))
				}
				s.server.ServeHTTP(w, r)
			})}
			go web.Serve(l)
			defer web.Close()
			transport := &http.Transport{DialContext: l.DialContext}
			defer transport.CloseIdleConnections()
			s.http = &http.Client{Transport: transport}
			for _, transport := range []string{"polling", "websocket"} {
				if transport == "polling" {
					s.must("GET", "transport=polling&who=me", "")
				} else if _, _, err := s.dial(dialURL + "&who=me"); err != nil {
					t.Fatal(err)
				}
				want := map[bool]any{true: "me"}[with]
				if n := <-s.sessions; n.Value(key{}) != want {
					t.Errorf("%s: %v, want %v", transport, n.Value(key{}), want)
				}
			}
		})
	}
}
