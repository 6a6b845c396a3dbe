package conn_test

import (
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// What the generator of lives has found, one short life each.

// inLives runs f in a bubble for each kind of stream and each role.
func inLives(t *testing.T, f func(t *testing.T, c *conn.Conn, s *lifeStream, peer net.Conn)) {
	t.Helper()
	bothRoles(t, func(t *testing.T, role conn.Role) {
		for kind := range lifeKind(lifeKinds) {
			t.Run(kind.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := pipe.New()
					defer theirs.Close()
					s := &lifeStream{Conn: ours, role: role, kind: kind, size: pipe.DefaultSize, start: time.Now(), readEnd: never, writeEnd: never}
					c := must(conn.New(&handshake.Result{Conn: s.conn()}, role, nil))
					defer c.CloseNow()
					f(t, c, s, theirs)
				})
			})
		}
	})
}

// Close returns, and the stream is closed, when the write of the Close frame
// fails while a read waits that can't be woken.
func TestCloseAfterFailedWrite(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, _ net.Conn) {
		s.failWrites()
		if err := c.Close(frame.StatusNormalClosure, ""); err == nil {
			t.Error("Close succeeded without an answer")
		}
		<-conn.Gone(c)
		if d := s.now(); d > 5*time.Second {
			t.Errorf("the stream was closed after %v", d)
		}
	})
}

// CloseRead with the connection's own ctx tells why the connection has ended,
// and does not keep the Close frame from leaving.
func TestCloseReadWithOwnContext(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, _ net.Conn) {
		ctx := c.CloseRead(conn.ServeContext(c))
		synctest.Wait()
		go c.Close(frame.StatusNormalClosure, "")
		<-ctx.Done()
		wantClosedHere(t, context.Cause(ctx))
		synctest.Wait()
		if s.out.total() == 0 {
			t.Error("no Close frame was sent")
		}
	})
}

// The end of a ctx ends no read but its own, on a stream without deadlines too.
func TestContextOfAnotherRead(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, nc net.Conn) {
		p := wstest.NewPeer(t, nc, !s.role)
		p.Timeout = time.Hour
		ctx, cancel := context.WithCancel(context.Background())
		for range 2 { // from the second read on the ctx stays registered
			p.Send(wstest.Text("hello"))
			c.Read(ctx)
		}
		read := make(chan error, 1)
		go func() {
			_, _, err := c.Read(context.Background())
			read <- err
		}()
		synctest.Wait()
		cancel()
		<-time.After(10 * time.Second)
		p.Send(wstest.Text("hello"))
		if err := <-read; err != nil {
			t.Error(err)
		}
	})
}

// A read tells of a write without progress, where that has closed the stream.
func TestReadTellsOfStalledWrite(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, _ *lifeStream, _ net.Conn) {
		read := make(chan error, 1)
		go func() {
			_, _, err := c.Read(context.Background())
			read <- err
		}()
		synctest.Wait()
		if err := c.Write(context.Background(), conn.Binary, make([]byte, 2*pipe.DefaultSize)); err == nil {
			t.Error("nobody read, and Write succeeded")
		}
		wantError(t, <-read, os.ErrDeadlineExceeded)
	})
}
