package conn_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// These are tests of writes that wait until the flusher has written what they have appended.

// A Write that waits when the connection is closed returns nil: its message goes out before our
// Close frame.
func TestWriteWaitsThroughClose(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.NewSize(1 << 10)
			c := must(conn.New(&handshake.Result{Conn: ours}, role, nil))
			defer c.CloseNow()
			p := wstest.NewPeer(t, theirs, !role)
			message := make([]byte, 8<<10)
			wrote := call(func() error { return c.Write(t.Context(), conn.Binary, message) })
			synctest.Wait()
			closed := startClose(c)
			synctest.Wait()
			p.Want(wstest.Binary(message))
			p.WantClose(frame.StatusNormalClosure)
			p.Send(wstest.Close(frame.StatusNormalClosure, ""))
			wantNoError(t, <-wrote)
			wantNoError(t, <-closed)
		})
	})
}

// A lateContext is a context.Context of which nobody learns why it has ended before f has returned.
type lateContext struct {
	context.Context
	f func()
}

func (l lateContext) Err() error {
	err := l.Context.Err()
	if err != nil {
		l.f()
	}
	return err
}

// A large message whose ctx ends goes out whole, though all that was appended of it has gone out by
// the time its Write learns of that.
func TestLargeMessageGoesOutWhole(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.NewSize(1 << 10)
			c := must(conn.New(&handshake.Result{Conn: ours}, role, nil))
			defer c.CloseNow()
			message := make([]byte, 300<<10)
			ctx, cancel := context.WithCancel(t.Context())
			read := sync.OnceFunc(func() { go io.Copy(io.Discard, theirs) })
			wrote := call(func() error {
				return c.Write(lateContext{ctx, func() { read(); synctest.Wait() }}, conn.Binary, message)
			})
			synctest.Wait()
			cancel()
			wantError(t, <-wrote, context.Canceled)
			synctest.Wait()
			if c.Unsent() {
				t.Error("part of the message is on its way, and nobody sends it")
			}
		})
	})
}
