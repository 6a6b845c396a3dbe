package proof

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/wstest"
)

// An arena is where one limit is tripped: in a bubble, with a server that has a client
// which breaks no rule.
type arena struct {
	*testing.T
	l     *pipe.Listener
	shell shell

	server *conn.Server // of WebSocket, if there is one

	blocked atomic.Int32  // messages "block" that are handled
	release chan struct{} // ends that

	mu   sync.Mutex
	told bytes.Buffer // what the operator is told: by hooks, by errors of functions, and in the log

	honest func(context.Context) error // has the client that breaks no rule served; nil: there is none
	ends   []func()                    // in the reverse order
}

// tell is what the operator's hooks do.
func (a *arena) tell(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(&a.told, format+"\n", args...)
}

// Write implements io.Writer, for the log.
func (a *arena) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.told.Write(p)
}

func (a *arena) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(a, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// wasTold returns what the operator was told.
func (a *arena) wasTold() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.told.String()
}

// later calls f at the end.
func (a *arena) later(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ends = append(a.ends, f)
}

// end ends the arena.
func (a *arena) end() {
	for {
		a.mu.Lock()
		last := len(a.ends) - 1
		if last < 0 {
			a.mu.Unlock()
			break
		}
		f := a.ends[last]
		a.ends = a.ends[:last]
		a.mu.Unlock()
		f()
	}
	if a.shell != outside { // there leakcheck sees what is left
		a.l.Close()
		time.Sleep(time.Minute) // what is closed in the background has ended then
	}
}

// settle waits until all have done what they can.
func (a *arena) settle() {
	if a.shell != outside {
		synctest.Wait()
	}
}

// goroutines counts those of the arena, once all have done what they can.
func (a *arena) goroutines() int {
	synctest.Wait()
	return leakcheck.Bubbled()
}

// must ends the test if err is an error.
func (a *arena) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// within ends what takes too long.
func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// webSocket starts a server, with net/http or without it.
func (a *arena) webSocket(o *conn.AcceptOptions, raw bool) {
	a.Helper()
	a.served(&conn.Server{Options: o}, raw)
}

// served starts a given server, whose Handle does as its clients say.
func (a *arena) served(s *conn.Server, raw bool) {
	a.Helper()
	options := conn.AcceptOptions{}
	if s.Options != nil {
		options = *s.Options
	}
	options.Conn.Loop = a.loop()
	s.Options = &options
	s.Handle = func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
		return func(m conn.Message) error { return a.obey(ctx, c, m) }
	}
	s.OnEnd = func(_ *conn.Conn, err error) { a.tell("%v", err) }
	s.OnRefuse = func(_ *http.Request, err error) { a.tell("%v", err) }
	if s.OnError == nil {
		s.OnError = func(_ *conn.Conn, err error) { a.tell("%v", err) }
	}
	a.server = s
	stop := func() {}
	if raw {
		go s.ServeConns(a.l)
	} else {
		stop = a.web(s)
	}
	a.later(func() {
		ctx, cancel := within()
		defer cancel()
		s.Shutdown(ctx)
		stop()
	})
	a.meetHonest()
}

// obey does what a message says, by default echo it.
func (a *arena) obey(ctx context.Context, c *conn.Conn, m conn.Message) error {
	switch string(m.Payload) {
	case "panic":
		panic("it was asked to")
	case "write 8 MiB":
		start := time.Now()
		err := c.Write(ctx, conn.Binary, make([]byte, 8<<20))
		a.tell("after %v", time.Since(start).Truncate(time.Second))
		return err
	case "send for ever":
		message := conn.NewPrepared(conn.Text, []byte("message"))
		for n := 0; ; n++ {
			if err := c.Send(message); err != nil {
				a.tell("message %d", n)
				return err
			}
		}
	case "close together":
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { c.Close(frame.StatusNormalClosure, "") })
		}
		all.Wait()
		return nil
	case "block":
		a.blocked.Add(1)
		<-a.release
		a.blocked.Add(-1)
		return nil
	}
	return c.Write(ctx, m.Type, m.Payload)
}

// web serves h by net/http.
func (a *arena) web(h http.Handler) (stop func()) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go server.Serve(a.l)
	return func() { server.Close() }
}

// client returns an HTTP client whose connections the arena ends.
func (a *arena) client() *http.Client {
	t := &http.Transport{DialContext: a.l.DialContext, DisableCompression: true}
	a.later(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// meetHonest connects the client that breaks no rule.
func (a *arena) meetHonest() {
	a.Helper()
	ctx, cancel := within()
	defer cancel()
	c, _, err := conn.Dial(ctx, "ws://example.com/", &conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: a.client()}})
	a.must(err)
	echoes := make(chan string, 1)
	go c.Each(context.Background(), func(m conn.Message) error {
		echoes <- string(m.Payload)
		return nil
	})
	a.honest = func(ctx context.Context) error {
		if err := c.Write(ctx, conn.Text, []byte("honest")); err != nil {
			return err
		}
		select {
		case <-echoes:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a.later(func() {
		c.CloseNow()
		<-c.Done()
	})
	a.wantServed()
}

// wantServed says that the other client is served.
func (a *arena) wantServed() {
	a.Helper()
	if a.honest != nil {
		ctx, cancel := within()
		defer cancel()
		if err := a.honest(ctx); err != nil {
			a.Errorf("the honest client: %v", err)
		}
	}
}

// dial returns a stream to the server, whose end the arena sees to.
func (a *arena) dial() net.Conn {
	a.Helper()
	ctx, cancel := within()
	defer cancel()
	nc, err := a.l.DialContext(ctx, "", "")
	a.must(err)
	a.later(func() { nc.Close() })
	return nc
}

// upgrade is a request that opens a WebSocket.
const upgrade = "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

// answer sends a request and returns the response.
func (a *arena) answer(request string) *http.Response {
	a.Helper()
	nc := a.dial()
	go io.WriteString(nc, request)
	nc.SetReadDeadline(time.Now().Add(time.Minute))
	r, err := http.ReadResponse(bufio.NewReader(nc), nil)
	a.must(err)
	nc.Close()
	return r
}

// wantStatus sends requests, each of which is answered with a status.
func (a *arena) wantStatus(status int, requests ...string) {
	a.Helper()
	for _, request := range requests {
		if r := a.answer(request); r.StatusCode != status {
			a.Errorf("%.60q...: %s, want %d", request, r.Status, status)
		}
	}
}

// loop returns the loop of a server's options.
func (a *arena) loop() *conn.Loop {
	switch a.shell {
	case onLoop:
		return &conn.Loop{}
	case byDefault:
		return nil
	}
	return &conn.Loop{After: -1}
}

// allocated returns how many bytes f has allocated.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// socketIO starts a server of Socket.IO, whose clients may do everything.
func (a *arena) socketIO(o *socketio.Options) *socketio.Server {
	a.Helper()
	copied := socketio.Options{}
	if o != nil {
		copied = *o
	}
	copied.Logger, copied.Engine.Loop = a.log(), a.loop()
	copied.Engine.Hooks.Refused = func(_ *http.Request, e *engineio.Refusal) { a.tell("%v", e) }
	io, err := socketio.NewServer(&copied)
	a.must(err)
	stop := a.web(io)
	a.later(func() {
		ctx, cancel := within()
		defer cancel()
		io.Shutdown(ctx)
		stop()
	})
	return io
}

// webSocketTarget opens a session on WebSocket.
const webSocketTarget = "/socket.io/?EIO=4&transport=websocket"

// session opens a session on WebSocket and joins the root namespace.
func (a *arena) session() *wstest.Peer {
	a.Helper()
	p := a.peerAt(webSocketTarget, "")
	a.wantText(p, "0")
	p.Send(wstest.Text("40"))
	a.wantText(p, "40")
	return p
}

// wantText reads a text message that begins with something.
func (a *arena) wantText(p *wstest.Peer, begin string) {
	a.Helper()
	f, err := p.Next()
	if err != nil || f.Header.Opcode != frame.Text || !strings.HasPrefix(string(f.Payload), begin) {
		a.Fatalf("got %v, %v; want a text that begins with %q", f, err, begin)
	}
}

// wantOver reads to the end of the connection.
func (a *arena) wantOver(p *wstest.Peer) {
	a.Helper()
	p.Timeout = 10 * time.Minute
	for {
		f, err := p.Next()
		switch {
		case errors.Is(err, io.EOF), err != nil && strings.Contains(err.Error(), "closed"):
			return
		case err != nil:
			a.Fatalf("it was not closed: %v", err)
		case f.Header.Opcode == frame.Close:
			p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		}
	}
}

// polling opens a session on long-polling and returns its id.
func (a *arena) polling(c *http.Client) (sid string) {
	a.Helper()
	status, body := a.request(c, "GET", "", "")
	_, sid, _ = strings.Cut(body, `"sid":"`)
	sid, _, _ = strings.Cut(sid, `"`)
	if status != 200 || sid == "" {
		a.Fatalf("no session: %d %q", status, body)
	}
	return sid
}

// request sends a request of long-polling.
func (a *arena) request(c *http.Client, method, sid, body string) (int, string) {
	a.Helper()
	url := "http://example.com/socket.io/?EIO=4&transport=polling"
	if sid != "" {
		url += "&sid=" + sid
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	a.must(err)
	if method == "POST" {
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	resp, err := c.Do(r)
	a.must(err)
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}
