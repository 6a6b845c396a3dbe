package conn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// MessageTime holds for each message by itself, however messages and reads
// overlap.
func TestMessageTimeOfEach(t *testing.T) {
	inBubbles(t, conn.Limits{MessageTime: 30 * time.Second}, func(b *bubble) {
		got := make(chan error, 1)
		n := 0
		go func() {
			got <- each(b.c, context.Background(), func(conn.Message) error { n++; return nil })
		}()
		m := b.octets(wstest.Text("0123456789"))
		b.p.SendBytes(m[:8])
		for range 20 {
			b.sleep(10 * time.Second)
			b.p.SendBytes(append(append([]byte{}, m[8:]...), m[:8]...))
		}
		synctest.Wait()
		select {
		case err := <-got:
			b.Fatalf("after %d messages of 10 s each: %v", n, err)
		default:
		}
		b.sleep(31 * time.Second)
		wantCode(b.T, <-got, frame.StatusPolicyViolation)
	})
}

// The time of a message may be over at the moment at which the ctx of a read ends: then the
// keepalive fails it, or the next read does.
func TestMessageTimeMeetsContext(t *testing.T) {
	const limit = 30 * time.Second
	for range 20 { // which of two timers rings first is up to chance
		inBubbles(t, conn.Limits{MessageTime: limit}, func(b *bubble) {
			b.p.SendBytes(b.octets(wstest.Text("0123456789"))[:8])
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			_, _, err := b.c.Read(ctx)
			if isContextError(err) {
				again, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				_, _, err = b.c.Read(again)
			}
			b.at(limit)
			wantCode(b.T, err, frame.StatusPolicyViolation)
		})
	}
}
