package conn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A contextKey is the key of a value that middleware puts into the ctx of a
// request.
type contextKey struct{}

// patient has a CloseTimeout that no end of a test takes.
var patient = conn.Options{Limits: conn.Limits{CloseTimeout: time.Minute}}

// serveWith runs h behind an http.Server and returns a function that dials it.
func serveWith(t *testing.T, h http.Handler) (dial func() (*conn.Conn, *http.Response, error)) {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return func() (*conn.Conn, *http.Response, error) {
		c, response, err := conn.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), &conn.DialOptions{
			Handshake: handshake.DialOptions{HTTPClient: web.Client()}, Conn: patient})
		if err == nil {
			t.Cleanup(func() { c.CloseNow() })
		}
		return c, response, err
	}
}

// withValue is middleware that hands a value down.
func withValue(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), contextKey{}, "a value"))
		defer cancel() // the cancellation of the request is not that of the connection
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// An error of the function that Handle returned is a failure of ours: the client
// is told 1011.
func TestServerHandleError(t *testing.T) {
	dial := serveWith(t, &conn.Server{Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
		return func(m conn.Message) error {
			if string(m.Payload) == "fail" {
				return errors.New("it failed")
			}
			return nil
		}
	}})
	for _, before := range []int{0, 1, 5} { // messages that another goroutine may have handled
		c, _, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		for range before {
			wantNoError(t, c.Write(t.Context(), conn.Text, []byte("fine")))
		}
		wantNoError(t, c.Write(t.Context(), conn.Text, []byte("fail")))
		_, _, err = c.Read(t.Context())
		wantClosed(t, err, frame.StatusInternalError)
		if e, ok := errors.AsType[*conn.CloseError](err); ok && strings.Contains(e.Reason, "it failed") {
			t.Errorf("the client was told %q, which is not for it", e.Reason)
		}
	}
}

// An error that wraps a *conn.CloseError chooses the code and the reason.
func TestServerHandleCloseError(t *testing.T) {
	for name, fail := range map[string]error{
		"plain":   &conn.CloseError{Code: 4321, Reason: "chosen"},
		"wrapped": fmt.Errorf("wrapped: %w", &conn.CloseError{Code: 4321, Reason: "chosen"}),
	} {
		t.Run(name, func(t *testing.T) {
			dial := serveWith(t, &conn.Server{Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
				return func(conn.Message) error { return fail }
			}})
			c, _, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			wantNoError(t, c.Write(t.Context(), conn.Text, nil))
			_, _, err = c.Read(t.Context())
			wantClosed(t, err, 4321)
			if e, ok := errors.AsType[*conn.CloseError](err); ok && e.Reason != "chosen" {
				t.Errorf("got the reason %q", e.Reason)
			}
		})
	}
}

// A connection that its client closes, or a Serve that returns, is no error:
// the client sees its own code, and 1000.
func TestServerEndsWithoutError(t *testing.T) {
	dial := serveWith(t, &conn.Server{Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
		return func(conn.Message) error { return nil }
	}})
	c, _, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	wantNoError(t, c.Close(4000, ""))

	dial = serveWith(t, &conn.Server{Serve: func(context.Context, *conn.Conn, *http.Request) error { return nil }})
	if c, _, err = dial(); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Read(t.Context())
	wantClosed(t, err, frame.StatusNormalClosure)
}

// The ctx of Serve and of Handle has the values of the request's ctx, and ends
// with the connection, not with the request.
func TestServerContextValues(t *testing.T) {
	type seen struct {
		value  any
		err    error
		ended  bool
		cancel error
	}
	look := func(ctx context.Context, c *conn.Conn) (s seen) {
		s.value, s.err = ctx.Value(contextKey{}), ctx.Err()
		if ctx.Value(http.LocalAddrContextKey) == nil {
			s.value = "the values of net/http are missing"
		}
		child, cancel := context.WithCancel(ctx) // derived contexts have them, and end with it
		defer cancel()
		if child.Value(contextKey{}) != s.value {
			s.value = "a derived ctx has another value"
		}
		c.CloseNow()
		select {
		case <-child.Done():
			s.ended = true
		case <-time.After(time.Minute):
		}
		s.cancel = ctx.Err()
		return s
	}
	saw := make(chan seen, 1)
	servers := map[string]*conn.Server{
		"Serve": {Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
			c.Read(ctx) // by then the request has ended
			saw <- look(ctx, c)
			return nil
		}},
		"Handle": {Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			return func(conn.Message) error {
				saw <- look(ctx, c)
				return nil
			}
		}},
	}
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			c, _, err := serveWith(t, withValue(s))()
			if err != nil {
				t.Fatal(err)
			}
			wantNoError(t, c.Write(t.Context(), conn.Text, nil))
			if got, want := <-saw, (seen{"a value", nil, true, context.Canceled}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// The ctx of Serve can be given to every call without a cost: it is the
// connection's own, whatever values it has.
func TestServerContextIsFree(t *testing.T) {
	done := make(chan error, 1)
	s := &conn.Server{Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
		p := make([]byte, 10)
		done <- func() error {
			if _, _, err := c.Read(ctx); err != nil { // what Dial allocates is not counted
				return err
			}
			if n := testing.AllocsPerRun(100, func() { c.Write(ctx, conn.Binary, p) }); n > 0 {
				return fmt.Errorf("a Write allocates %v times", n)
			}
			return nil
		}()
		return nil
	}}
	c, _, err := serveWith(t, withValue(s))()
	if err != nil {
		t.Fatal(err)
	}
	wantNoError(t, c.Write(t.Context(), conn.Text, nil))
	go each(c, t.Context(), func(conn.Message) error { return nil })
	if err := <-done; err != nil && !conn.RaceEnabled {
		t.Error(err)
	}
}

// OnError is told the error of the function that Handle returned, once.
func TestServerOnError(t *testing.T) {
	failed := errors.New("it failed")
	type report struct {
		c   *conn.Conn
		err error
	}
	reports := make(chan report, 10)
	s := &conn.Server{
		Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
			return func(m conn.Message) error {
				if string(m.Payload) == "fail" {
					return failed
				}
				return nil
			}
		},
		OnError: func(c *conn.Conn, err error) { reports <- report{c, err} },
	}
	dial := serveWith(t, s)
	c, _, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	wantNoError(t, c.Write(t.Context(), conn.Text, []byte("fail")))
	_, _, err = c.Read(t.Context())
	wantClosed(t, err, frame.StatusInternalError)
	if r := <-reports; r.c == nil || !errors.Is(r.err, failed) {
		t.Errorf("got %v, %v", r.c, r.err)
	}

	// The end that a client brings about is no error of ours.
	if c, _, err = dial(); err != nil {
		t.Fatal(err)
	}
	wantNoError(t, c.Close(frame.StatusNormalClosure, ""))
	wantNoError(t, s.Shutdown(t.Context()))
	select {
	case r := <-reports:
		t.Errorf("an end without an error was reported: %v", r.err)
	default:
	}
}

// OnEnd is told why each connection has ended, also where only the connection knows.
func TestServerOnEnd(t *testing.T) {
	ends := make(chan error, 10)
	onEnd := func(_ *conn.Conn, err error) { ends <- err }
	o := &conn.AcceptOptions{Conn: patient}
	handle := &conn.Server{Options: o, OnEnd: onEnd, Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
		return func(conn.Message) error { return nil }
	}}
	serve := &conn.Server{Options: o, OnEnd: onEnd, Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
		return c.Each(ctx, func(conn.Message) error { return nil })
	}}
	for _, s := range []*conn.Server{handle, serve} {
		dial := serveWith(t, s)
		c, _, err := dial()
		wantNoError(t, err)
		wantNoError(t, c.Write(t.Context(), conn.Binary, make([]byte, 1<<20+1)))
		if err := <-ends; conn.CloseStatus(err) != frame.StatusMessageTooBig {
			t.Errorf("a message over the limit: %v", err)
		}
		c.CloseNow()
		c, _, err = dial()
		wantNoError(t, err)
		wantNoError(t, c.Close(4000, "bye"))
		if err := <-ends; conn.CloseStatus(err) != 4000 {
			t.Errorf("the peer has closed: %v", err)
		}
		wantNoError(t, s.Shutdown(t.Context()))
	}
}

// OnRefuse is told of every refusal, with the request and the error.
func TestServerOnRefuse(t *testing.T) {
	refused := make(chan error, 10)
	s := &conn.Server{
		Serve:    echo,
		OnRefuse: func(r *http.Request, err error) { refused <- fmt.Errorf("%s: %w", r.URL.Path, err) },
	}
	// A writer that can't be taken over: the text names its type.
	r := httptest.NewRequest(http.MethodGet, "http://example.test/path", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusNotImplemented {
		t.Errorf("status %d, want 501", w.Code)
	}
	err := <-refused
	for _, want := range []string{"/path", "httptest.ResponseRecorder", "Unwrap"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want that it names %s", err, want)
		}
	}
}

// A Handle that returns no function is a failure of ours, which shows before a message comes.
func TestServerHandleReturnsNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		c := mustDial(t, serveInMemory(t, &conn.Server{
			Handle:  func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error { return nil },
			OnError: func(_ *conn.Conn, err error) { failed <- err },
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _, err := c.Read(ctx)
		wantClosed(t, err, frame.StatusInternalError)
		if err := <-failed; !strings.Contains(err.Error(), "Handle has returned no function") {
			t.Errorf("OnError was told %v", err)
		}
	})
}

// A request that a Server refuses for a reason of its own ends its HTTP connection.
func TestServerRefusalClosesConnection(t *testing.T) {
	down := &conn.Server{Serve: echo}
	wantNoError(t, down.Shutdown(t.Context()))
	for status, s := range map[int]*conn.Server{http.StatusServiceUnavailable: down, http.StatusInternalServerError: {}} {
		s.OnRefuse = func(*http.Request, error) {}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://example.test/", nil))
		if got := w.Header().Get("Connection"); w.Code != status || got != "close" {
			t.Errorf("status %d, Connection: %q; want %d, close", w.Code, got, status)
		}
	}
}
