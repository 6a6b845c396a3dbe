package conn_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
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
