package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A memoryNet is a network of one address: what is dialed is accepted.
type memoryNet struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (n *memoryNet) Accept() (net.Conn, error) {
	select {
	case nc := <-n.accept:
		return nc, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *memoryNet) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *memoryNet) Addr() net.Addr { return &net.TCPAddr{} }

func (n *memoryNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a, b := pipe.New()
	select {
	case n.accept <- a:
		return b, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveInMemory runs s behind an http.Server and returns a function that dials it.
func serveInMemory(t *testing.T, s *conn.Server) (dial func() (*conn.Conn, error)) {
	t.Helper()
	n := &memoryNet{accept: make(chan net.Conn), closed: make(chan struct{})}
	hs := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(n) }()
	t.Cleanup(func() {
		hs.Close()
		<-served
	})
	o := &conn.DialOptions{Handshake: handshake.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}},
	}}
	return func() (*conn.Conn, error) {
		c, _, err := conn.Dial(t.Context(), "ws://memory.test/", o)
		if err == nil {
			t.Cleanup(func() { c.CloseNow() })
		}
		return c, err
	}
}

// mustDial dials and fails the test if that fails.
func mustDial(t *testing.T, dial func() (*conn.Conn, error)) *conn.Conn {
	t.Helper()
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// echo serves a connection by sending back what comes.
func echo(ctx context.Context, c *conn.Conn, _ *http.Request) error {
	return c.Each(ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) })
}

// wantEcho fails the test unless c is served by echo.
func wantEcho(t *testing.T, c *conn.Conn) {
	t.Helper()
	if err := c.Write(t.Context(), conn.Text, []byte("alive")); err != nil {
		t.Error(err)
	}
	if _, got, err := c.Read(t.Context()); err != nil || string(got) != "alive" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A Serve that panics, wherever it is, costs its own connection alone: the
// peer sees 1011, OnError what it was, and the others live.
func TestServerPanic(t *testing.T) {
	ctx := context.Background()
	panics := map[string]func(context.Context, *conn.Conn){
		"Serve": func(context.Context, *conn.Conn) { panic("Serve") },
		"Each": func(ctx context.Context, c *conn.Conn) {
			c.Each(ctx, func(conn.Message) error { panic("Each") })
		},
		"Read": func(ctx context.Context, c *conn.Conn) {
			c.Read(ctx)
			panic("Read")
		},
		"Reader": func(ctx context.Context, c *conn.Conn) {
			c.Reader(ctx)
			panic("Reader")
		},
		"Writer": func(ctx context.Context, c *conn.Conn) {
			c.Read(ctx)
			w, _ := c.Writer(ctx, conn.Text)
			w.Write([]byte("never sent"))
			panic("Writer")
		},
		"error": func(context.Context, *conn.Conn) { panic(errEnough) },
	}
	for name, serve := range panics {
		t.Run(name, func(t *testing.T) {
			var first atomic.Bool
			panicked := make(chan any, 1)
			dial := serveInMemory(t, &conn.Server{
				Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
					if first.CompareAndSwap(false, true) {
						return echo(ctx, c, r)
					}
					serve(ctx, c)
					return nil
				},
				OnError: func(c *conn.Conn, err error) {
					p, ok := errors.AsType[*conn.PanicError](err)
					if c == nil || !ok || !bytes.Contains(p.Stack, []byte("TestServerPanic")) {
						t.Errorf("Conn %p, error %v", c, err)
						p = &conn.PanicError{}
					}
					panicked <- p.Value
				},
			})
			other := mustDial(t, dial)
			wantEcho(t, other) // its Serve is the first
			c := mustDial(t, dial)
			if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			_, _, err := c.Read(ctx)
			wantClosed(t, err, frame.StatusInternalError)
			if v := <-panicked; v != any(name) && v != any(errEnough) {
				t.Errorf("panicked with %v", v)
			}
			wantEcho(t, other)
		})
	}
}

// Without OnError what Serve panicked with is logged with its stack.
func TestServerPanicLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	s := &conn.Server{Serve: func(context.Context, *conn.Conn, *http.Request) error { panic("a cause") }}
	_, _, err := mustDial(t, serveInMemory(t, s)).Read(context.Background())
	wantClosed(t, err, frame.StatusInternalError)
	wantNoError(t, s.Shutdown(context.Background())) // the log is written
	for _, want := range []string{"a cause", "TestServerPanicLogged"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not contain %q: %s", want, &log)
		}
	}
}

// What Handle returns is called with each message, until it fails or panics,
// which closes with 1011, or returns a *CloseError, which closes with its code.
func TestServerHandle(t *testing.T) {
	ended := make(chan struct{}, 3)
	causes := make(chan string, 3)
	s := &conn.Server{
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			context.AfterFunc(ctx, func() { ended <- struct{}{} })
			return func(m conn.Message) error {
				switch string(m.Payload) {
				case "stop":
					return fmt.Errorf("enough: %w", &conn.CloseError{Code: 4001, Reason: "stopped"})
				case "fail":
					return errors.New("a fault")
				case "panic":
					panic("message")
				}
				return c.Write(ctx, m.Type, m.Payload)
			}
		},
		OnError: func(_ *conn.Conn, err error) { causes <- err.Error() },
	}
	dial := serveInMemory(t, s)
	ctx := t.Context()
	for _, tt := range []struct {
		message string
		code    frame.StatusCode
		told    string
	}{
		{"stop", 4001, ""},
		{"fail", frame.StatusInternalError, "a fault"},
		{"panic", frame.StatusInternalError, "panic: message"},
	} {
		c := mustDial(t, dial)
		for range 3 {
			wantEcho(t, c)
		}
		wantNoError(t, c.Write(ctx, conn.Text, []byte(tt.message)))
		_, _, err := c.Read(ctx)
		wantClosed(t, err, tt.code)
		<-ended
		if tt.told != "" {
			if got := <-causes; got != tt.told {
				t.Errorf("%s: OnError was told %q", tt.message, got)
			}
		}
	}
	c := mustDial(t, dial)
	wantEcho(t, c)
	go c.Read(ctx)
	wantNoError(t, s.Shutdown(ctx))
	<-ended
	select {
	case got := <-causes:
		t.Errorf("OnError was told %q as well", got)
	default:
	}
}

// A Handle that panics closes with 1011.
func TestServerHandlePanics(t *testing.T) {
	s := &conn.Server{
		Handle:  func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error { panic("Handle") },
		OnError: func(*conn.Conn, error) {},
	}
	_, _, err := mustDial(t, serveInMemory(t, s)).Read(t.Context())
	wantClosed(t, err, frame.StatusInternalError)
	wantNoError(t, s.Shutdown(t.Context()))
}

// A request that is no upgrade is refused, and the connection is not Serve's.
func TestServerRefuses(t *testing.T) {
	s := &conn.Server{Serve: func(context.Context, *conn.Conn, *http.Request) error {
		t.Error("served")
		return nil
	}}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusUpgradeRequired {
		t.Errorf("status %d, want %d", w.Code, http.StatusUpgradeRequired)
	}
	wantNoError(t, s.Shutdown(context.Background()))
}

// When Serve returns the connection is closed with 1000, and its ctx ends.
func TestServerReturns(t *testing.T) {
	ended := make(chan error, 1)
	dial := serveInMemory(t, &conn.Server{Serve: func(ctx context.Context, _ *conn.Conn, _ *http.Request) error {
		go func() {
			<-ctx.Done()
			ended <- ctx.Err()
		}()
		return nil
	}})
	_, _, err := mustDial(t, dial).Read(context.Background())
	wantClosed(t, err, frame.StatusNormalClosure)
	wantError(t, <-ended, context.Canceled)
}

// Shutdown closes 1,000 connections with 1001, waits for all, and takes no more.
func TestServerShutdown(t *testing.T) {
	count := scale(1000)
	var serving atomic.Int64
	s := &conn.Server{Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
		serving.Add(1)
		defer serving.Add(-1)
		return echo(ctx, c, r)
	}}
	dial := serveInMemory(t, s)
	failed := make(chan error, count)
	for range count {
		c := mustDial(t, dial)
		go func() {
			_, _, err := c.Read(context.Background())
			failed <- err
		}()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if n := serving.Load(); n != 0 {
		t.Errorf("%d Serve calls are left", n)
	}
	for range count {
		wantClosed(t, <-failed, frame.StatusGoingAway)
	}
	_, err := dial()
	if e, ok := errors.AsType[*handshake.DialError](err); !ok || e.Status != http.StatusServiceUnavailable {
		t.Errorf("Dial after Shutdown = %v, want status 503", err)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("second Shutdown = %v", err)
	}
}

// A Shutdown whose ctx ends cuts what is left and says so.
func TestServerShutdownEnds(t *testing.T) {
	serving, release := make(chan struct{}), make(chan struct{})
	s := &conn.Server{Serve: func(context.Context, *conn.Conn, *http.Request) error {
		close(serving)
		<-release
		return nil
	}}
	dial := serveInMemory(t, s)
	c := mustDial(t, dial) // does not read, so that it does not answer
	<-serving
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	wantError(t, s.Shutdown(ctx), context.DeadlineExceeded)
	for err := error(nil); ; {
		if _, _, err = c.Read(context.Background()); err != nil {
			break
		}
	}
	close(release)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown behind the last connection = %v", err)
	}
}

// A connection costs one goroutine while it is served, and none after its end.
func TestServerGoroutines(t *testing.T) {
	const count = 100
	s := &conn.Server{Serve: echo}
	dial := serveInMemory(t, s)
	var clients []*conn.Conn
	before := runtime.NumGoroutine()
	for range count {
		c := mustDial(t, dial)
		clients = append(clients, c)
		if err := c.Write(context.Background(), conn.Text, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := runtime.NumGoroutine() - before; n > 2*count {
		t.Errorf("%d goroutines for %d connections", n, count)
	}
	for _, c := range clients {
		c.CloseNow()
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
