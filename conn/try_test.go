package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A stingy stream takes a few octets without blocking, and the rest only from
// a Write that may block.
type stingy struct {
	net.Conn
	most int
}

func (s *stingy) TryWrite(p []byte) (int, error) { return s.Write(p[:min(len(p), s.most)]) }

// TestTryWrite checks that what a stream did not take at once follows whole and
// in order.
func TestTryWrite(t *testing.T) {
	for _, most := range []int{0, 1, 7, 1 << 20} {
		a, b := pipe.New()
		s := must(conn.New(&handshake.Result{Conn: &stingy{a, most}}, conn.RoleServer, nil))
		c := must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, nil))
		go func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range 50 {
				p := bytes.Repeat([]byte{byte(i)}, i*i*i/16)
				if i%2 == 0 {
					s.Send(conn.NewPrepared(conn.Binary, p))
				} else {
					s.Write(ctx, conn.Binary, p)
				}
			}
		}()
		for i := range 50 {
			_, p, err := c.Read(t.Context())
			if err != nil {
				t.Fatalf("most %d: message %d: %v", most, i, err)
			}
			if !bytes.Equal(p, bytes.Repeat([]byte{byte(i)}, i*i*i/16)) {
				t.Fatalf("most %d: message %d is another", most, i)
			}
		}
		s.CloseNow()
		c.CloseNow()
	}
}

// A full stream takes all that is tried, and fails.
type full struct{ net.Conn }

func (full) TryWrite(p []byte) (int, error) { return len(p), io.ErrClosedPipe }

// TestTryWriteFailsAtTheEnd: a write that the stream has taken whole has failed nevertheless if
// the stream says so.
func TestTryWriteFailsAtTheEnd(t *testing.T) {
	for name, write := range writes {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: full{ours}}, conn.RoleServer, nil))
		if err := write(c, "text"); !errors.Is(err, io.ErrClosedPipe) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v, want what the stream has said", name, err)
		}
		c.CloseNow()
		theirs.Close()
	}
}
