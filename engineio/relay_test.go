package engineio_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
)

// A fleet is nodes behind a load balancer that gives each request to the next one.
type fleet struct {
	nodes map[string]*httptest.Server
	front *httptest.Server
	next  atomic.Int64
}

// echoing is a Receiver that sends back what it gets.
type echoing struct{ s *engineio.Session }

func (e echoing) Message(data []byte, binary bool) { e.s.Send(engineio.NewMessage(data, binary)) }
func (e echoing) Closed(engineio.Reason)           {}

func newFleet(t testing.TB, keepAlive bool, o engineio.Options, names ...string) *fleet {
	t.Helper()
	f := &fleet{nodes: make(map[string]*httptest.Server)}
	peers := func(node string) *url.URL {
		s := f.nodes[node]
		if s == nil {
			return nil
		}
		u, _ := url.Parse(s.URL)
		return u
	}
	for _, name := range names {
		// Unless connections are kept none is left when the test ends.
		relay, err := engineio.NewRelay(name, peers, &http.Transport{DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: 10})
		if err != nil {
			t.Fatal(err)
		}
		o.Hooks.NewID, o.Hooks.Foreign = relay.NewID, relay.Foreign
		s, err := engineio.NewServer(func(s *engineio.Session) engineio.Receiver { return echoing{s} }, &o)
		if err != nil {
			t.Fatal(err)
		}
		f.nodes[name] = httptest.NewServer(s)
		t.Cleanup(func() { s.Shutdown(t.Context()); f.nodes[name].Close() })
	}
	f.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.nodes[names[int(f.next.Add(1))%len(names)]].Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(f.front.Close)
	return f
}

// heard is a Receiver that hands on what it gets.
type heard chan string

func (h heard) Message(data []byte, binary bool) { h <- string(data) }
func (h heard) Closed(engineio.Reason)           {}

// A session works whichever node its requests reach: on long-polling, and from the
// upgrade on.
func TestRelay(t *testing.T) {
	for _, transports := range [][]string{{"polling"}, {"polling", "websocket"}} {
		t.Run(strings.Join(transports, " "), func(t *testing.T) {
			f := newFleet(t, false, engineio.Options{}, "a", "b", "c")
			messages := make(heard, 100)
			c, err := engineio.Dial(t.Context(), f.front.URL, func(*engineio.Client) engineio.Receiver { return messages },
				&engineio.DialOptions{Transports: transports, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const most = 20
			for i := range most {
				want := fmt.Sprintf("message %d ü", i)
				if err := c.Send(engineio.NewMessage([]byte(want), i%2 == 1)); err != nil {
					t.Fatal(err)
				}
				select {
				case got := <-messages:
					if got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				case <-time.After(time.Minute):
					t.Fatal("no answer")
				}
			}
		})
	}
}

// What is passed on, and what is not.
func TestRelayRules(t *testing.T) {
	f := newFleet(t, false, engineio.Options{CORS: &engineio.CORS{Origins: []string{"https://page.example"}}}, "a", "b")
	do := func(node, method, sid, body string, header ...string) (int, string, http.Header) {
		t.Helper()
		target := f.nodes[node].URL + "/engine.io/?EIO=4&transport=polling"
		if sid != "" {
			target += "&sid=" + url.QueryEscape(sid)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		r.Header.Set("Origin", "https://page.example")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text), answer.Header
	}
	_, open, _ := do("a", "GET", "", "")
	_, after, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(after, `"`)
	if !strings.HasPrefix(sid, "a.") || len(sid) != len("a.")+base64.RawURLEncoding.EncodedLen(20) {
		t.Fatalf("open packet %q", open)
	}
	status, text, header := do("b", "POST", sid, "4hello")
	if status != 200 || text != "ok" {
		t.Errorf("POST: %d %q", status, text)
	}
	if got := header.Values("Access-Control-Allow-Origin"); len(got) != 1 {
		t.Errorf("Access-Control-Allow-Origin is there %d times", len(got))
	}
	if _, text, _ := do("b", "GET", sid, ""); text != "4hello" {
		t.Errorf("GET: %q", text)
	}
	if status, _, header := do("b", "OPTIONS", sid, "", "Access-Control-Request-Method", "POST"); status != 204 || header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a preflight: %d", status)
	}
	const unknown = `{"code":1,"message":"Session ID unknown"}`
	for _, tt := range []struct{ name, node, sid string }{
		{"its own node has not got it", "a", "a.unknown"},
		{"a node that is not there", "b", "nowhere.unknown"},
		{"no node", "b", "unknown"},
		{"a name that is none", "b", "a/../b.unknown"},
		{"an empty name", "b", ".unknown"},
		{"the node that is named has not got it", "b", "a.unknown"},
	} {
		if status, text, _ := do(tt.node, "GET", tt.sid, ""); status != 400 || strings.TrimSpace(text) != unknown {
			t.Errorf("%s: %d %q", tt.name, status, text)
		}
	}
	if status, _, _ := do("b", "GET", sid, "", "Parley-Relayed", "c"); status != 400 {
		t.Errorf("passed on twice: %d", status)
	}
	f.nodes["a"].Close()
	var logged lines // by package log, where net/http writes
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	defer func() {
		if logged.String() != "" {
			t.Errorf("logged %s", logged.String())
		}
	}()
	if status, _, _ := do("b", "GET", sid, ""); status != http.StatusBadGateway {
		t.Errorf("a node that does not answer: %d", status)
	}
}

// The node of the session sees the Host that the client has asked, and by which way the request
// has come, as if it had come there at once.
func TestRelayWay(t *testing.T) {
	passed := make(chan *http.Request, 1)
	b := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { passed <- r }))
	defer b.Close()
	relay, err := engineio.NewRelay("a", func(string) *url.URL {
		u, _ := url.Parse(b.URL)
		return u
	}, &http.Transport{DisableKeepAlives: true})
	if err != nil {
		t.Fatal(err)
	}
	type fields map[string]string
	for _, tt := range []struct{ before, want fields }{
		{nil, fields{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "chat.example", "X-Forwarded-Proto": "http"}},
		{ // through a load balancer that ends TLS
			fields{"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Host": "www.example", "X-Forwarded-Proto": "https", "Forwarded": "proto=https"},
			fields{"X-Forwarded-For": "198.51.100.7, 192.0.2.1", "X-Forwarded-Host": "www.example", "X-Forwarded-Proto": "https", "Forwarded": "proto=https"},
		},
	} {
		r := httptest.NewRequest("GET", "http://chat.example/engine.io/?sid=b.x", nil)
		r.RemoteAddr = "192.0.2.1:1234"
		for name, value := range tt.before {
			r.Header.Set(name, value)
		}
		relay.Foreign(r, "b.x").ServeHTTP(httptest.NewRecorder(), r)
		got := <-passed
		if got.Host != "chat.example" || got.URL.String() != "/engine.io/?sid=b.x" {
			t.Errorf("%s asked for %s", got.Host, got.URL)
		}
		tt.want["Parley-Relayed"] = "a" // so that it goes no further
		for name, want := range tt.want {
			if got := got.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

// A node that is gone between two looks at the peers does not answer.
func TestRelayPeerGoes(t *testing.T) {
	asked := 0
	relay, err := engineio.NewRelay("a", func(string) *url.URL {
		if asked++; asked == 1 {
			return &url.URL{Scheme: "http", Host: "b.invalid"}
		}
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest("GET", "/engine.io/?sid=b.x", nil), httptest.NewRecorder()
	relay.Foreign(r, "b.x").ServeHTTP(w, r)
	if w.Code != http.StatusBadGateway {
		t.Errorf("answered %d", w.Code)
	}
}

// A nowhere is a transport that answers every request itself.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody}, nil
}

// Requests to the other nodes travel by the transport that the user has given.
func TestRelayTransport(t *testing.T) {
	peer := &url.URL{Scheme: "http", Host: "b.invalid"}
	relay, err := engineio.NewRelay("a", func(string) *url.URL { return peer }, nowhere{})
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest("GET", "/engine.io/?sid=b.x", nil), httptest.NewRecorder()
	relay.Foreign(r, "b.x").ServeHTTP(w, r)
	if w.Code != http.StatusTeapot {
		t.Errorf("answered %d", w.Code)
	}
}

// The user is asked for names of nodes, whatever clients send.
func TestRelayAsksForNames(t *testing.T) {
	var asked []string
	relay, err := engineio.NewRelay("a", func(node string) *url.URL {
		asked = append(asked, node)
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{".x", "a/../b.x", "b\n.x", strings.Repeat("b", 33) + ".x", "a.x", "x", strings.Repeat("b", 32) + ".x"} {
		if relay.Foreign(httptest.NewRequest("GET", "/engine.io/", nil), sid) != nil {
			t.Errorf("%q is passed on", sid)
		}
	}
	if want := strings.Repeat("b", 32); len(asked) != 1 || asked[0] != want {
		t.Errorf("asked for %q, want %q alone", asked, want)
	}
}

func TestNewRelay(t *testing.T) {
	nobody := func(string) *url.URL { return nil }
	for _, name := range []string{"", "a.b", "ü", "a/b", strings.Repeat("x", 33)} {
		if _, err := engineio.NewRelay(name, nobody, nil); err == nil {
			t.Errorf("a node is named %q", name)
		}
	}
	for _, name := range []string{"a", "-_azAZ09", strings.Repeat("x", 32)} {
		relay, err := engineio.NewRelay(name, nobody, nil)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := relay.NewID(nil)
		if other, _ := relay.NewID(nil); one == other {
			t.Errorf("two sessions have the id %q", one)
		}
	}
	if _, err := engineio.NewRelay("a", nil, nil); err == nil {
		t.Error("no peers")
	}
}

// A message and its answer on long-polling: two requests, to the right node and to the
// wrong one.
func BenchmarkRelay(b *testing.B) {
	for _, node := range []string{"a", "b"} {
		b.Run(map[string]string{"a": "right", "b": "wrong"}[node], func(b *testing.B) {
			f := newFleet(b, true, engineio.Options{}, "a", "b")
			do := func(method, url, body string) string {
				r, _ := http.NewRequestWithContext(b.Context(), method, url, strings.NewReader(body))
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				defer answer.Body.Close()
				text, _ := io.ReadAll(answer.Body)
				return string(text)
			}
			const query = "/engine.io/?EIO=4&transport=polling"
			_, after, _ := strings.Cut(do("GET", f.nodes["a"].URL+query, ""), `"sid":"`)
			sid, _, _ := strings.Cut(after, `"`)
			target := f.nodes[node].URL + query + "&sid=" + sid
			for b.Loop() {
				do("POST", target, "4hello")
				if got := do("GET", target, ""); !strings.HasPrefix(got, "4hello") {
					b.Fatal(got)
				}
			}
		})
	}
}

// The hook is asked for requests of sessions that are not here, and for no others.
func TestForeign(t *testing.T) {
	var asked []string
	o := &engineio.Options{Hooks: engineio.Hooks{Foreign: func(r *http.Request, sid string) http.Handler {
		asked = append(asked, r.Method+" "+sid)
		return nil
	}}}
	inBubble(t, o, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
		s.must("OPTIONS", "transport=polling&sid=x", "")
		s.must("OPTIONS", "transport=polling&sid="+sid, "")
		s.must("GET", "transport=polling&sid=", "")
		if len(asked) > 0 {
			t.Errorf("asked for %q", asked)
		}
		s.wantGet("x", 400, unknownSession)
		if len(asked) != 1 || asked[0] != "GET x" {
			t.Errorf("asked for %q", asked)
		}
	})
}
