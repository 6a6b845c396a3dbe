package conn

import (
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A write that has found the connection open, and is about to pass, does not pass once the
// connection has ended, though all is out by then: nothing goes after our Close frame.
func TestNothingPassesAfterTheEnd(t *testing.T) {
	for e := range event(events) {
		if e == finished {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			defer theirs.Close()
			c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
			c.endWith(e, errClosed, frame.StatusNormalClosure, "")
			synctest.Wait()
			if c.out.token.CompareAndSwap(0, tokenTaken) {
				t.Errorf("a write passes after event %d", e)
			}
			c.CloseNow()
		})
	}
}
