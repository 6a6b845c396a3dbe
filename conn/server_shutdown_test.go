package conn_test

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// Connections that are accepted while Shutdown begins are told to go away, or refused, or
// served before: whatever they are about to be given. With the race detector.
func TestShutdownMeetsAccept(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			s := &conn.Server{Serve: echo}
			dial := serveInMemory(t, s)
			var dialing sync.WaitGroup
			for range 8 {
				dialing.Go(func() {
					if c, err := dial(); err == nil {
						_, _, _ = c.Read(context.Background())
					}
				})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			dialing.Wait()
		})
	}
}

// A hook that ends its goroutine, as FailNow of a test does, keeps no connection: it is closed,
// and Shutdown does not wait for it.
func TestServerHooksQuit(t *testing.T) {
	quit := func(*conn.Conn, error) { runtime.Goexit() }
	fail := func(context.Context, *conn.Conn, *http.Request) error { return errors.New("fails") }
	for name, s := range map[string]*conn.Server{
		"OnEnd":   {Serve: fail, OnEnd: quit, OnError: func(*conn.Conn, error) {}},
		"OnError": {Serve: fail, OnError: quit},
		"both":    {Serve: fail, OnEnd: quit, OnError: quit},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := mustDial(t, serveInMemory(t, s))
			if _, _, err := c.Read(t.Context()); conn.CloseStatus(err) != frame.StatusInternalError {
				t.Errorf("%s: the client was told %v", name, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A lingering listener goes on to accept after Close, until it is let go.
type lingering struct {
	counter
	gone chan struct{}
}

func (l *lingering) Accept() (net.Conn, error) {
	<-l.gone
	return nil, net.ErrClosed
}

// Every call of Shutdown waits for ServeConns, and one of them closes the listener.
func TestShutdownClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &conn.Server{Serve: echo}
		l := &lingering{counter{Listener: pipe.Listen()}, make(chan struct{})}
		ended := call(func() error { return s.ServeConns(l) })
		synctest.Wait()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			wantError(t, s.Shutdown(ctx), context.DeadlineExceeded)
		}
		close(l.gone)
		wantNoError(t, s.Shutdown(t.Context()))
		wantError(t, <-ended, http.ErrServerClosed)
		if n := l.closed.Load(); n != 1 {
			t.Errorf("the listener was closed %d times", n)
		}
	})
}

// A Shutdown whose ctx ends cuts what is left at once, though a peer that does not answer our
// Close frame would have more time.
func TestShutdownCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := make(chan *conn.Conn, 1)
		s := &conn.Server{Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
			served <- c
			return echo(ctx, c, r)
		}}
		mustDial(t, serveInMemory(t, s)) // it does not read
		c, start := <-served, time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, s.Shutdown(ctx), context.DeadlineExceeded)
		<-c.Done()
		if d := time.Since(start); d != time.Second {
			t.Errorf("the connection was over after %v, want 1 s", d)
		}
	})
}

// A tardy listener accepts a connection of its own when it may, after Close too.
type tardy struct {
	counter
	nc  net.Conn
	may chan struct{} // closed when Accept may return it
}

func (l *tardy) Accept() (net.Conn, error) {
	<-l.may
	if nc := l.nc; nc != nil {
		l.nc = nil
		return nc, nil
	}
	return l.Listener.Accept()
}

// A connection that is accepted after Shutdown is closed, on both shells, and counts nowhere.
func TestAcceptedAfterShutdown(t *testing.T) {
	for range 20 { // whether the bound of handshakes or Shutdown is looked at first is up to chance
		onShells(t, func(t *testing.T, o *conn.Options) {
			if o.Loop.After < 0 {
				o.Loop.After = 2 // connections are counted
			}
			s := &conn.Server{Options: &conn.AcceptOptions{Conn: *o}}
			s.Handle = func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error { return nil }
			ours, theirs := pipe.New()
			l := &tardy{counter: counter{Listener: pipe.Listen()}, nc: ours, may: make(chan struct{})}
			ended := call(func() error { return s.ServeConns(l) })
			synctest.Wait()
			shut := call(func() error { return s.Shutdown(t.Context()) })
			synctest.Wait()
			close(l.may)
			wantError(t, <-ended, http.ErrServerClosed)
			wantNoError(t, <-shut)
			if b, err := io.ReadAll(theirs); len(b) > 0 || err != nil {
				t.Errorf("the client read %q, %v", b, err)
			}
			theirs.Close()
			if n := conn.LoopConns(o.Loop); n != 0 {
				t.Errorf("%d connections are counted, want none", n)
			}
		})
	}
}

// An untimely stream calls a function when it has been written to.
type untimely struct {
	net.Conn
	wrote func()
}

func (u *untimely) Write(p []byte) (int, error) {
	n, err := u.Conn.Write(p)
	u.wrote()
	return n, err
}

// A handshake whose response has gone out when Shutdown is called opens no connection.
func TestShutdownAfterResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{After: 2}}}
		s := &conn.Server{Options: o, Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
			t.Error("a connection is served")
			return nil
		}}
		ours, theirs := pipe.New()
		at := &untimely{ours, func() {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantError(t, s.Shutdown(ctx), context.Canceled)
		}}
		l := &tardy{counter: counter{Listener: pipe.Listen()}, nc: at, may: make(chan struct{})}
		close(l.may)
		go io.WriteString(theirs, rawRequest(""))
		ended := call(func() error { return s.ServeConns(l) })
		b, err := io.ReadAll(theirs)
		if !strings.HasPrefix(string(b), "HTTP/1.1 101 ") || err != nil {
			t.Errorf("the client read %q, %v", b, err)
		}
		wantError(t, <-ended, http.ErrServerClosed)
		wantNoError(t, s.Shutdown(t.Context()))
		if n := conn.LoopConns(o.Conn.Loop); n != 0 {
			t.Errorf("%d connections are counted, want none", n)
		}
	})
}

// A request that is being answered when Shutdown is called opens a connection that is told to go
// away, and not served.
func TestShutdownDuringRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &conn.Server{Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
			t.Error("a connection is served")
			return echo(ctx, c, r)
		}}
		s.Options = &conn.AcceptOptions{}
		s.Options.Handshake.CheckOrigin = func(*http.Request) bool {
			wantNoError(t, s.Shutdown(t.Context()))
			return true
		}
		_, _, err := mustDial(t, serveInMemory(t, s)).Read(t.Context())
		wantClosed(t, err, frame.StatusGoingAway)
	})
}

// What a client does wrong, or that it hangs up, is no fault of the program, and not logged.
func TestServeConnsLogsNoClient(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	onShells(t, func(t *testing.T, o *conn.Options) {
		s := &conn.Server{Options: &conn.AcceptOptions{Conn: *o}}
		s.Handle = func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error { return ignoreMessage }
		w := serveConns(t, s)
		for _, request := range []string{"", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n\r\n", rawRequest("")} {
			nc := w.connect()
			io.WriteString(nc, request)
			synctest.Wait()
			nc.Close()
			<-time.After(time.Minute)
		}
		if log.Len() > 0 {
			t.Errorf("logged: %s", &log)
		}
	})
}

func ignoreMessage(conn.Message) error { return nil }

// OnEnd is told of the end of a connection, whichever way it is served.
func TestOnEndOnce(t *testing.T) {
	for _, s := range []*conn.Server{
		{Serve: func(context.Context, *conn.Conn, *http.Request) error { return nil }},
		{Handle: func(_ context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			c.CloseNow()
			return ignoreMessage
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			told := 0
			s.OnEnd = func(*conn.Conn, error) { told++ }
			c := mustDial(t, serveInMemory(t, s))
			if _, _, err := c.Read(t.Context()); err == nil {
				t.Error("a message came")
			}
			c.CloseNow()
			synctest.Wait()
			if told != 1 {
				t.Errorf("OnEnd was called %d times", told)
			}
		})
	}
}

// A closeCounter counts how often it is closed.
type closeCounter struct {
	net.Conn
	closed atomic.Int32
}

func (c *closeCounter) Close() error {
	c.closed.Add(1)
	return c.Conn.Close()
}

// A connection that waits for a place when Shutdown is called is closed, once: no handshake begins.
func TestShutdownOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := serveConns(t, &conn.Server{
			Serve: echo, MaxHandshakes: 1, OnRefuse: func(*http.Request, error) {},
			Options: &conn.AcceptOptions{Handshake: handshake.Options{Before: func(*http.Request) (http.Header, error) {
				<-release
				return nil, nil
			}}},
		})
		io.WriteString(w.connect(), rawRequest(""))
		synctest.Wait() // the hook keeps the only place
		ours, theirs := pipe.New()
		nc := &closeCounter{Conn: ours}
		l := &tardy{counter: counter{Listener: pipe.Listen()}, nc: nc, may: make(chan struct{})}
		close(l.may)
		ended := call(func() error { return w.s.ServeConns(l) })
		synctest.Wait()
		shut := call(func() error { return w.s.Shutdown(t.Context()) })
		if b, err := io.ReadAll(theirs); len(b) > 0 || err != nil {
			t.Errorf("the client read %q, %v", b, err)
		}
		theirs.Close()
		wantError(t, <-ended, http.ErrServerClosed)
		if n := nc.closed.Load(); n != 1 {
			t.Errorf("it was closed %d times", n)
		}
		close(release)
		wantNoError(t, <-shut)
	})
}

// Shutdown tells all connections that are left, whichever has ended before.
func TestShutdownTellsAll(t *testing.T) {
	for ended := range 3 {
		synctest.Test(t, func(t *testing.T) {
			s := &conn.Server{Serve: echo}
			dial := serveInMemory(t, s)
			var clients [3]*conn.Conn
			for i := range clients {
				clients[i] = mustDial(t, dial)
				synctest.Wait() // the Server has it
			}
			clients[ended].CloseNow()
			synctest.Wait()
			var told []<-chan error
			for i, c := range clients {
				if i != ended {
					told = append(told, reading(c))
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			for _, err := range told {
				wantClosed(t, <-err, frame.StatusGoingAway)
			}
		})
	}
}
