package conn_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A client that says nothing, or takes its time, is gone after the handshake's
// timeout, and OnRefuse is told who it was.
func TestServeConnsSilent(t *testing.T) {
	for name, limit := range map[string]time.Duration{"default": 0, "own": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, want := time.Now(), max(limit, 10*time.Second)
				if limit > 0 {
					want = limit
				}
				told := make(refusals, 2)
				o := &conn.AcceptOptions{Handshake: handshake.Options{Limits: handshake.Limits{Timeout: limit}}}
				w := serveConns(t, &conn.Server{Serve: echo, Options: o, OnRefuse: told.add})
				silent, slow := w.connect(), w.connect()
				go func() {
					for i := range rawRequest("") {
						if _, err := io.WriteString(slow, rawRequest("")[i:i+1]); err != nil {
							return
						}
						<-time.After(5 * time.Second)
					}
				}()
				for range 2 {
					got := <-told
					wantError(t, got.err, os.ErrDeadlineExceeded)
					if took := time.Since(start); took != want || got.r.RemoteAddr != silent.LocalAddr().String() {
						t.Errorf("told of %q after %v, want %v", got.r.RemoteAddr, took, want)
					}
				}
				<-time.After(time.Minute) // the slow client notices
			})
		})
	}
}

// Without a limit a client may take its time, on a loop and without one.
func TestServeConnsPatient(t *testing.T) {
	for name, after := range map[string]int{"goroutine": -1, "loop": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &conn.AcceptOptions{
					Handshake: handshake.Options{Limits: handshake.Limits{Timeout: -1}},
					Conn:      conn.Options{Loop: &conn.Loop{After: after}},
				}
				w := serveConns(t, &conn.Server{Options: o, Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
					return func(conn.Message) error { return nil }
				}})
				late := w.connect()
				<-time.After(24 * time.Hour)
				if _, err := io.WriteString(late, rawRequest("")); err != nil {
					t.Fatal(err)
				}
				status, err := bufio.NewReader(late).ReadString('\n')
				if err != nil || !strings.Contains(status, " 101 ") {
					t.Errorf("answered %q, %v", status, err)
				}
			})
		})
	}
}

// At the bound no connection is accepted until a handshake ends: well, refused, or
// by its timeout. Connections that are open don't count.
func TestServeConnsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := serveConns(t, &conn.Server{Serve: echo, MaxHandshakes: 2})
		second := pipe.Listen() // the bound is that of the Server
		ended := call(func() error { return w.s.ServeConns(second) })
		for range 5 {
			if _, err := w.dial("/"); err != nil {
				t.Fatal(err)
			}
		}
		w.connect()
		<-time.After(time.Second)
		w.connect()
		synctest.Wait()
		// Each call of ServeConns has one connection in hand, which waits.
		c, err := dialThrough(t, second.DialContext, "ws://memory.test")
		if err != nil {
			t.Fatal(err)
		}
		if at := time.Since(start); at != 10*time.Second {
			t.Errorf("served at %v, want 10s: when the first handshake ends", at)
		}
		wantEcho(t, c)
		for range 3 { // one place is free again; the last one stays in hand
			w.connect()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := w.l.DialContext(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("accepted above the bound: %v", err)
		}
		wantNoError(t, w.s.Shutdown(t.Context()))
		wantError(t, <-ended, http.ErrServerClosed)
	})
}

// Without a bound there is none, and a thousand silent clients keep nobody from
// being served.
func TestServeConnsUnbounded(t *testing.T) {
	for name, bound := range map[string]int{"default": 0, "none": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				w := serveConns(t, &conn.Server{Serve: echo, MaxHandshakes: bound})
				for range 1000 {
					w.connect()
				}
				c, err := w.dial("/")
				if err != nil {
					t.Fatal(err)
				}
				wantEcho(t, c)
				if at := time.Since(start); at != 0 {
					t.Errorf("served after %v", at)
				}
			})
		})
	}
}

// A failing is a listener whose Accept fails with the errors of its list, of which
// nil is a success.
type failing struct {
	*pipe.Listener
	mu    sync.Mutex
	errs  []error
	calls []time.Time
}

func (l *failing) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.calls = append(l.calls, time.Now())
	var err error
	if len(l.errs) > 0 {
		err, l.errs = l.errs[0], l.errs[1:]
	}
	l.mu.Unlock()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	return l.Listener.Accept()
}

// Errors that pass are waited out, with pauses that grow and begin anew after a
// success. The first in a row is logged.
func TestServeConnsPauses(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		row := []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.ENOBUFS,
			syscall.ENOMEM, syscall.EINTR, syscall.EMFILE, syscall.EMFILE, syscall.EMFILE}
		l := &failing{Listener: pipe.Listen(), errs: append(row, nil, syscall.EMFILE, nil, syscall.EMFILE, syscall.EMFILE, syscall.EBADF)}
		want := []time.Duration{5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms, 0, 5 * ms, 0, 5 * ms, 10 * ms}
		s := &conn.Server{Serve: echo}
		ended := call(func() error { return s.ServeConns(l) })
		for range 2 {
			c, err := dialThrough(t, l.DialContext, "ws://memory.test")
			if err != nil {
				t.Fatal(err, <-ended)
			}
			wantEcho(t, c)
		}
		wantError(t, <-ended, syscall.EBADF)
		for i, want := range want {
			if got := l.calls[i+1].Sub(l.calls[i]); got != want {
				t.Errorf("pause %d: %v, want %v", i, got, want)
			}
		}
		if _, err := l.DialContext(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener is open: %v", err)
		}
		wantNoError(t, s.Shutdown(t.Context()))
	})
	if n := strings.Count(log.String(), "level=WARN"); n != 3 || !strings.Contains(log.String(), "too many open files") {
		t.Errorf("%d warnings, want 3:\n%s", n, &log)
	}
}

// Shutdown ends a pause.
func TestServeConnsPauseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &failing{Listener: pipe.Listen()}
		for range 20 {
			l.errs = append(l.errs, syscall.EMFILE)
		}
		s := &conn.Server{Serve: echo}
		ended := call(func() error { return s.ServeConns(l) })
		<-time.After(5500 * time.Millisecond)
		start := time.Now()
		wantNoError(t, s.Shutdown(t.Context()))
		wantError(t, <-ended, http.ErrServerClosed)
		if took := time.Since(start); took != 0 {
			t.Errorf("Shutdown took %v", took)
		}
	})
}

// Shutdown cuts handshakes under way, those that wait for a place as well, and waits
// for hooks that run.
func TestServeConnsShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		told := make(refusals, 4)
		w := serveConns(t, &conn.Server{
			Serve: echo, OnRefuse: told.add, MaxHandshakes: 3,
			Options: &conn.AcceptOptions{Handshake: handshake.Options{Before: func(r *http.Request) (http.Header, error) {
				if r.Header.Get("X") != "" {
					<-release
				}
				return nil, nil
			}}},
		})
		open, err := w.dial("/")
		if err != nil {
			t.Fatal(err)
		}
		silent, half, hook, waiting := w.connect(), w.connect(), w.connect(), w.connect()
		io.WriteString(half, rawRequest("")[:50])
		io.WriteString(hook, rawRequest("X: y\r\n"))
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		down := call(func() error { return w.s.Shutdown(ctx) })
		for _, nc := range []net.Conn{silent, half, hook, waiting} {
			if n, err := io.Copy(io.Discard, nc); n > 0 || time.Since(start) > 0 {
				t.Errorf("%d bytes and %v after %v", n, err, time.Since(start))
			}
		}
		_, _, err = open.Read(t.Context())
		wantClosed(t, err, 1001)
		wantError(t, <-down, context.DeadlineExceeded) // the hook runs
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		close(release)
		wantNoError(t, w.s.Shutdown(t.Context()))
		if len(told) != 3 {
			t.Errorf("told of %d handshakes, want 3", len(told))
		}
	})
}

// Shutdown among connections that come leaves nothing behind: each is served and
// closed with 1001, or cut.
func TestServeConnsShutdownAmongMany(t *testing.T) {
	for round := range scale(50) {
		var serving sync.WaitGroup
		s := &conn.Server{Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			serving.Add(1)
			context.AfterFunc(ctx, serving.Done)
			return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
		}}
		l := pipe.Listen()
		ended := call(func() error { return s.ServeConns(l) })
		var clients sync.WaitGroup
		for i := range 20 {
			clients.Go(func() {
				c, err := dialThrough(t, l.DialContext, "ws://memory.test")
				if i == round%20 {
					clients.Go(func() { s.Shutdown(context.Background()) })
				}
				if err == nil {
					c.Write(context.Background(), conn.Text, []byte("hello"))
				}
				for err == nil {
					_, _, err = c.Read(context.Background())
				}
			})
		}
		clients.Wait()
		wantNoError(t, s.Shutdown(context.Background()))
		wantError(t, <-ended, http.ErrServerClosed)
		serving.Wait()
	}
}

// A flood of refused requests keeps its places only for as long as the refused are
// listened to.
func TestServeConnsRefusedFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := serveConns(t, &conn.Server{Serve: echo, MaxHandshakes: 10})
		for range 50 {
			nc := w.connect()
			io.WriteString(nc, "GET / HTTP/1.1\r\n\r\n")
		}
		if _, err := w.dial("/"); err != nil {
			t.Fatal(err)
		}
		if at := time.Since(start); at != 5*time.Second {
			t.Errorf("served at %v, want 5s: a second for each ten", at)
		}
	})
}
