package conn_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A raw is a call of ServeConns, in memory.
type raw struct {
	t     *testing.T
	s     *conn.Server
	l     *pipe.Listener
	ended chan error // what ServeConns has returned
}

// serveConns lets s serve a listener in memory until the test ends.
func serveConns(t *testing.T, s *conn.Server) *raw {
	t.Helper()
	w := &raw{t, s, pipe.Listen(), make(chan error, 1)}
	go func() { w.ended <- s.ServeConns(w.l) }()
	t.Cleanup(func() {
		wantNoError(t, s.Shutdown(context.Background()))
		wantError(t, <-w.ended, http.ErrServerClosed)
	})
	return w
}

// connect returns a connection on which nothing was said yet.
func (w *raw) connect() net.Conn {
	w.t.Helper()
	nc, err := w.l.DialContext(w.t.Context(), "", "")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { nc.Close() })
	return nc
}

// dial opens a WebSocket connection.
func (w *raw) dial(path string) (*conn.Conn, error) {
	return dialThrough(w.t, w.l.DialContext, "ws://memory.test"+path)
}

func dialThrough(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), url string) (*conn.Conn, error) {
	c, _, err := conn.Dial(t.Context(), url, &conn.DialOptions{Handshake: handshake.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
	}})
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, err
}

// rawRequest is an upgrade request with some fields more, each with its CR LF.
func rawRequest(fields string) string {
	return "GET /room?x=1 HTTP/1.1\r\nHost: memory.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + "\r\n"
}

// A refusals collects what OnRefuse is told.
type refusals chan refused

type refused struct {
	r   *http.Request
	err error
}

func (c refusals) add(r *http.Request, err error) { c <- refused{r, err} }

// ServeConns serves with Serve and with Handle, each with a request and a ctx as
// ServeHTTP has them.
func TestServeConns(t *testing.T) {
	check := func(ctx context.Context, c *conn.Conn, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/room" || r.FormValue("x") != "1" || r.RequestURI != "/room?x=1" ||
			r.Host != "memory.test" || r.Header.Get("Upgrade") != "websocket" || r.RemoteAddr != c.RemoteAddr().String() || r.TLS != nil {
			t.Errorf("request %+v", r)
		}
		if got := ctx.Value(http.LocalAddrContextKey); got != c.LocalAddr() {
			t.Errorf("the ctx has the address %v, want %v", got, c.LocalAddr())
		}
		if ctx.Value(contextKey{}) != nil {
			t.Error("the ctx has a value from nowhere")
		}
	}
	ended := make(chan struct{}, 1)
	servers := map[string]*conn.Server{
		"Serve": {Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
			check(ctx, c, r)
			context.AfterFunc(ctx, func() { ended <- struct{}{} })
			return echo(ctx, c, r)
		}},
		"Handle": {Handle: func(ctx context.Context, c *conn.Conn, r *http.Request) func(conn.Message) error {
			check(ctx, c, r)
			context.AfterFunc(ctx, func() { ended <- struct{}{} })
			return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
		}},
	}
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			w := serveConns(t, s)
			c, err := w.dial("/room?x=1")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				wantEcho(t, c)
			}
			wantNoError(t, c.Close(frame.StatusNormalClosure, ""))
			<-ended
			if c, err = w.dial("/room?x=1"); err != nil {
				t.Fatal(err)
			}
			wantEcho(t, c)
			go s.Shutdown(t.Context())
			_, _, err = c.Read(t.Context())
			wantClosed(t, err, frame.StatusGoingAway)
			<-ended
			if _, err := w.dial("/"); err == nil {
				t.Error("a connection was accepted after Shutdown")
			}
		})
	}
}

// Sockets, several listeners, TLS, and net/http beside them; on goroutines and on a
// loop.
func TestServeConnsListeners(t *testing.T) {
	hello := func(ctx context.Context, c *conn.Conn, r *http.Request) {
		wantNoError(t, c.Write(ctx, conn.Text, fmt.Appendf(nil, "%s, TLS %v", r.Host, r.TLS != nil)))
	}
	handle := func(ctx context.Context, c *conn.Conn, r *http.Request) func(conn.Message) error {
		hello(ctx, c, r)
		return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
	}
	for name, s := range map[string]*conn.Server{
		"Serve": {Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
			hello(ctx, c, r)
			return echo(ctx, c, r)
		}},
		"Handle":         {Handle: handle},
		"Handle, looped": {Handle: handle, Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}}},
	} {
		t.Run(name, func(t *testing.T) { overListeners(t, s) })
	}
}

func overListeners(t *testing.T, s *conn.Server) {
	web := httptest.NewTLSServer(s)
	defer web.Close()
	ended := make(chan error, 3)
	listen := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	plain, unix := listen("tcp", "127.0.0.1:0"), listen("unix", t.TempDir()+"/socket")
	secure := tls.NewListener(listen("tcp", "127.0.0.1:0"), &tls.Config{Certificates: web.TLS.Certificates})
	for _, l := range []net.Listener{plain, unix, secure} {
		go func() { ended <- s.ServeConns(l) }()
	}
	var d net.Dialer
	var conns []*conn.Conn
	for _, tt := range []struct{ url, want string }{
		{"ws://" + plain.Addr().String(), plain.Addr().String() + ", TLS false"},
		{"wss://" + secure.Addr().String(), secure.Addr().String() + ", TLS true"},
		{"wss" + strings.TrimPrefix(web.URL, "https"), web.Listener.Addr().String() + ", TLS true"},
		{"ws://unix.test", "unix.test, TLS false"},
	} {
		h := web.Client()
		if strings.Contains(tt.url, "unix") {
			h = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", unix.Addr().String())
			}}}
		}
		c, _, err := conn.Dial(t.Context(), tt.url, &conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: h}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.url, got, err, tt.want)
		}
		wantEcho(t, c)
		conns = append(conns, c)
	}
	down := call(func() error { return s.Shutdown(t.Context()) })
	for _, c := range conns {
		_, _, err := c.Read(t.Context())
		wantClosed(t, err, frame.StatusGoingAway)
	}
	wantNoError(t, <-down)
	for range cap(ended) {
		wantError(t, <-ended, http.ErrServerClosed)
	}
	for _, l := range []net.Listener{plain, unix, secure} {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a listener is open after Shutdown: %v", err)
		}
	}
}

// What the client sends along with its request is not lost, though its direction of
// the stream ends there.
func TestServeConnsPipelined(t *testing.T) {
	w := serveConns(t, &conn.Server{Serve: echo})
	nc := w.connect()
	in := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Length: 5}.Append([]byte(rawRequest("")))
	io.WriteString(nc, string(in)+"hello") // the key is 0
	nc.(interface{ CloseWrite() error }).CloseWrite()
	var got bytes.Buffer
	for !strings.HasSuffix(got.String(), "\r\n\r\n\x81\x05hello") {
		if _, err := io.CopyN(&got, nc, 1); err != nil {
			t.Fatalf("%q, %v", &got, err)
		}
	}
}

// OnRefuse is told of every connection that opens nothing, with what is known of
// its request, and a hook that panics costs its own connection alone.
func TestServeConnsRefuses(t *testing.T) {
	told := make(refusals, 1)
	w := serveConns(t, &conn.Server{
		Serve: echo,
		Options: &conn.AcceptOptions{Handshake: handshake.Options{Before: func(r *http.Request) (http.Header, error) {
			switch r.Header.Get("X") {
			case "panic":
				panic("a hook")
			case "refuse":
				return nil, &handshake.Error{Status: http.StatusTeapot}
			}
			return nil, nil
		}}},
		OnRefuse: told.add,
	})
	for _, tt := range []struct {
		name, in, path string
		status         int // 0: no answer
		err            error
	}{
		{"nothing", "", "", 0, io.EOF},
		{"half a request", rawRequest("")[:60], "/room", 0, io.ErrUnexpectedEOF},
		{"garbage", "\x16\x03\x01", "", 400, nil},
		{"folded field", rawRequest("X: a\r\n b\r\n"), "/room", 400, nil},
		{"huge head", rawRequest(strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 20)), "/room", 431, nil},
		{"no upgrade", "GET /plain HTTP/1.1\r\nHost: memory.test\r\n\r\n", "/plain", 426, nil},
		{"origin", rawRequest("Origin: http://other.test\r\n"), "/room", 403, nil},
		{"hook", rawRequest("X: refuse\r\n"), "/room", 418, nil},
		{"panic", rawRequest("X: panic\r\n"), "/room", 0, nil},
	} {
		nc := w.connect()
		go func() { // a refusal may come before all is read
			io.WriteString(nc, tt.in)
			nc.(interface{ CloseWrite() error }).CloseWrite()
		}()
		answer, _ := io.ReadAll(nc)
		if want := fmt.Sprintf("HTTP/1.1 %d ", tt.status); tt.status == 0 && len(answer) > 0 || tt.status > 0 && !strings.HasPrefix(string(answer), want) {
			t.Errorf("%s: answer %q, want status %d", tt.name, answer, tt.status)
		}
		got := <-told
		if got.r.RemoteAddr != nc.LocalAddr().String() || got.r.URL.Path != tt.path || got.r.Header == nil {
			t.Errorf("%s: told of %+v", tt.name, got.r)
		}
		e, isError := errors.AsType[*handshake.Error](got.err)
		p, isPanic := errors.AsType[*conn.PanicError](got.err)
		switch {
		case tt.err != nil && !errors.Is(got.err, tt.err), tt.status > 0 && (!isError || e.Status != tt.status),
			tt.name == "panic" && (!isPanic || p.Value != "a hook" || len(p.Stack) == 0):
			t.Errorf("%s: told %v", tt.name, got.err)
		}
	}
	c, err := w.dial("/")
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, c)
}

// Faults of the program are logged: a hook that panics, where OnRefuse is nil, and
// an OnRefuse that does. The process lives.
func TestServeConnsLogs(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for name, s := range map[string]*conn.Server{
		"in a hook": {Serve: echo, Options: &conn.AcceptOptions{Handshake: handshake.Options{
			Before: func(*http.Request) (http.Header, error) { panic("in a hook") },
		}}},
		"in OnRefuse": {Serve: echo, Options: &conn.AcceptOptions{Handshake: handshake.Options{
			Before: func(*http.Request) (http.Header, error) { return nil, errEnough },
		}}, OnRefuse: func(*http.Request, error) { panic("in OnRefuse") }},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			w := serveConns(t, s)
			nc := w.connect()
			io.WriteString(nc, rawRequest(""))
			nc.(interface{ CloseWrite() error }).CloseWrite()
			io.ReadAll(nc)
			wantNoError(t, s.Shutdown(t.Context())) // the log is written
			for _, want := range []string{name, "TestServeConnsLogs"} {
				if strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), want) {
					t.Errorf("want an error with %q: %s", want, &log)
				}
			}
		})
	}
}

// A request with another ctx that a hook has put in its place is what Serve gets,
// with the values of that ctx and without its end.
func TestServeConnsValues(t *testing.T) {
	saw := make(chan error, 1)
	w := serveConns(t, &conn.Server{
		Options: &conn.AcceptOptions{Handshake: handshake.Options{Before: func(r *http.Request) (http.Header, error) {
			ctx, cancel := context.WithCancel(context.WithValue(r.Context(), contextKey{}, "a value"))
			defer cancel()
			*r = *r.WithContext(ctx)
			return nil, nil
		}}},
		Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) (err error) {
			if ctx.Value(contextKey{}) != "a value" || ctx.Value(http.LocalAddrContextKey) != c.LocalAddr() || ctx.Err() != nil || r.Context().Err() == nil {
				err = fmt.Errorf("ctx %v", ctx)
			}
			saw <- err
			return nil
		},
	})
	if _, err := w.dial("/"); err != nil {
		t.Fatal(err)
	}
	wantNoError(t, <-saw)
}

// An idle connection keeps nothing of its request.
func TestServeConnsKeepsNothing(t *testing.T) {
	freed := make(chan string, 2)
	w := serveConns(t, &conn.Server{
		Handle: func(ctx context.Context, c *conn.Conn, r *http.Request) func(conn.Message) error {
			runtime.AddCleanup(r, func(what string) { freed <- what }, "request")
			runtime.AddCleanup(r.URL, func(what string) { freed <- what }, "URL")
			return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
		},
	})
	c, err := w.dial("/")
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, c)
	for range cap(freed) {
		patience := time.After(10 * time.Second)
		for waiting := true; waiting; {
			runtime.GC()
			select {
			case <-freed:
				waiting = false
			case <-patience:
				t.Fatal("the request is kept")
			default:
			}
		}
	}
	wantEcho(t, c)
}

// A counter is a listener that counts how often it is closed.
type counter struct {
	net.Listener
	closed atomic.Int32
}

func (l *counter) Close() error {
	l.closed.Add(1)
	return l.Listener.Close()
}

// ServeConns closes its listener once, whatever it returns.
func TestServeConnsCloses(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *conn.Server
		stop func(*conn.Server, net.Listener)
		want error // nil: another one
	}{
		{"Shutdown", &conn.Server{Serve: echo}, func(s *conn.Server, _ net.Listener) { s.Shutdown(context.Background()) }, http.ErrServerClosed},
		{"Shutdown before", &conn.Server{Serve: echo}, nil, http.ErrServerClosed},
		{"Listener.Close", &conn.Server{Serve: echo}, func(_ *conn.Server, l net.Listener) { l.Close() }, net.ErrClosed},
		{"neither Serve nor Handle", &conn.Server{}, nil, nil},
		{"bad options", &conn.Server{Serve: echo, Options: &conn.AcceptOptions{Handshake: handshake.Options{Origins: []string{"://"}}}}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &counter{Listener: pipe.Listen()}
				if tt.name == "Shutdown before" {
					wantNoError(t, tt.s.Shutdown(t.Context()))
				}
				ended := call(func() error { return tt.s.ServeConns(l) })
				if synctest.Wait(); tt.stop != nil {
					tt.stop(tt.s, l.Listener)
				}
				err := <-ended
				if tt.want != nil {
					wantError(t, err, tt.want)
				} else if err == nil || !strings.HasPrefix(err.Error(), "websocket: serve: ") {
					t.Errorf("error %v", err)
				}
				if n := l.closed.Load(); n != 1 {
					t.Errorf("the listener was closed %d times", n)
				}
			})
		})
	}
}
