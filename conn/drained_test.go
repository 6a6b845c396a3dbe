package conn_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A pondering stream can be tried, and takes its time.
type pondering struct{ net.Conn }

func (s pondering) TryWrite(p []byte) (int, error) {
	<-time.After(time.Millisecond)
	return s.Conn.Write(p)
}

func (s pondering) CloseWrite() error {
	return s.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// TestEndWaitsForWrite: our direction of the stream ends after our Close frame,
// not while a write that takes it along is in flight. The Ping has started a
// flusher, which finds nothing pending any more.
func TestEndWaitsForWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: pondering{ours}}, conn.RoleServer, nil))
		defer c.CloseNow()
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Send(wstest.Ping("p"), wstest.Close(frame.StatusNormalClosure, ""))
		_, _, err := c.Read(t.Context())
		wantClosed(t, err, frame.StatusNormalClosure)
		p.Want(wstest.Pong("p"))
		p.WantClose(frame.StatusNormalClosure)
		p.WantEOF()
	})
}

// TestDrainsAfterLastByte: a server reads on for a second after the last of its bytes is out,
// however long it has taken until then. Where a read can't be ended but by closing the stream it
// looks once a second, and a second later where deadlines may do nothing.
func TestDrainsAfterLastByte(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		odd       odd
		out, want time.Duration // when the last byte is out, and the stream closed
	}{
		{odds[0], 900 * ms, 1900 * ms},
		{odds[1], 900 * ms, 2000 * ms},
		{odds[2], 900 * ms, 2000 * ms},
		{odds[2], 1500 * ms, 4000 * ms},
	} {
		t.Run(c.odd.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { drainsAfterLastByte(t, c.odd, c.out, c.want) })
		})
	}
}

func drainsAfterLastByte(t *testing.T, odd odd, out, want time.Duration) {
	ours, theirs := pipe.NewSize(1 << 10)
	c := must(conn.New(&handshake.Result{Conn: odd.wrap(ours)}, conn.RoleServer, nil))
	defer c.CloseNow()
	p := wstest.NewPeer(t, theirs, conn.RoleClient)
	p.Timeout = time.Minute
	if err := c.Send(numbered(0, 3000)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p.Send(wstest.Close(frame.StatusNormalClosure, ""))
	_, _, err := c.Read(t.Context())
	wantClosed(t, err, frame.StatusNormalClosure)
	<-time.After(out)
	p.Want(wstest.Text(numberedText(0, 3000)))
	p.WantClose(frame.StatusNormalClosure)
	<-c.Done()
	if took := time.Since(start); took != want {
		t.Errorf("what is out after %v: closed after %v, want %v", out, took, want)
	}
}
