package engineio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/pipe"
)

var inLoop = flag.Bool("loop", false, "have a loop serve the WebSockets")

func TestMain(m *testing.M) {
	flag.Parse()
	if *inLoop {
		pipe.Loop()
	}
	leakcheck.Main(m)
}

// A site is a server in memory, in a bubble of its own, whose sessions send
// back what they get, and the clients of it.
type site struct {
	t        *testing.T
	server   *engineio.Server
	listener *pipe.Listener
	http     *http.Client
	sessions chan *engineio.Session // as they open
	ends     chan engineio.Reason   // as they close
}

// An echo is the receiver of a session.
type echo struct {
	site *site
	s    *engineio.Session
}

func (e echo) Message(data []byte, binary bool) { e.s.Send(engineio.NewMessage(data, binary)) }
func (e echo) Closed(r engineio.Reason)         { e.site.ends <- r }

// inBubble runs f with a site.
func inBubble(t *testing.T, o *engineio.Options, f func(s *site)) {
	t.Helper()
	withReceiver(t, o, nil, f)
}

// withReceiver is inBubble with receivers of its own.
func withReceiver(t *testing.T, o *engineio.Options, receive func(e echo) engineio.Receiver, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		quiet := engineio.Options{}
		if o != nil {
			quiet = *o
		}
		if quiet.Logger == nil {
			quiet.Logger = slog.New(slog.DiscardHandler)
		}
		s := &site{t: t, listener: pipe.Listen(), sessions: make(chan *engineio.Session, 100), ends: make(chan engineio.Reason, 100)}
		s.server = newServer(t, func(n *engineio.Session) engineio.Receiver {
			s.sessions <- n
			e := echo{s, n}
			if receive != nil {
				return receive(e)
			}
			return e
		}, &quiet)
		web := &http.Server{Handler: s.server}
		go web.Serve(s.listener)
		transport := &http.Transport{DialContext: s.listener.DialContext, DisableCompression: true}
		s.http = &http.Client{Transport: transport}
		f(s)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // some receivers need one
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		transport.CloseIdleConnections()
		web.Close()
		s.listener.Close()
		time.Sleep(time.Second) // net/http's, for a client whose body was too long
	})
}

// newServer returns a server whose options are right.
func newServer(t *testing.T, open func(*engineio.Session) engineio.Receiver, o *engineio.Options) *engineio.Server {
	t.Helper()
	if *inLoop {
		looped := engineio.Options{}
		if o != nil {
			looped = *o
		}
		looped.Loop = &conn.Loop{}
		o = &looped
	}
	server, err := engineio.NewServer(open, o)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// A response is what a request got.
type response struct {
	status int
	body   string
	header http.Header
}

const base = "http://example.com/engine.io/"

// do sends a request: query without EIO=4, which is added, and header fields
// as names and values.
func (s *site) do(ctx context.Context, method, query, body string, header ...string) (response, error) {
	return s.raw(ctx, method, base+"?EIO=4&"+query, body, header...)
}

func (s *site) raw(ctx context.Context, method, target, body string, header ...string) (response, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, string(b), resp.Header}, err
}

// must is do for a request that has to be answered.
func (s *site) must(method, query, body string, header ...string) response {
	s.t.Helper()
	r, err := s.do(s.t.Context(), method, query, body, header...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, query, err)
	}
	return r
}

func (s *site) get(sid string) response {
	s.t.Helper()
	return s.must("GET", "transport=polling&sid="+url.QueryEscape(sid), "")
}

func (s *site) post(sid, body string, header ...string) response {
	s.t.Helper()
	return s.must("POST", "transport=polling&sid="+url.QueryEscape(sid), body, header...)
}

// wantGet and wantPost compare status and body.
func (s *site) wantGet(sid string, status int, body string) {
	s.t.Helper()
	if r := s.get(sid); r.status != status || r.body != body {
		s.t.Errorf("GET: %d %q, want %d %q", r.status, r.body, status, body)
	}
}

func (s *site) wantPost(sid, data string, status int, body string) {
	s.t.Helper()
	if r := s.post(sid, data); r.status != status || r.body != body {
		s.t.Errorf("POST %.40q: %d %q, want %d %q", data, r.status, r.body, status, body)
	}
}

// The refusals, as they are on the wire.
const (
	unknownTransport = `{"code":0,"message":"Transport unknown"}`
	unknownSession   = `{"code":1,"message":"Session ID unknown"}`
	badMethod        = `{"code":2,"message":"Bad handshake method"}`
	badRequest       = `{"code":3,"message":"Bad request"}`
	badVersion       = `{"code":5,"message":"Unsupported protocol version"}`
)

// later starts a GET and returns where its answer will be.
func (s *site) later(sid string) <-chan response {
	answer := make(chan response, 1)
	go func() {
		r, err := s.do(s.t.Context(), "GET", "transport=polling&sid="+url.QueryEscape(sid), "")
		if err != nil {
			r = response{body: err.Error()}
		}
		answer <- r
	}()
	synctest.Wait()
	return answer
}

func (s *site) wantAnswer(answer <-chan response, status int, body string) {
	s.t.Helper()
	if r := <-answer; r.status != status || r.body != body {
		s.t.Errorf("answer: %d %q, want %d %q", r.status, r.body, status, body)
	}
}

func (s *site) wantWaiting(answer <-chan response) {
	s.t.Helper()
	synctest.Wait()
	select {
	case r := <-answer:
		s.t.Fatalf("answer: %d %q, want none yet", r.status, r.body)
	default:
	}
}

type openData struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"`
	PingTimeout  int      `json:"pingTimeout"`
	MaxPayload   int64    `json:"maxPayload"`
}

// open opens a session on long-polling.
func (s *site) open() string {
	s.t.Helper()
	r := s.must("GET", "transport=polling", "")
	if r.status != 200 || !strings.HasPrefix(r.body, "0") {
		s.t.Fatalf("handshake: %d %q", r.status, r.body)
	}
	var data openData
	if err := json.Unmarshal([]byte(r.body[1:]), &data); err != nil {
		s.t.Fatal(err)
	}
	return data.SID
}

// session returns the session that was opened last.
func (s *site) session() *engineio.Session {
	s.t.Helper()
	synctest.Wait()
	var n *engineio.Session
	for {
		select {
		case n = <-s.sessions:
			continue
		default:
		}
		break
	}
	if n == nil {
		s.t.Fatal("no session opened")
	}
	return n
}

// wantEnd waits for the end of a session.
func (s *site) wantEnd(want engineio.Reason) {
	s.t.Helper()
	synctest.Wait()
	select {
	case got := <-s.ends:
		if got != want {
			s.t.Errorf("session ended: %v, want %v", got, want)
		}
	default:
		s.t.Errorf("session lives, want it ended: %v", want)
	}
}

func (s *site) wantAlive() {
	s.t.Helper()
	synctest.Wait()
	select {
	case got := <-s.ends:
		s.t.Errorf("session ended: %v, want it alive", got)
	default:
	}
}

// A socket is a WebSocket client.
type socket struct {
	*site
	c *conn.Conn
}

func (s *site) dial(target string, header ...string) (*conn.Conn, *http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return conn.Dial(s.t.Context(), target, &conn.DialOptions{
		Handshake: handshake.DialOptions{HTTPClient: s.http, Header: h},
		Conn:      conn.Options{Limits: conn.Limits{Message: -1, PingInterval: -1}},
	})
}

func (s *site) websocket(query string) socket {
	s.t.Helper()
	c, _, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket" + query)
	if err != nil {
		s.t.Fatal(err)
	}
	return socket{s, c}
}

// openWebSocket opens a session on WebSocket.
func (s *site) openWebSocket() socket {
	s.t.Helper()
	w := s.websocket("")
	if open := w.read(); !strings.HasPrefix(open, "0{") {
		s.t.Fatalf("first packet: %q", open)
	}
	return w
}

func (w socket) send(packet string) {
	w.t.Helper()
	if err := w.c.Write(w.t.Context(), conn.Text, []byte(packet)); err != nil {
		w.t.Errorf("send %.40q: %v", packet, err)
	}
}

func (w socket) sendBinary(data string) {
	w.t.Helper()
	if err := w.c.Write(w.t.Context(), conn.Binary, []byte(data)); err != nil {
		w.t.Errorf("send %.40q: %v", data, err)
	}
}

// read returns the next message, binary ones after "binary:".
func (w socket) read() string {
	w.t.Helper()
	op, data, err := w.c.Read(w.t.Context())
	if err != nil {
		w.t.Fatalf("read: %v", err)
	}
	if op == conn.Binary {
		return "binary:" + string(data)
	}
	return string(data)
}

func (w socket) want(packet string) {
	w.t.Helper()
	if got := w.read(); got != packet {
		w.t.Errorf("read %.60q, want %.60q", got, packet)
	}
}

// wantClosed reads until the server closes.
func (w socket) wantClosed() {
	w.t.Helper()
	for {
		_, data, err := w.c.Read(w.t.Context())
		if err != nil {
			if _, ok := errors.AsType[*conn.CloseError](err); !ok {
				w.t.Errorf("the end of a WebSocket: %v, want a Close frame", err)
			}
			return
		}
		w.t.Errorf("read %q, want the end", data)
	}
}

// upgraded opens a session on long-polling and moves it to a WebSocket.
func (s *site) upgraded() (sid string, w socket) {
	s.t.Helper()
	sid = s.open()
	w = s.websocket("&sid=" + sid)
	w.send("2probe")
	w.want("3probe")
	w.send("5")
	synctest.Wait()
	return sid, w
}

// A lines buffer is a log that can be looked at.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
