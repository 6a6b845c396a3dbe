package conn_test

import (
	"context"
	"errors"
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

// A timeless stream has no deadlines, like the body of an HTTP response.
type timeless struct{ net.Conn }

func (timeless) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (timeless) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (timeless) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// inTimelessBubbles is inBubbles over a stream without deadlines.
func inTimelessBubbles(t *testing.T, size int, f func(b *bubble)) {
	t.Helper()
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.NewSize(size)
			c := must(conn.New(&handshake.Result{Conn: timeless{ours}}, role, nil))
			t.Cleanup(func() { c.CloseNow() })
			p := wstest.NewPeer(t, theirs, !role)
			p.Timeout = time.Hour
			f(&bubble{t, role, c, p, time.Now()})
		})
	})
}

// Where there are no deadlines messages go both ways, a broken rule is
// answered, and Close closes.
func TestNoDeadlines(t *testing.T) {
	ctx := context.Background()
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		failed := make(chan error, 1)
		go func() {
			failed <- each(b.c, ctx, func(m conn.Message) error { return b.c.Write(ctx, m.Type, m.Payload) })
		}()
		message := make([]byte, 500)
		b.p.Send(wstest.Binary(message))
		b.p.WantMessage(frame.Binary, message)
		b.p.Send(wstest.Text("\xFF"))
		b.p.WantClose(frame.StatusInvalidPayload)
		b.p.Close()
		wantCode(b.T, <-failed, frame.StatusInvalidPayload)
	})
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		closed := startClose(b.c)
		b.p.WantClose(frame.StatusNormalClosure)
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		b.p.Close()
		if err := <-closed; err != nil {
			b.Error(err)
		}
	})
}

// The end of a ctx that reads have used again and again ends no closing handshake.
func TestNoDeadlinesContextEndsWhileClosing(t *testing.T) {
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range 3 {
			b.p.Send(wstest.Text("text"))
			_, _, err := b.c.Read(ctx)
			wantNoError(b.T, err)
		}
		closed := startClose(b.c)
		b.p.WantClose(frame.StatusNormalClosure)
		synctest.Wait()
		cancel()
		synctest.Wait()
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		b.p.Close()
		if err := <-closed; err != nil {
			b.Error(err)
		}
	})
}

// There the end of a ctx, a write without progress and a dead peer end the
// connection: nothing else ends a call that waits.
func TestNoDeadlinesTimeouts(t *testing.T) {
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, _, err := b.c.Read(ctx)
		wantError(b.T, err, context.DeadlineExceeded)
		b.at(3 * time.Second)
	})
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		if err := b.c.Write(context.Background(), conn.Binary, make([]byte, 1<<20)); err == nil {
			b.Error("a Write that nobody read succeeded")
		}
		b.at(10 * time.Second)
	})
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		<-reading(b.c)
		b.at(45 * time.Second)
	})
	inTimelessBubbles(t, 1<<10, func(b *bubble) {
		if err := b.c.Close(frame.StatusNormalClosure, ""); err == nil {
			b.Error("Close of a silent peer = nil")
		}
		b.at(5 * time.Second)
	})
}

// A hasty stream tells of deadlines that nobody has set.
type hasty struct{ net.Conn }

func (hasty) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// A timeout that is not ours is an error like any other.
func TestTimeoutOfTheStream(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			c := must(conn.New(&handshake.Result{Conn: hasty{ours}}, role, nil))
			_, _, err := c.Read(t.Context())
			wantError(t, err, io.ErrUnexpectedEOF)
		})
	})
}
