package conn_test

import (
	"context"
	"io"
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

// regressSize is how much the streams hold in each direction.
const regressSize = 64 << 10

// inLives runs f in a bubble for each kind of stream and each role.
func inLives(t *testing.T, f func(t *testing.T, c *conn.Conn, s *lifeStream, peer net.Conn)) {
	t.Helper()
	bothRoles(t, func(t *testing.T, role conn.Role) {
		for kind := range lifeKind(lifeKinds) {
			t.Run(kind.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := pipe.NewSize(regressSize)
					defer theirs.Close()
					s := &lifeStream{Conn: ours, role: role, kind: kind, size: regressSize, start: time.Now(), readEnd: never, writeEnd: never}
					o := &conn.Options{}
					if kind == lifeLooped {
						o.Loop = &conn.Loop{}
					}
					c := must(conn.New(&handshake.Result{Conn: s.conn()}, role, o))
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
		<-c.Done()
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
		if err := c.Write(context.Background(), conn.Binary, make([]byte, 4*regressSize)); err == nil {
			t.Error("nobody read, and Write succeeded")
		}
		wantError(t, <-read, os.ErrDeadlineExceeded)
	})
}

// A message that Send has queued while a large one was half sent goes out
// before our Close frame.
func TestCloseAfterQueuedMessage(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, nc net.Conn) {
		large := make([]byte, 4*regressSize)
		go c.Write(context.Background(), conn.Binary, large)
		synctest.Wait()
		if err := c.Send(conn.NewPrepared(conn.Text, []byte("queued"))); err != nil {
			t.Fatal(err)
		}
		go c.Close(frame.StatusNormalClosure, "")
		synctest.Wait()
		p := wstest.NewPeer(t, nc, !s.role)
		p.WantMessage(frame.Binary, large)
		p.WantMessage(frame.Text, []byte("queued"))
		p.WantClose(frame.StatusNormalClosure)
		p.Close()
	})
}

// An interrupted stream calls a function in the middle of the first write.
type interrupted struct {
	net.Conn
	call func()
}

func (s *interrupted) TryWrite(p []byte) (int, error) {
	call := s.call
	s.call = func() {}
	call()
	return s.Write(p)
}

// Close waits for the peer's Close frame when it meets a read that does not wait
// and runs no callback: here it answers a Ping.
func TestCloseBesideBusyRead(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			s := &interrupted{Conn: ours}
			c := must(conn.New(&handshake.Result{Conn: s}, role, nil))
			p := wstest.NewPeer(t, theirs, !role)
			closed := make(chan error, 1)
			s.call = func() {
				go func() { closed <- c.Close(frame.StatusNormalClosure, "") }()
				select {
				case err := <-closed:
					t.Errorf("Close returned %v before the peer has answered", err)
				case <-time.After(time.Millisecond):
				}
			}
			go c.Read(context.Background())
			p.Send(wstest.Ping("hello"))
			if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Pong {
				t.Errorf("got %v, %v, want a Pong", f, err)
			}
			p.WantClose(frame.StatusNormalClosure)
			p.Send(wstest.Close(frame.StatusNormalClosure, ""))
			p.Close()
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	})
}

// A slow ctx calls a function when it is asked whether it has ended.
type slow struct {
	context.Context
	call func()
}

func (s *slow) Err() error {
	call := s.call
	s.call = func() {}
	call()
	return nil
}

// A read that begins while the connection lives through all of its end returns
// the cause.
func TestReadThroughTheEnd(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, nc net.Conn) {
		p := wstest.NewPeer(t, nc, !s.role)
		_, _, err := c.Read(&slow{context.Background(), func() {
			p.Send(wstest.Close(frame.StatusGoingAway, ""))
			p.Close()
			c.Read(context.Background())
			<-c.Done()
			synctest.Wait()
		}})
		wantClosed(t, err, frame.StatusGoingAway)
	})
}

// What had arrived when a Writer's fragment could not be written is read.
func TestReadAfterFailedWriter(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, nc net.Conn) {
		wstest.NewPeer(t, nc, !s.role).Send(wstest.Text("hello"))
		nc.Close()
		w := must(c.Writer(context.Background(), conn.Binary))
		if _, err := w.Write(make([]byte, 4*regressSize)); err == nil {
			t.Error("Write succeeded on a stream that the peer has closed")
		}
		if err := w.Close(); err == nil {
			t.Error("so did Close")
		}
		if _, p, err := c.Read(context.Background()); err != nil || string(p) != "hello" {
			t.Errorf("read %q, %v", p, err)
		}
		_, _, err := c.Read(context.Background())
		wantError(t, err, io.ErrUnexpectedEOF)
	})
}

// The end of CloseRead's ctx ends the reading alone: what comes then is for whoever reads next.
func TestCloseReadEnds(t *testing.T) {
	inLives(t, func(t *testing.T, c *conn.Conn, s *lifeStream, nc net.Conn) {
		if s.kind.grace() > 0 {
			return // such a stream is closed to end a read
		}
		ctx, cancel := context.WithCancel(context.Background())
		c.CloseRead(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		p := wstest.NewPeer(t, nc, !s.role)
		p.Timeout = time.Hour
		p.Send(wstest.Text("hello"))
		if _, got, err := c.Read(context.Background()); err != nil || string(got) != "hello" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
