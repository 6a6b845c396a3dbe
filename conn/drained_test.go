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
