package conn

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A write that has found the connection open, and is about to pass, does not pass once the
// connection has ended, though all is out by then: nothing goes after our Close frame.
func TestNothingPassesAfterTheEnd(t *testing.T) {
	for e := range event(events) {
		if e == finished {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			defer theirs.Close()
			c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
			c.endWith(e, errClosed, frame.StatusNormalClosure, "")
			synctest.Wait()
			if c.out.token.CompareAndSwap(0, tokenTaken) {
				t.Errorf("a write passes after event %d", e)
			}
			c.CloseNow()
		})
	}
}

// A partingRecipient is a stream on which its connection writes while it closes the stream.
type partingRecipient struct {
	recipient
	c   *Conn
	err error // of the write
}

func (f *partingRecipient) Close() error {
	f.err = f.c.Write(context.Background(), Text, nil)
	return nil
}

// TestNothingPassesWhileTheStreamIsClosed: no write passes once the connection has ended, though
// the stream is open for a moment, and nothing is queued.
func TestNothingPassesWhileTheStreamIsClosed(t *testing.T) {
	var f partingRecipient
	f.c = must(New(&handshake.Result{Conn: &f}, RoleServer, nil))
	f.c.CloseNow()
	if f.writes > 0 || !errors.Is(f.err, net.ErrClosed) {
		t.Errorf("%d writes, %v", f.writes, f.err)
	}
}

// TestIdleFlusherIsNotUnsent: a flusher that was started, and will find that another writer has sent
// all, leaves nothing unsent.
func TestIdleFlusherIsNotUnsent(t *testing.T) {
	c := must(New(&handshake.Result{Conn: &recipient{}}, RoleServer, nil))
	defer c.CloseNow()
	started := func(is bool) {
		c.out.lock()
		defer c.out.unlock()
		c.out.flushing = is
	}
	started(true)
	if c.Unsent() {
		t.Error("something is on its way")
	}
	started(false)
}
