package conn_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/internal/pipe"
)

// A hook that takes longer than the handshake may is the end of it, and a hook that ends its
// goroutine too, on both shells: the stream is closed, OnRefuse is told, and nothing is left
// in the Loop's account.
func TestServeConnsHooks(t *testing.T) {
	for name, tt := range map[string]struct {
		hook func()
		want func(error) bool
	}{
		"late": {func() { <-time.After(11 * time.Second) }, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		"quit": {runtime.Goexit, func(err error) bool {
			p, ok := errors.AsType[*conn.PanicError](err)
			return ok && p.Value == nil
		}},
		"panic": {func() { panic("hook") }, func(err error) bool {
			p, ok := errors.AsType[*conn.PanicError](err)
			return ok && p.Value == "hook"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onShells(t, func(t *testing.T, o *conn.Options) {
				told := make(refusals, 1)
				if o.Loop.After < 0 {
					o.Loop.After = 2 // connections are counted
				}
				s := &conn.Server{OnRefuse: told.add, Options: &conn.AcceptOptions{Conn: *o}}
				s.Options.Handshake.CheckOrigin = func(*http.Request) bool { tt.hook(); return true }
				s.Handle = func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
					return func(conn.Message) error { return nil }
				}
				w := serveConns(t, s)
				nc := w.connect()
				io.WriteString(nc, rawRequest(""))
				select {
				case got := <-told:
					if !tt.want(got.err) {
						t.Errorf("told of %v", got.err)
					}
				case <-time.After(time.Minute):
					t.Fatal("not told")
				}
				if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
					t.Errorf("read %q, %v", b, err)
				}
				synctest.Wait()
				if n := conn.LoopConns(o.Loop); n != 0 {
					t.Errorf("%d connections are counted, want none", n)
				}
			})
		})
	}
}

// A grudging stream takes a few bytes when a write is tried for the first time.
type grudging struct {
	net.Conn
	first int
	tried bool
}

func (g *grudging) Unwrap() net.Conn { return g.Conn }

func (g *grudging) TryRead(p []byte) (n int, again bool, err error) { return pipe.TryRead(g.Conn, p) }

func (g *grudging) TryWrite(p []byte) (int, error) {
	if !g.tried {
		g.tried = true
		p = p[:min(len(p), g.first)]
	}
	return pipe.TryWrite(g.Conn, p)
}

func (g *grudging) CloseWrite() error { return g.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// A grudgingListener accepts grudging streams.
type grudgingListener struct {
	net.Listener
	first int
}

func (l grudgingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return &grudging{Conn: nc, first: l.first}, err
}

// A response of which the stream takes nothing at first goes out a little later. One of which it
// takes a part is the end.
func TestServeConnsResponseInPieces(t *testing.T) {
	for first, want := range map[int]error{0: nil, 1: io.ErrShortWrite, 4 << 10: nil} {
		synctest.Test(t, func(t *testing.T) {
			told := make(refusals, 1)
			s := &conn.Server{OnRefuse: told.add, Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}}}
			s.Handle = func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
				return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
			}
			l := pipe.Listen()
			ended := call(func() error { return s.ServeConns(grudgingListener{l, first}) })
			c, err := dialThrough(t, l.DialContext, "ws://memory.test/")
			if want == nil {
				wantNoError(t, err)
				wantEcho(t, c)
				c.CloseNow()
			} else if wantError(t, (<-told).err, want); err == nil {
				t.Errorf("%d bytes at first: the handshake succeeds", first)
			}
			wantNoError(t, s.Shutdown(t.Context()))
			wantError(t, <-ended, http.ErrServerClosed)
		})
	}
}

// Handle may read before it returns: from a loop's socket too, and more than a worker takes of it
// in a turn.
func TestHandleReads(t *testing.T) {
	const messages = 300
	message := make([]byte, 1000)
	s := &conn.Server{Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}}}
	s.Handle = func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
		brief, cancel := context.WithTimeout(ctx, 10*time.Second) // no bubble: a read that spins would stop its time
		defer cancel()
		for n := range messages {
			if _, _, err := c.Read(brief); err != nil {
				t.Errorf("read %d messages, then %v", n, err)
				break
			}
		}
		return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
	}
	c := must(serveConns(t, s).dial("/"))
	for range messages {
		wantNoError(t, c.Write(t.Context(), conn.Binary, message))
	}
	wantEcho(t, c)
}

// A handshake that has ended leaves its place to the next one, on both shells.
func TestServeConnsPlaces(t *testing.T) {
	onShells(t, func(t *testing.T, o *conn.Options) {
		w := serveConns(t, &conn.Server{
			MaxHandshakes: 1,
			Options:       &conn.AcceptOptions{Conn: *o},
			Handle:        func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error { return ignoreMessage },
		})
		for i := range 3 {
			nc := w.connect()
			io.WriteString(nc, rawRequest(""))
			nc.SetReadDeadline(time.Now().Add(time.Minute))
			if response, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("client %d: %v, %v", i, response, err)
			}
		}
	})
}
