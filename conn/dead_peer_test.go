package conn_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
)

// A peer that is dead is found dead while a Writer has a message half sent.
func TestDeadPeerOfWriter(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		w := must(b.c.Writer(context.Background(), conn.Binary))
		w.Write(make([]byte, 100_000))
		got := reading(b.c)
		select {
		case err := <-got:
			wantError(b.T, err, os.ErrDeadlineExceeded)
			b.at(45 * time.Second)
		case <-time.After(time.Hour):
			b.Error("the peer lives")
		}
		w.Close()
	})
}
