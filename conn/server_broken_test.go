package conn

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A dumb stream fails its writes and has nothing to read.
type dumb struct{ net.Conn }

func (dumb) Write([]byte) (int, error) { return 0, errors.New("dumb") }

// A connection whose writes have failed ends with the function that served it,
// and waits for nothing that nobody reads.
func TestServedToTheEnd(t *testing.T) {
	for _, timeout := range []time.Duration{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			defer theirs.Close()
			c := must(New(&handshake.Result{Conn: dumb{ours}}, RoleServer, &Options{Limits: Limits{CloseTimeout: timeout}}))
			var s Server
			s.add(c)
			start := time.Now()
			served := make(chan struct{})
			go func() {
				defer close(served)
				err := c.Write(context.Background(), Text, nil)
				s.ended(c, err)
			}()
			select {
			case <-served:
			case <-time.After(time.Hour):
				t.Error("it lives")
				c.CloseNow()
			}
			if d := time.Since(start); d > 0 {
				t.Errorf("after %v", d)
			}
		})
	}
}
