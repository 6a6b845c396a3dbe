package conn_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A lazy stream returns from some reads with nothing and no error, as an
// io.Reader may.
type lazy struct {
	net.Conn
	reads *int
}

func (l lazy) Read(p []byte) (int, error) {
	if *l.reads++; *l.reads%3 != 0 {
		return 0, nil
	}
	return l.Conn.Read(p)
}

// A read of nothing is none. A stream that never gives anything is cut.
func TestReadOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: lazy{ours, new(int)}}, conn.RoleServer, nil))
		defer c.CloseNow()
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		big := make([]byte, 100_000)
		p.Send(wstest.Text("a"), wstest.Binary(big))
		for range 2 {
			if _, _, err := c.Read(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		n := 0
		c := must(conn.New(&handshake.Result{Conn: empty{ours, &n}}, conn.RoleServer, nil))
		defer c.CloseNow()
		_, _, err := c.Read(t.Context())
		wantError(t, err, io.ErrNoProgress)
		_ = err.Error()
	})
}

type empty struct {
	net.Conn
	reads *int
}

func (e empty) Read(p []byte) (int, error) {
	if *e.reads++; *e.reads > 10_000 {
		return 0, io.EOF
	}
	return 0, nil
}
