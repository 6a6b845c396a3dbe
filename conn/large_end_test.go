package conn_test

import (
	"context"
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

// A large message that is being written when the peer closes and ends its
// direction goes out whole, and our Close frame after it.
func TestLargeFrameEnd(t *testing.T) {
	for _, end := range []bool{true, false} {
		for range 5 {
			allOdds(t, nil, 8<<10, nil, func(b *bubble) {
				message := make([]byte, 400<<10)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				go b.c.Write(ctx, conn.Binary, message)
				got := reading(b.c)
				synctest.Wait()
				b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
				if end {
					b.p.CloseWrite()
				}
				wantClosed(b.T, <-got, frame.StatusNormalClosure)
				b.p.WantMessage(frame.Binary, message)
				b.p.WantClose(frame.StatusNormalClosure)
			})
		}
	}
}

// A ponderous stream takes five seconds to end one direction, as TLS may.
type ponderous struct{ net.Conn }

func (s ponderous) CloseWrite() error {
	<-time.After(5 * time.Second)
	return s.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// A Write that takes our Close frame along, and writes it itself, does not wait for the end of the
// stream.
func TestLargeFrameDoesNotEndStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.NewSize(8 << 10)
		c := must(conn.New(&handshake.Result{Conn: ponderous{ours}}, conn.RoleServer, nil))
		defer c.CloseNow()
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Timeout = time.Minute
		start, message := time.Now(), make([]byte, 400<<10)
		wrote := call(func() error { return c.Write(context.Background(), conn.Binary, message) })
		got := reading(c)
		synctest.Wait()
		p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		wantClosed(t, <-got, frame.StatusNormalClosure)
		p.WantMessage(frame.Binary, message)
		p.WantClose(frame.StatusNormalClosure)
		if err := <-wrote; err != nil || time.Since(start) > 0 {
			t.Errorf("Write = %v after %v", err, time.Since(start))
		}
		p.WantEOF()
	})
}
