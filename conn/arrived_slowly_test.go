package conn_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// TestArrivedIsReadSlowly: what had arrived when a write failed is read to its
// end, the peer's Close frame, by an application that takes its time for each
// message, however it reads.
func TestArrivedIsReadSlowly(t *testing.T) {
	wrap := func(nc net.Conn) net.Conn { return deaf{nc} }
	allWays(t, func(t *testing.T, w way) {
		allOdds(t, nil, 1<<10, wrap, func(b *bubble) {
			var all []wstest.Frame
			for range 20 {
				all = append(all, wstest.Text("message"))
			}
			b.p.Send(append(all, wstest.Close(frame.StatusNormalClosure, ""))...)
			b.c.Write(context.Background(), conn.Text, nil)
			synctest.Wait()
			n := 0
			for {
				_, _, err := w.read(b.c)
				if err != nil {
					if n != len(all) {
						b.Errorf("%d messages, then %v", n, err)
					}
					wantClosed(b.T, err, frame.StatusNormalClosure)
					return
				}
				n++
				b.sleep(time.Second)
			}
		})
	})
}

// An unhurried stream takes half a second to hand over what has arrived.
type unhurried struct{ net.Conn }

func (s unhurried) Read(p []byte) (int, error) {
	time.Sleep(500 * time.Millisecond)
	return s.Conn.Read(p)
}

// TestArrivedComesSlowly: what had arrived when a write failed is read also from a stream that
// takes a moment for it.
func TestArrivedComesSlowly(t *testing.T) {
	wrap := func(nc net.Conn) net.Conn { return unhurried{deaf{nc}} }
	allOdds(t, nil, 1<<10, wrap, func(b *bubble) {
		b.p.Send(wstest.Text("message"))
		b.c.Write(context.Background(), conn.Text, nil)
		synctest.Wait()
		if _, got, err := b.c.Read(context.Background()); err != nil || string(got) != "message" {
			b.Errorf("got %q, %v", got, err)
		}
	})
}
