package conn_test

import (
	"bufio"
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
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/leakcheck"
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
					if is := errors.Is(err, errEnough); is != (name == "error") {
						t.Errorf("%v is the error: %t", err, is)
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

// A connection costs one goroutine while it is served, and none after its end. With -loop there
// are two: that of the loop, for what has no descriptor, and Serve, which waits for it.
func TestServerGoroutines(t *testing.T) {
	const count = 100
	most := count
	if *inLoop {
		most = 2 * count
	}
	synctest.Test(t, func(t *testing.T) {
		s := &conn.Server{Serve: echo}
		dial := serveInMemory(t, s)
		var clients []*conn.Conn
		synctest.Wait()
		before := leakcheck.Bubbled()
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
		synctest.Wait() // those of the requests have ended
		if n := leakcheck.Bubbled() - before; n > most {
			t.Errorf("%d goroutines for %d connections", n, count)
		}
		for _, c := range clients {
			c.CloseNow()
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := leakcheck.Bubbled() - before; n > 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

// A Server that can't serve says so at the first request, with 500, and tells
// OnRefuse what is wrong.
func TestServerInvalid(t *testing.T) {
	serve := func(context.Context, *conn.Conn, *http.Request) error { return nil }
	handle := func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error { return nil }
	for name, tt := range map[string]struct {
		server *conn.Server
		want   string
	}{
		"neither": {&conn.Server{}, "either Serve or Handle"},
		"both":    {&conn.Server{Serve: serve, Handle: handle, Options: &conn.AcceptOptions{}}, "either Serve or Handle"},
		"origin": {&conn.Server{Serve: serve, Options: &conn.AcceptOptions{
			Handshake: handshake.Options{Origins: []string{"*", "https://with/a/path"}},
		}}, "Origins"},
		"codec": {&conn.Server{Serve: serve, Options: &conn.AcceptOptions{
			Conn: conn.Options{Compression: conn.Compression{Codec: uncomparable{nil}}},
		}}, "Codec"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := make(chan error, 1)
			s := tt.server
			s.OnRefuse = func(r *http.Request, err error) {
				if r.URL.Path != "/" {
					t.Errorf("the request for %s", r.URL)
				}
				refused <- err
			}
			_, err := serveInMemory(t, s)()
			if e, ok := errors.AsType[*handshake.DialError](err); !ok || e.Status != http.StatusInternalServerError {
				t.Errorf("Dial = %v, want status 500", err)
			}
			err = <-refused
			if e, ok := errors.AsType[*handshake.Error](err); !ok || e.Status != http.StatusInternalServerError ||
				!strings.Contains(err.Error(), tt.want) {
				t.Errorf("OnRefuse was told %v", err)
			}
		})
	}
}

// An uncomparable codec can't be the key under which its compressors are kept.
type uncomparable struct{ levels []int }

func (uncomparable) NewCompressor(int, bool) conn.Compressor { return nil }

// Options that can't be meant are an error of Dial and New too.
func TestInvalidOptions(t *testing.T) {
	o := conn.Options{Compression: conn.Compression{Codec: uncomparable{}}}
	if _, _, err := conn.Dial(t.Context(), "ws://nowhere.test/", &conn.DialOptions{Conn: o}); err == nil || !strings.Contains(err.Error(), "Codec") {
		t.Errorf("Dial = %v", err)
	}
	if _, err := conn.New(&handshake.Result{}, conn.RoleServer, &o); err == nil || !strings.Contains(err.Error(), "Codec") {
		t.Errorf("New = %v", err)
	}
	terms := &handshake.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 7}
	if _, err := conn.New(&handshake.Result{Deflate: terms}, conn.RoleServer, nil); err == nil || !strings.Contains(err.Error(), "7 bits") {
		t.Errorf("New = %v", err)
	}
	w := httptest.NewRecorder()
	if _, err := conn.Accept(w, httptest.NewRequest(http.MethodGet, "/", nil), &conn.AcceptOptions{Conn: o}); err == nil || w.Code != http.StatusInternalServerError {
		t.Errorf("Accept = %v, status %d", err, w.Code)
	}
}

// Refusals that are the program's fault are logged where there is no OnRefuse, and only there.
// Those that are the client's, with a status below 500, are not, nor is the end of a Server.
func TestServerRefusalLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	ours := &conn.Server{}
	ours.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/ours", nil))
	told := &conn.Server{OnRefuse: func(*http.Request, error) {}}
	told.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/told", nil))
	theirs := &conn.Server{Serve: echo}
	theirs.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/theirs", nil))
	wantNoError(t, theirs.Shutdown(t.Context()))
	theirs.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/ended", nil))
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "/ours") || !strings.Contains(got, "either Serve or Handle") {
		t.Errorf("logged %s", got)
	}
	for status, want := range map[int]bool{499: false, 500: true} {
		log.Reset()
		s := &conn.Server{Serve: echo, Options: &conn.AcceptOptions{Handshake: handshake.Options{
			Before: func(*http.Request) (http.Header, error) { return nil, &handshake.Error{Status: status} },
		}}}
		r := must(http.ReadRequest(bufio.NewReader(strings.NewReader(rawRequest("")))))
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != status {
			t.Errorf("status %d, want %d", w.Code, status)
		}
		if logged := log.Len() > 0; logged != want {
			t.Errorf("status %d: logged %s", status, &log)
		}
	}
}

// A Serve that ends its goroutine, as a failed test does, closes with 1011.
func TestServerGoexit(t *testing.T) {
	told := make(chan error, 1)
	s := &conn.Server{
		Serve:   func(context.Context, *conn.Conn, *http.Request) error { runtime.Goexit(); return nil },
		OnError: func(_ *conn.Conn, err error) { told <- err },
	}
	_, _, err := mustDial(t, serveInMemory(t, s)).Read(t.Context())
	wantClosed(t, err, frame.StatusInternalError)
	if p, ok := errors.AsType[*conn.PanicError](<-told); !ok || p.Value != nil {
		t.Errorf("OnError was told %v", p)
	}
	wantNoError(t, s.Shutdown(t.Context()))
}

// What Serve returns closes the connection: nil with 1000, a *CloseError with its
// code unless that may not be sent, any other error with 1011, of which OnError
// is told. What only says that the connection has ended is told nobody.
func TestServeErrors(t *testing.T) {
	fault := errors.New("a fault")
	for _, tt := range []struct {
		name  string
		serve func(ctx context.Context, c *conn.Conn) error
		code  frame.StatusCode
		told  error
	}{
		{"nil", func(context.Context, *conn.Conn) error { return nil }, 1000, nil},
		{"a code", func(context.Context, *conn.Conn) error { return &conn.CloseError{Code: 4002} }, 4002, nil},
		{"no code", func(context.Context, *conn.Conn) error { return &conn.CloseError{Code: 1005} }, 1005, nil},
		{"a code that is not sent", func(context.Context, *conn.Conn) error { return &conn.CloseError{Code: 1006} }, 1011, nil},
		{"an error", func(context.Context, *conn.Conn) error { return fault }, 1011, fault},
		{"a ctx of its own", func(context.Context, *conn.Conn) error { return context.Canceled }, 1011, context.Canceled},
		{"closed, and an error", func(_ context.Context, c *conn.Conn) error {
			c.Close(4003, "")
			return fault
		}, 4003, fault},
		{"closed, and its error", func(ctx context.Context, c *conn.Conn) error {
			go c.Close(4004, "")
			_, _, err := c.Read(ctx)
			return err
		}, 4004, nil},
		{"closed, and its ctx", func(ctx context.Context, c *conn.Conn) error {
			go c.Close(4005, "")
			<-ctx.Done()
			return ctx.Err()
		}, 4005, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told error
			s := &conn.Server{
				Serve:   func(ctx context.Context, c *conn.Conn, _ *http.Request) error { return tt.serve(ctx, c) },
				OnError: func(_ *conn.Conn, err error) { told = err },
			}
			_, _, err := mustDial(t, serveInMemory(t, s)).Read(t.Context())
			wantClosed(t, err, tt.code)
			wantNoError(t, s.Shutdown(t.Context()))
			if told != tt.told {
				t.Errorf("OnError was told %v, want %v", told, tt.told)
			}
		})
	}
}
