package conn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// While a write is in flight, whoever is at it, others return until 64 KiB are on their way, and
// then wait for room.
func TestWriteWaitsForRoom(t *testing.T) {
	o := limits(conn.Limits{PingInterval: -1, WriteTimeout: -1})
	allOdds(t, o, 1<<10, nil, func(b *bubble) {
		ended := make(chan error, 2)
		go func() { ended <- b.c.Write(context.Background(), conn.Binary, make([]byte, 4<<10)) }()
		synctest.Wait() // it waits for the peer
		written := 0
		go func() {
			for {
				if err := b.c.Write(context.Background(), conn.Binary, make([]byte, 1<<10)); err != nil {
					ended <- err
					return
				}
				written++
			}
		}()
		synctest.Wait()
		if written < 60 || written > 64 {
			b.Errorf("%d writes of 1 KiB return without room", written)
		}
		b.c.CloseNow()
		<-ended
		<-ended
	})
}

// The peer's time to answer runs once our Close frame is out, though it goes out with the end of a
// message that somebody else writes.
func TestCloseAfterLargeWrite(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		message := make([]byte, 1<<20)
		written := make(chan error, 1)
		go func() { written <- b.c.Write(context.Background(), conn.Binary, message) }()
		synctest.Wait()
		closed := startClose(b.c)
		b.sleep(time.Second)
		b.p.WantMessage(frame.Binary, message)
		b.p.WantClose(frame.StatusNormalClosure)
		if err := <-closed; err == nil {
			b.Error("Close of a silent peer = nil")
		}
		b.at(6 * time.Second)
		<-written
	})
}
