package conn

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// Nobody is busy with a message while there is none: neither a read that is
// woken by the end, nor the closer.
func TestNotBusy(t *testing.T) {
	for range 500 {
		ours, theirs := pipe.New()
		c := must(New(&handshake.Result{Conn: ours}, RoleServer, &Options{Limits: Limits{CloseTimeout: time.Millisecond}}))
		go c.Each(context.Background(), func(Message) error { return nil })
		for reads := false; !reads; runtime.Gosched() {
			c.in.mu.Lock()
			reads = c.in.turn.held()
			c.in.mu.Unlock()
		}
		c.endWith(localEnd, errClosed, 1000, "")
		for busy := false; !c.life.is(over); runtime.Gosched() {
			if busy = c.in.busy(); busy {
				t.Fatal("busy with a message that never came")
			}
		}
		theirs.Close()
	}
}
