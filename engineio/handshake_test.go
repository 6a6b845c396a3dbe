package engineio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// "GET ?EIO=4&transport=polling opens a session: packet 0 and JSON with
// exactly the keys sid, upgrades, pingInterval, pingTimeout, maxPayload."
func TestOpenPolling(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r := s.must("GET", "transport=polling", "")
		if r.status != 200 || r.header.Get("Content-Type") != "text/plain; charset=UTF-8" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("handshake: %d %v", r.status, r.header)
		}
		checkOpen(t, r.body, `["websocket"]`)
	})
}

func checkOpen(t *testing.T, packet, upgrades string) {
	t.Helper()
	var data map[string]json.RawMessage
	if packet[0] != '0' || json.Unmarshal([]byte(packet[1:]), &data) != nil {
		t.Fatalf("open packet %q", packet)
	}
	keys := slices.Sorted(maps.Keys(data))
	if !slices.Equal(keys, []string{"maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"}) {
		t.Errorf("keys %q", keys)
	}
	for key, want := range map[string]string{"upgrades": upgrades, "pingInterval": "25000", "pingTimeout": "20000", "maxPayload": "1000000"} {
		if got := string(data[key]); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	if len(data["sid"]) < 2+20 {
		t.Errorf("sid %s", data["sid"])
	}
}

// "transport=websocket without a sid opens a session on WebSocket"; its
// upgrades are [].
func TestOpenWebSocket(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.websocket("")
		checkOpen(t, w.read(), `[]`)
		if got := s.session().Transport(); got != "websocket" {
			t.Errorf("transport %q", got)
		}
	})
}

// Two sessions never share an id.
func TestIDs(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		seen := map[string]bool{}
		for range 100 {
			seen[s.open()] = true
		}
		if len(seen) != 100 {
			t.Errorf("%d ids for 100 sessions", len(seen))
		}
	})
}

// "Errors: HTTP 400 and {"code":N,"message":"..."}".
func TestRefusals(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		_, up := s.upgraded()
		_ = up
		for _, tt := range []struct {
			name, method, query, want string
		}{
			{"no transport", "GET", "EIO=4", unknownTransport},
			{"another transport", "GET", "EIO=4&transport=abc", unknownTransport},
			{"another transport with sid", "GET", "EIO=4&transport=abc&sid=" + sid, unknownTransport},
			{"unknown sid", "GET", "EIO=4&transport=polling&sid=abc", unknownSession},
			{"empty sid", "GET", "EIO=4&transport=polling&sid=", unknownSession},
			{"POST to an unknown sid", "POST", "EIO=4&transport=polling&sid=abc", unknownSession},
			{"POST without sid", "POST", "EIO=4&transport=polling", badMethod},
			{"PUT without sid", "PUT", "EIO=4&transport=polling", badMethod},
			{"OPTIONS without CORS", "OPTIONS", "EIO=4&transport=polling", badMethod},
			{"PUT with sid", "PUT", "EIO=4&transport=polling&sid=" + sid, badRequest},
			{"DELETE with sid", "DELETE", "EIO=4&transport=polling&sid=" + sid, badRequest},
			{"WebSocket without an upgrade", "GET", "EIO=4&transport=websocket", badRequest},
			{"WebSocket with sid without an upgrade", "GET", "EIO=4&transport=websocket&sid=" + sid, badRequest},
			{"no EIO", "GET", "transport=polling", badVersion},
			{"EIO 3", "GET", "EIO=3&transport=polling", badVersion},
			{"EIO abc", "GET", "EIO=abc&transport=polling", badVersion},
			{"EIO 3 with sid", "GET", "EIO=3&transport=polling&sid=" + sid, badVersion},
			{"no EIO with sid", "POST", "transport=polling&sid=" + sid, badVersion},
		} {
			r, err := s.raw(s.t.Context(), tt.method, base+"?"+tt.query, "")
			if err != nil || r.status != 400 || r.body != tt.want || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %q, %v; want 400 %q", tt.name, r.status, r.body, err, tt.want)
			}
			if got := r.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control %q, a cache may keep the refusal", tt.name, got)
			}
		}
		s.wantAlive()
		s.wantPost(sid, "4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
	})
}

// A refusal does not wait for the request's body, and a body that does not come holds no
// connection for longer than any may take.
func TestRefusedBody(t *testing.T) {
	o := &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}, CORS: &engineio.CORS{Origins: []string{"https://a.example"}}}
	const most = (25 + 20) * time.Second
	for _, tt := range []struct {
		name, request string
		status        int
		after         time.Duration
	}{
		{"unknown sid", "POST " + base + "?EIO=4&transport=polling&sid=abc", 400, 0},
		{"no POST", "PUT " + base + "?EIO=4&transport=polling", 400, 0},
		{"more than MaxPayload", "POST " + base + "?EIO=4&transport=polling&sid=", 413, 0},
		{"another path", "POST /elsewhere/", 404, most},
		{"preflight", "OPTIONS " + base, 204, most},
	} {
		inBubble(t, o, func(s *site) {
			if tt.status == 413 {
				tt.request += s.open()
			}
			c, err := s.listener.DialContext(s.t.Context(), "", "")
			if err != nil {
				s.t.Fatal(err)
			}
			defer c.Close()
			begun := time.Now()
			fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1001\r\n\r\n", tt.request)
			in := bufio.NewReader(c)
			r, err := http.ReadResponse(in, &http.Request{Method: strings.Fields(tt.request)[0]})
			if err != nil || r.StatusCode != tt.status || time.Since(begun) != tt.after {
				s.t.Fatalf("%s: %v, %v after %v; want %d after %v", tt.name, r, err, time.Since(begun), tt.status, tt.after)
			}
			io.Copy(io.Discard, in)
			if end := time.Since(begun); end < most || end > most+time.Second {
				s.t.Errorf("%s: the connection ends after %v, want %v", tt.name, end, most)
			}
		})
	}
	inBubble(t, o, func(s *site) { // without a body the connection stays
		c, err := s.listener.DialContext(s.t.Context(), "", "")
		if err != nil {
			s.t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for range 2 {
			fmt.Fprintf(c, "GET %s?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: example.com\r\n\r\n", base)
			r, err := http.ReadResponse(in, nil)
			if err != nil || r.StatusCode != 400 || r.Close {
				s.t.Fatalf("no body: %v, %v; want 400 and the connection", r, err)
			}
			io.Copy(io.Discard, r.Body)
		}
	})
	inBubble(t, o, func(s *site) { // and so does one of HTTP/2, which has other requests
		l := pipe.Listen()
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		web := &http.Server{Handler: s.server, Protocols: protocols}
		go web.Serve(l)
		dials := 0
		transport := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			return l.DialContext(ctx, network, address)
		}}
		s.http = &http.Client{Transport: transport}
		for range 2 {
			s.wantPost("abc", "4a", 400, unknownSession)
			synctest.Wait()
		}
		if dials != 1 {
			t.Errorf("HTTP/2: %d connections, want 1", dials)
		}
		transport.CloseIdleConnections()
		web.Close()
		l.Close()
	})
}

// "A wrong EIO or transport on a WebSocket request is refused before any 101."
func TestWebSocketRefusals(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		for query, want := range map[string]string{
			"EIO=4":                                      unknownTransport,
			"EIO=4&transport=abc":                        unknownTransport,
			"EIO=4&transport=polling":                    badRequest,
			"EIO=4&transport=polling&sid=" + sid:         badRequest,
			"EIO=3&transport=websocket":                  badVersion,
			"transport=websocket":                        badVersion,
			"EIO=3&transport=websocket&sid=" + sid:       badVersion,
			"EIO=4&transport=websocket&sid=" + sid + "x": unknownSession,
		} {
			_, _, err := s.dial("ws://example.com/engine.io/?" + query)
			e, ok := errors.AsType[*handshake.DialError](err)
			if !ok || e.Status != 400 || string(e.Body) != want {
				t.Errorf("%s: %v, want 400 %s", query, err, want)
			}
		}
		s.wantAlive()
	})
}

func TestPath(t *testing.T) {
	for _, tt := range []struct {
		option, path string
		want         int
	}{
		{"", "/engine.io/", 200}, {"", "/engine.io", 200},
		{"", "/", 404}, {"", "/engine.io/x", 404}, {"", "/socket.io/", 404},
		{"/my", "/my/", 200}, {"/my/", "/my", 200}, {"/my/", "/engine.io/", 404},
	} {
		inBubble(t, &engineio.Options{Path: tt.option}, func(s *site) {
			r, err := s.raw(s.t.Context(), "GET", "http://example.com"+tt.path+"?EIO=4&transport=polling", "")
			if err != nil || r.status != tt.want {
				t.Errorf("path %q, server at %q: %d, %v; want %d", tt.path, tt.option, r.status, err, tt.want)
			}
			if n := s.server.Count().Polling; (n == 1) != (tt.want == 200) {
				t.Errorf("path %q, server at %q: %d sessions", tt.path, tt.option, n)
			}
		})
	}
	open := func(*engineio.Session) engineio.Receiver { return nil }
	if got := newServer(t, open, &engineio.Options{Path: "/my"}).Path(); got != "/my/" {
		t.Errorf("Path() = %q", got)
	}
}

// "4 Forbidden with 403 (with the text of the allow hook)", before any 101 too.
func TestAllow(t *testing.T) {
	allow := func(r *http.Request) error {
		if r.Header.Get("X-Token") == "" {
			return errors.New("no token")
		}
		return nil
	}
	inBubble(t, &engineio.Options{Hooks: engineio.Hooks{Allow: allow}}, func(s *site) {
		const want = `{"code":4,"message":"no token"}`
		if r := s.must("GET", "transport=polling", ""); r.status != 403 || r.body != want {
			t.Errorf("refused: %d %s", r.status, r.body)
		}
		_, _, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket")
		if e, ok := errors.AsType[*handshake.DialError](err); !ok || e.Status != 403 || string(e.Body) != want {
			t.Errorf("refused WebSocket: %v", err)
		}
		if r := s.must("GET", "transport=polling", "", "X-Token", "x"); r.status != 200 {
			t.Errorf("allowed: %d %s", r.status, r.body)
		}
	})
}

func TestHeaderHook(t *testing.T) {
	hook := func(h http.Header, r *http.Request) {
		h.Set("X-First", map[bool]string{true: "no", false: "yes"}[r.URL.Query().Has("sid")])
	}
	inBubble(t, &engineio.Options{Hooks: engineio.Hooks{Header: hook}}, func(s *site) {
		if r := s.must("GET", "transport=polling", ""); r.header.Get("X-First") != "yes" {
			t.Errorf("handshake: %v", r.header)
		}
		if r := s.post(s.open(), "4a"); r.header.Get("X-First") != "no" {
			t.Errorf("POST: %v", r.header)
		}
		_, resp, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket")
		if err != nil || resp.Header.Get("X-First") != "yes" {
			t.Errorf("WebSocket: %v, %v", resp, err)
		}
	})
}

func TestNewID(t *testing.T) {
	ids := []string{"first", "first", ""}
	hook := func(*http.Request) (string, error) {
		id := ids[0]
		ids = ids[1:]
		if id == "" {
			return "", errors.New("out of ids")
		}
		return id, nil
	}
	log := new(lines)
	inBubble(t, &engineio.Options{Hooks: engineio.Hooks{NewID: hook}, Logger: slog.New(slog.NewTextHandler(log, nil))}, func(s *site) {
		if sid := s.open(); sid != "first" {
			t.Errorf("sid %q", sid)
		}
		if r := s.must("GET", "transport=polling", ""); r.status != 503 || r.body != `{"code":3,"message":"Session can't be opened"}` {
			t.Errorf("an id in use: %d %s", r.status, r.body)
		}
		if r := s.must("GET", "transport=polling", ""); r.status != 400 || r.body != badRequest {
			t.Errorf("no id: %d %s", r.status, r.body)
		}
		if !strings.Contains(log.String(), "out of ids") {
			t.Errorf("log %q", log)
		}
	})
}

// A hookedWriter is a ResponseWriter that calls f before it writes.
type hookedWriter struct {
	*httptest.ResponseRecorder
	f func()
}

func (w hookedWriter) Write(p []byte) (int, error) {
	w.f()
	return w.ResponseRecorder.Write(p)
}

// The id of a session that is over is free, even if the request that has opened the session is
// still being answered: the end of that request does not take the id from the session that has
// it by then.
func TestIDGivenAgain(t *testing.T) {
	opens := 0
	var first chan struct{} // closed when the first request has been served
	hook := func(*http.Request) (string, error) { return "again", nil }
	receive := func(e echo) engineio.Receiver {
		if opens++; opens == 2 {
			<-first
		}
		return e
	}
	withReceiver(t, &engineio.Options{Hooks: engineio.Hooks{NewID: hook}}, receive, func(s *site) {
		first = make(chan struct{})
		second := make(chan response, 1)
		w := hookedWriter{httptest.NewRecorder(), func() {
			s.wantPost("again", "1", 200, "ok")
			s.wantGet("again", 200, "6") // the last one, which makes the server forget the session
			go func() {
				r, _ := s.do(s.t.Context(), "GET", "transport=polling", "")
				second <- r
			}()
			synctest.Wait()
		}}
		s.server.ServeHTTP(w, httptest.NewRequest("GET", base+"?EIO=4&transport=polling", nil))
		s.wantEnd(engineio.TransportClose)
		close(first)
		if r := <-second; r.status != 200 {
			t.Errorf("the second handshake: %d %q", r.status, r.body)
		}
		s.wantPost("again", "4a", 200, "ok")
		s.wantGet("again", 200, "4a")
	})
}

// "Cookie by option: io=SID; Path=/; HttpOnly; SameSite=Lax, on the polling
// handshake only."
func TestCookie(t *testing.T) {
	inBubble(t, &engineio.Options{Cookie: &http.Cookie{}}, func(s *site) {
		r := s.must("GET", "transport=polling", "")
		var data openData
		if err := json.Unmarshal([]byte(r.body[1:]), &data); err != nil {
			t.Fatal(err)
		}
		if got, want := r.header.Get("Set-Cookie"), "io="+data.SID+"; Path=/; HttpOnly; SameSite=Lax"; got != want {
			t.Errorf("cookie %q, want %q", got, want)
		}
		if r := s.post(data.SID, "4a"); r.header.Get("Set-Cookie") != "" {
			t.Errorf("cookie with a POST: %v", r.header)
		}
		_, resp, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket")
		if err != nil || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("cookie with a WebSocket: %v, %v", resp, err)
		}
	})
	inBubble(t, &engineio.Options{Cookie: &http.Cookie{Name: "id", Path: "/x", SameSite: http.SameSiteStrictMode, Secure: true}}, func(s *site) {
		got := s.must("GET", "transport=polling", "").header.Get("Set-Cookie")
		if !strings.HasPrefix(got, "id=") || !strings.HasSuffix(got, "; Path=/x; HttpOnly; Secure; SameSite=Strict") {
			t.Errorf("cookie %q", got)
		}
	})
	inBubble(t, nil, func(s *site) {
		if got := s.must("GET", "transport=polling", "").header.Get("Set-Cookie"); got != "" {
			t.Errorf("cookie %q by default", got)
		}
	})
}

// What is known of a session.
func TestSessionHandshake(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		start := time.Now()
		s.must("GET", "transport=polling&a=b", "", "X-Mine", "yes")
		n := s.session()
		h := n.Handshake()
		if h.Header.Get("X-Mine") != "yes" || h.URL.Query().Get("a") != "b" || h.Host != "example.com" || h.Secure || !h.Time.Equal(start) || h.RemoteAddr == "" {
			t.Errorf("handshake %+v", h)
		}
		if n.Transport() != "polling" || n.ID() == "" {
			t.Errorf("%s on %s", n.ID(), n.Transport())
		}
	})
}

func TestCORS(t *testing.T) {
	const page = "http://localhost:5173"
	some := &engineio.CORS{Origins: []string{page}, Credentials: true, Headers: []string{"X-A", "X-B"}}
	for _, tt := range []struct {
		name   string
		cors   *engineio.CORS
		method string
		header []string
		status int
		want   map[string]string
	}{
		{"off", nil, "GET", []string{"Origin", page}, 200, map[string]string{"Access-Control-Allow-Origin": "", "Vary": ""}},
		{"listed", some, "GET", []string{"Origin", page}, 200, map[string]string{"Access-Control-Allow-Origin": page, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}},
		{"not listed", some, "GET", []string{"Origin", "http://localhost:5174"}, 200, map[string]string{"Access-Control-Allow-Origin": "", "Vary": "Origin"}},
		{"no origin", some, "GET", nil, 200, map[string]string{"Access-Control-Allow-Origin": "", "Vary": "Origin"}},
		{"any", &engineio.CORS{Origins: []string{"*"}}, "GET", []string{"Origin", page}, 200, map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "", "Access-Control-Expose-Headers": ""}},
		{"preflight for nothing more", &engineio.CORS{Origins: []string{page}}, "OPTIONS", []string{"Origin", page}, 204,
			map[string]string{"Access-Control-Allow-Headers": "", "Access-Control-Max-Age": "", "Vary": "Origin"}},
		{"on an error", some, "PUT", []string{"Origin", page}, 400, map[string]string{"Access-Control-Allow-Origin": page}},
		{"preflight", some, "OPTIONS", []string{"Origin", page, "Access-Control-Request-Method", "POST"}, 204,
			map[string]string{"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "GET,POST", "Access-Control-Allow-Headers": "X-A,X-B"}},
		{"preflight that asks", &engineio.CORS{Origins: []string{page}}, "OPTIONS", []string{"Origin", page, "Access-Control-Request-Headers", "x-c"}, 204,
			map[string]string{"Access-Control-Allow-Headers": "x-c", "Vary": "Origin, Access-Control-Request-Headers"}},
		{"one exposed", &engineio.CORS{Exposed: []string{"X-E"}}, "GET", []string{"Origin", page}, 200, map[string]string{"Access-Control-Expose-Headers": "X-E"}},
		{"all else", &engineio.CORS{Origins: []string{page}, Exposed: []string{"X-E", "X-F"}, Methods: []string{"GET", "PUT"}, MaxAge: time.Minute}, "OPTIONS", []string{"Origin", page}, 204,
			map[string]string{"Access-Control-Expose-Headers": "X-E,X-F", "Access-Control-Allow-Methods": "GET,PUT", "Access-Control-Max-Age": "60", "Vary": "Origin"}},
	} {
		refused := false
		hooks := engineio.Hooks{Refused: func(*http.Request, *engineio.Refusal) { refused = true }}
		inBubble(t, &engineio.Options{CORS: tt.cors, Hooks: hooks}, func(s *site) {
			r := s.must(tt.method, "transport=polling", "", tt.header...)
			synctest.Wait() // the hook may be called after the answer
			if refused != (tt.status >= 400) {
				t.Errorf("%s: the hook is told of a refusal: %v", tt.name, refused)
			}
			if r.status != tt.status {
				t.Errorf("%s: %d, want %d", tt.name, r.status, tt.status)
			}
			for name, want := range tt.want {
				if got := strings.Join(r.header.Values(name), ", "); got != want || want == "" && len(r.header.Values(name)) > 0 {
					t.Errorf("%s: %s is %q, want %q", tt.name, name, got, want)
				}
			}
		})
	}
}

// Whoever serves another path is told of a preflight that it is answered.
func TestAnswerCORS(t *testing.T) {
	server := newServer(t, func(*engineio.Session) engineio.Receiver { return nil }, &engineio.Options{CORS: &engineio.CORS{}})
	for method, want := range map[string]bool{"GET": false, "OPTIONS": true} {
		w := httptest.NewRecorder()
		if got := server.AnswerCORS(w, httptest.NewRequest(method, "/client.js", nil)); got != want {
			t.Errorf("%s: answered %v", method, got)
		}
		if got := w.Header().Get("Content-Length"); want && got != "0" {
			t.Errorf("%s: Content-Length %q, some browsers wait for a body without it", method, got)
		}
	}
}

// "One list rules CORS and the WebSocket origin check"; a refused origin is
// logged with both values.
func TestWebSocketOrigin(t *testing.T) {
	const page = "http://localhost:5173"
	log := new(lines)
	logger := slog.New(slog.NewTextHandler(io.MultiWriter(log), nil))
	try := func(cors *engineio.CORS) (err error) {
		inBubble(t, &engineio.Options{CORS: cors, Logger: logger}, func(s *site) {
			_, _, err = s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket", "Origin", page)
		})
		return err
	}
	if err := try(&engineio.CORS{Origins: []string{page}}); err != nil {
		t.Errorf("listed: %v", err)
	}
	if err := try(&engineio.CORS{Origins: []string{"*"}}); err != nil {
		t.Errorf("any: %v", err)
	}
	if log.String() != "" {
		t.Errorf("logged %q", log)
	}
	for _, cors := range []*engineio.CORS{nil, {Origins: []string{"http://localhost:5174"}}} {
		if e, ok := errors.AsType[*handshake.DialError](try(cors)); !ok || e.Status != 403 {
			t.Errorf("not listed: %v, want 403", e)
		}
	}
	if got := log.String(); !strings.Contains(got, page) || !strings.Contains(got, "example.com") {
		t.Errorf("logged %q, want both origin and host", got)
	}
}
