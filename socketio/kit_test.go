package socketio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// A logbook is a log that can be looked at.
type logbook struct {
	level slog.LevelVar // of the lines that it has
	mu    sync.Mutex
	b     bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A site is a server in memory, in a bubble of its own, and its clients.
type site struct {
	t    *testing.T
	io   *socketio.Server
	log  *logbook
	http *http.Client
}

// inBubble runs f with a server.
func inBubble(t *testing.T, o *socketio.Options, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, end := newSite(t, o)
		defer end()
		f(s)
	})
}

// newSite starts a server. end shuts it down.
func newSite(t *testing.T, o *socketio.Options) (s *site, end func()) {
	t.Helper()
	s = &site{t: t, log: new(logbook)}
	copied := socketio.Options{}
	if o != nil {
		copied = *o
	}
	copied.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: &s.log.level}))
	s.io = newServer(t, &copied)
	l := pipe.Listen()
	web := &http.Server{Handler: s.io}
	go web.Serve(l)
	transport := &http.Transport{DialContext: l.DialContext, DisableCompression: true}
	s.http = &http.Client{Transport: transport}
	return s, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // some handlers need one
		defer cancel()
		if err := s.io.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		transport.CloseIdleConnections()
		web.Close()
		l.Close()
	}
}

// newServer returns a server whose options are right.
func newServer(t *testing.T, o *socketio.Options) *socketio.Server {
	t.Helper()
	s, err := socketio.NewServer(socketio.InTestLoop(o))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request sends a request below the path and returns status, body and header.
func (s *site) request(method, target, body string, header ...string) (int, string, http.Header) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://example.com/socket.io/"+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header
}

// A poller is a client on long-polling that speaks raw payloads.
type poller struct {
	*site
	query string
}

func (s *site) poller() poller {
	s.t.Helper()
	_, open, _ := s.request("GET", "?EIO=4&transport=polling", "")
	return poller{s, "?EIO=4&transport=polling&sid=" + strings.Split(open, `"`)[3]}
}

func (p poller) post(body string) {
	p.t.Helper()
	if status, got, _ := p.request("POST", p.query, body); status != 200 {
		p.t.Errorf("POST %.50q: %d %s", body, status, got)
	}
}

func (p poller) wantGet(want string) {
	p.t.Helper()
	if status, got, _ := p.request("GET", p.query, ""); status != 200 || got != want {
		p.t.Errorf("GET: %d %q, want %q", status, got, want)
	}
}

// A raw is a client on WebSocket that speaks raw packets.
type raw struct {
	*site
	c   *conn.Conn
	sid string // of the last CONNECT that was answered
	pid string
}

func (s *site) dial() *raw {
	s.t.Helper()
	c, _, err := conn.Dial(s.t.Context(), "ws://example.com/socket.io/?EIO=4&transport=websocket", &conn.DialOptions{
		Handshake: handshake.DialOptions{HTTPClient: s.http},
		Conn:      conn.Options{Limits: conn.Limits{Message: -1, PingInterval: -1}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	r := &raw{site: s, c: c}
	if open := r.next(); !strings.HasPrefix(open, "0{") {
		s.t.Fatalf("open packet %q", open)
	}
	return r
}

// client returns a client that has joined the root namespace.
func (s *site) client() *raw {
	s.t.Helper()
	r := s.dial()
	r.connect("")
	return r
}

// next returns the next message, binary ones after "binary:".
func (r *raw) next() string {
	r.t.Helper()
	op, data, err := r.c.Read(r.t.Context())
	if err != nil {
		r.t.Fatalf("read: %v", err)
	}
	if op == conn.Binary {
		return "binary:" + string(data)
	}
	return string(data)
}

// read returns the next Socket.IO packet; pings are answered, for an hour.
func (r *raw) read() string {
	r.t.Helper()
	for start := time.Now(); ; {
		if time.Since(start) > time.Hour {
			r.t.Fatal("nothing to read")
		}
		p := r.next()
		switch {
		case p == "2":
			r.c.Write(r.t.Context(), conn.Text, []byte("3"))
		case strings.HasPrefix(p, "4"):
			return p[1:]
		default:
			return p
		}
	}
}

// want reads a packet, after calling first.
func (r *raw) want(packet string, first ...func()) {
	r.t.Helper()
	for _, f := range first {
		f()
	}
	if got := r.read(); got != packet {
		r.t.Errorf("read %.80q, want %.80q", got, packet)
	}
}

// send sends a Socket.IO packet.
func (r *raw) send(packet string) {
	r.t.Helper()
	if err := r.c.Write(r.t.Context(), conn.Text, []byte("4"+packet)); err != nil {
		r.t.Errorf("send %.50q: %v", packet, err)
	}
}

func (r *raw) sendBinary(data string) {
	r.t.Helper()
	if err := r.c.Write(r.t.Context(), conn.Binary, []byte(data)); err != nil {
		r.t.Errorf("send %.50q: %v", data, err)
	}
}

// connect joins a namespace: "" or "/name,", with auth after it.
func (r *raw) connect(namespaceAndAuth string) {
	r.t.Helper()
	r.send("0" + namespaceAndAuth)
	got := r.read()
	namespace, _, _ := strings.Cut(namespaceAndAuth, "{")
	data, ok := strings.CutPrefix(got, "0"+namespace)
	var answer struct{ SID, PID string }
	if !ok || json.Unmarshal([]byte(data), &answer) != nil || answer.SID == "" {
		r.t.Fatalf("CONNECT %s was answered %q", namespaceAndAuth, got)
	}
	r.sid, r.pid = answer.SID, answer.PID
}

// wantClosed reads until the connection ends.
func (r *raw) wantClosed() {
	r.t.Helper()
	for {
		if _, p, err := r.c.Read(r.t.Context()); err != nil {
			return
		} else if string(p) != "2" {
			r.t.Errorf("read %q, want the end", p)
		}
	}
}

// wantNothing checks that nothing was sent, and that the connection lives.
func (r *raw) wantNothing() {
	r.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	if _, p, err := r.c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		r.t.Errorf("read %q, %v, want nothing", p, err)
	}
}

// An echo namespace sends back what it gets, and acknowledges.
func echo(s *socketio.Socket) {
	s.OnEvent("message", func(e *socketio.Event) error {
		args, err := e.Args()
		if err != nil {
			return err
		}
		return s.Emit("message-back", args...)
	})
	s.OnEvent("message-with-ack", func(e *socketio.Event) error {
		args, err := e.Args()
		if err != nil {
			return err
		}
		return e.Ack(args...)
	})
}
