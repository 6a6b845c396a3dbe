package conn_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
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
