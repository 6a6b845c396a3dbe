package conn_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A lying stream accepts deadlines and does nothing with them.
type lying struct{ net.Conn }

func (lying) SetDeadline(time.Time) error      { return nil }
func (lying) SetReadDeadline(time.Time) error  { return nil }
func (lying) SetWriteDeadline(time.Time) error { return nil }

// An odd is a kind of stream that is in memory and no socket.
type odd struct {
	name string
	wrap func(net.Conn) net.Conn
}

var odds = []odd{
	{"deadlines", func(nc net.Conn) net.Conn { return nc }},
	{"timeless", func(nc net.Conn) net.Conn { return timeless{nc} }},
	{"lying", func(nc net.Conn) net.Conn { return lying{nc} }},
}

// allOdds runs f in both roles, in bubbles, over each kind of stream, after wrap.
func allOdds(t *testing.T, o *conn.Options, size int, wrap func(net.Conn) net.Conn, f func(b *bubble)) {
	t.Helper()
	for _, odd := range odds {
		t.Run(odd.name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := pipe.NewSize(size)
					if wrap != nil {
						ours = wrap(ours)
					}
					c := must(conn.New(&handshake.Result{Conn: odd.wrap(ours)}, role, o))
					t.Cleanup(func() { c.CloseNow() })
					p := wstest.NewPeer(t, theirs, !role)
					p.Timeout = 48 * time.Hour
					f(&bubble{t, role, c, p, time.Now()})
				})
			})
		})
	}
}

// noLaterThan fails the test unless no more than d has gone since the start.
func (b *bubble) noLaterThan(d time.Duration) {
	b.Helper()
	if got := time.Since(b.start); got > d {
		b.Errorf("at %v, want at most %v", got, d)
	}
}

// A forgetful stream tells of its end once. After that it seems to be silent.
type forgetful struct {
	net.Conn
	silent net.Conn
}

func (s *forgetful) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err == io.EOF {
		s.Conn = s.silent
	}
	return n, err
}

// TestEndToldOnce: the end of the stream need not be told twice. The closer, which reads up to
// it, gives up in its time.
func TestEndToldOnce(t *testing.T) {
	wrap := func(nc net.Conn) net.Conn {
		silent, _ := pipe.New()
		return &forgetful{nc, silent}
	}
	allOdds(t, nil, 1<<10, wrap, func(b *bubble) {
		b.p.CloseWrite()
		if _, _, err := b.c.Read(b.Context()); err == nil {
			b.Error("there was a message")
		}
		select {
		case <-b.c.Done():
		case <-time.After(10 * time.Second):
			b.Fatal("the stream is open after 10 s")
		}
	})
}

// TestReadReturnedInTime: a stream whose read returns at once when its ctx ends is not closed,
// though the application reads no more for long.
func TestReadReturnedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		ours = struct{ net.Conn }{ours} // whose deadlines are not trusted, though they work
		c := must(conn.New(&handshake.Result{Conn: ours}, conn.RoleServer, limits(conn.Limits{PingInterval: -1})))
		defer c.CloseNow()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := c.Read(ctx); err == nil {
			t.Fatal("there was a message")
		}
		time.Sleep(time.Hour)
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Send(wstest.Text("hello"))
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != "hello" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestPreparedTooLate: a prepared message is not written once its ctx has ended.
func TestPreparedTooLate(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		wantError(b.T, b.c.WritePrepared(ctx, conn.NewPrepared(conn.Text, []byte("late"))), context.Canceled)
		wantNoError(b.T, b.c.WritePrepared(context.Background(), conn.NewPrepared(conn.Text, []byte("in time"))))
		b.p.Want(wstest.Text("in time"))
	})
}
