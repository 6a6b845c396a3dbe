package conn_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
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
